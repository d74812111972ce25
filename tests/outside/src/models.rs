//! `#[derive(Model)]` and `#[lock_model]`.

use lock::{Model, Refresh, RefreshAsync, lock_model};

use crate::{AppError, block_on};

#[derive(Model)]
#[model(name = "shop:order", pk = id)]
struct Order {
    id: u64,
    bar: String,
    first_name: String,
    last_name: String,
    settled: bool,
}

impl Refresh for Order {
    type Error = AppError;

    fn refresh(&mut self) -> Result<(), AppError> {
        "reloaded".clone_into(&mut self.bar);
        Ok(())
    }
}

impl RefreshAsync for Order {
    type Error = AppError;

    async fn refresh(&mut self) -> Result<(), AppError> {
        "reloaded".clone_into(&mut self.bar);
        Ok(())
    }
}

impl Order {
    #[lock_model]
    fn lock_pk(&self) -> Option<lock::Holder> {
        lock::lock("shop:order:pk:7").holder().ok().flatten()
    }

    #[lock_model(field = "bar", blocking = false)]
    fn lock_bar(&self) -> Result<(), lock::Error> {
        Ok(())
    }

    #[lock_model("first_name", "last_name")]
    fn rename(&mut self) {
        std::mem::swap(&mut self.first_name, &mut self.last_name);
    }

    #[lock_model(name = "foo:another_lock", refresh)]
    async fn settle(&mut self) -> Result<(), AppError> {
        self.settled = self.bar == "reloaded";
        Ok(())
    }
}

pub fn run() -> Result<(), AppError> {
    let mut order = Order {
        id: 7,
        bar: "abc".to_owned(),
        first_name: "Ada".to_owned(),
        last_name: "Byron".to_owned(),
        settled: false,
    };
    assert!(order.lock_pk().is_some(), "the key is shop:order:pk:7");
    order.lock_bar()?;
    order.rename();
    assert_eq!(order.first_name, "Byron");
    block_on(order.settle())?;
    assert!(order.settled, "reloaded under the lock");

    let guard = lock_model(&order).field("bar").acquire()?;
    assert!(guard.key().ends_with("shop:order:bar:reloaded"));
    Ok(())
}
