//! Two clerks sell the last seat: each looked it up before the other sold it.
//!
//! `#[lock_model(refresh)]` locks the row by its primary key, reloads it, and only then runs the method.
//!
//! ```sh
//! cargo run --example model
//! ```

use std::{
    error::Error,
    sync::{Barrier, Mutex, PoisonError},
    thread,
};

use lock::{Model, Refresh, lock_model};

type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

/// The database: who has seat 12.
static SOLD_TO: Mutex<Option<&str>> = Mutex::new(None);

#[derive(Clone, Model)]
#[model(name = "cinema:seat")]
struct Seat {
    id: u32,
    sold_to: Option<&'static str>,
}

impl Seat {
    fn load(id: u32) -> Self {
        Self { id, sold_to: *SOLD_TO.lock().unwrap_or_else(PoisonError::into_inner) }
    }

    fn save(&self) {
        *SOLD_TO.lock().unwrap_or_else(PoisonError::into_inner) = self.sold_to;
    }

    /// Under `cinema:seat:pk:12`, with what the row holds now and not with what it held when it was looked up.
    #[lock_model(refresh)]
    fn sell_to(&mut self, name: &'static str) -> Result<()> {
        if let Some(owner) = self.sold_to {
            return Err(format!("seat {} is {owner}'s already", self.id).into());
        }
        self.sold_to = Some(name);
        thread::yield_now(); // whoever came in now would not see it yet
        self.save();
        Ok(())
    }
}

impl Refresh for Seat {
    type Error = lock::Error;

    fn refresh(&mut self) -> Result<(), lock::Error> {
        *self = Self::load(self.id);
        Ok(())
    }
}

fn main() -> Result<()> {
    let both_have_looked = Barrier::new(2);
    let clerk = |name: &'static str| {
        let mut seat = Seat::load(12);
        both_have_looked.wait();
        println!("{name:<5} saw seat 12 {}", if seat.sold_to.is_none() { "free" } else { "taken" });
        let outcome = seat.sell_to(name);
        println!(
            "{name:<5} {}",
            outcome.as_ref().map_or_else(ToString::to_string, |()| "bought it".to_owned())
        );
        outcome.is_ok()
    };
    let bought = thread::scope(|scope| {
        let clerks = ["Ada", "Bob"].map(|name| scope.spawn(move || clerk(name)));
        clerks.map(|clerk| clerk.join().unwrap_or(false))
    });

    let times = bought.iter().filter(|bought| **bought).count();
    match times {
        1 => println!("seat 12 was sold once, to {:?}", Seat::load(12).sold_to.unwrap_or("nobody")),
        _ => return Err(format!("seat 12 was sold {times} times").into()),
    }
    Ok(())
}
