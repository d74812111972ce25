struct User;

#[lock::lock("{user}")]
fn f(user: User) {}

fn main() {
    f(User);
}
