//! Models.

use lock::prelude::*;
use lock::{Guard, lock_model};

use crate::{LOCKER, is_locked};

#[derive(Model)]
#[model(name = "shop:order", pk = id)]
struct Order {
    id: u64,
    bar: String,
    /// Without a text form.
    tags: Vec<u8>,
}

fn order() -> Order {
    Order { id: 7, bar: "abc".to_owned(), tags: vec![1] }
}

fn key(guard: &Guard) -> String {
    let key = guard.key();
    key.strip_prefix("lock:").unwrap_or(key).to_owned()
}

#[derive(Debug, PartialEq)]
enum AppError {
    Locked,
    Gone,
}

impl From<lock::Error> for AppError {
    fn from(_: lock::Error) -> Self {
        Self::Locked
    }
}

#[derive(Debug)]
struct Gone;

impl From<Gone> for AppError {
    fn from(_: Gone) -> Self {
        Self::Gone
    }
}

impl Refresh for Order {
    type Error = Gone;

    fn refresh(&mut self) -> Result<(), Gone> {
        if self.tags.is_empty() {
            return Err(Gone);
        }
        "reloaded".clone_into(&mut self.bar);
        Ok(())
    }
}

impl RefreshAsync for Order {
    type Error = Gone;

    async fn refresh(&mut self) -> Result<(), Gone> {
        tokio::task::yield_now().await;
        Refresh::refresh(self)
    }
}

impl Order {
    #[lock_model(using = LOCKER, guard = guard)]
    fn by_pk(&self) -> String {
        let _ = self;
        key(guard)
    }

    #[lock_model(field = "bar", blocking = false, using = LOCKER, guard = guard)]
    fn by_field(&self) -> Result<String, lock::Error> {
        let _ = self;
        Ok(key(guard))
    }

    #[lock_model("id", "bar", using = LOCKER, guard = guard)]
    fn by_fields(&self) -> String {
        let _ = self;
        key(guard)
    }

    #[lock_model(fields = ["bar"], name = "foo:another_lock", using = LOCKER, guard = guard)]
    fn by_another_name(self) -> String {
        let _ = self;
        key(guard)
    }

    #[lock_model(field = "nothing", using = LOCKER)]
    fn by_no_field(&self) -> Result<(), lock::Error> {
        let _ = self;
        Ok(())
    }

    #[lock_model(field = "tags", using = LOCKER)]
    fn by_no_text(&self) -> Result<(), lock::Error> {
        let _ = self;
        Ok(())
    }

    #[lock_model(field = "bar", refresh, using = LOCKER)]
    fn reloaded(&mut self) -> Result<String, AppError> {
        assert!(is_locked("shop:order:bar:abc"));
        Ok(self.bar.clone())
    }

    #[lock_model(refresh, using = LOCKER)]
    async fn reloaded_async(&mut self) -> Result<String, AppError> {
        assert!(is_locked("shop:order:pk:7"));
        Ok(self.bar.clone())
    }

    #[lock_model(name = "not reloaded", using = LOCKER)]
    fn as_it_is(&mut self) -> String {
        self.bar.clone()
    }
}

#[test]
fn a_model_by_primary_key_by_field_by_several_and_under_another_name() {
    assert_eq!(order().by_pk(), "shop:order:pk:7");
    assert_eq!(order().by_field().unwrap(), "shop:order:bar:abc");
    assert_eq!(order().by_fields(), "shop:order:id:7:bar:abc");
    assert_eq!(order().by_another_name(), "foo:another_lock:bar:abc");
}

#[test]
fn a_value_of_a_field_is_escaped() {
    let order = Order { bar: "a:b".to_owned(), ..order() };
    assert_eq!(order.by_field().unwrap(), "shop:order:bar:a%3Ab");
}

#[test]
fn an_unknown_field_is_an_error_that_lists_the_known() {
    let error = order().by_no_field().unwrap_err().to_string();
    assert!(error.contains("`nothing`") && error.contains("`bar`"), "{error}");
    let error = order().by_no_text().unwrap_err().to_string();
    assert!(error.contains("`tags`") && error.contains("text form"), "{error}");
}

#[test]
fn a_reload_comes_after_the_lock_and_before_the_body() {
    assert_eq!(order().reloaded().unwrap(), "reloaded");
    assert_eq!(order().as_it_is(), "abc");
}

#[test]
fn the_error_of_a_reload_is_the_calls_and_the_lock_is_released() {
    let mut order = Order { tags: Vec::new(), bar: "abc".to_owned(), id: 70 };
    assert_eq!(order.reloaded(), Err(AppError::Gone));
    assert!(!is_locked("shop:order:bar:abc"));
}

#[tokio::test]
async fn an_async_method_is_reloaded_asynchronously() {
    assert_eq!(order().reloaded_async().await.unwrap(), "reloaded");
    let mut order = Order { tags: Vec::new(), bar: String::new(), id: 71 };
    assert_eq!(order.reloaded_async().await, Err(AppError::Gone));
    assert!(!is_locked("shop:order:pk:71"));
}

/// What a model is reloaded from, where that is an argument: a connection.
struct Source(Result<&'static str, ()>);

impl Order {
    fn load(&mut self, source: &mut Source) -> Result<(), Gone> {
        assert!(is_locked(&format!("shop:order:pk:{}", self.id)));
        source.0.map_err(|()| Gone)?.clone_into(&mut self.bar);
        Ok(())
    }

    async fn load_async(&mut self, source: &mut Source) -> Result<(), Gone> {
        tokio::task::yield_now().await;
        self.load(source)
    }

    #[lock_model(refresh = self.load(source), using = LOCKER)]
    fn reloaded_by(&mut self, source: &mut Source) -> Result<usize, AppError> {
        source.0 = Err(());
        Ok(self.bar.len())
    }

    /// The argument is the reload's alone.
    #[lock_model(refresh = self.load(&mut source), using = LOCKER)]
    fn reloaded_by_its_own(mut self, mut source: Source) -> Result<String, AppError> {
        Ok(self.bar)
    }

    #[lock_model(refresh = self.load_async(source), using = LOCKER)]
    async fn reloaded_by_async(&mut self, source: &mut Source) -> Result<usize, AppError> {
        source.0 = Err(());
        Ok(self.bar.len())
    }

    #[lock_model(refresh = self.load_async(source), using = LOCKER)]
    fn reloaded_by_in_a_future(
        &mut self,
        source: &mut Source,
    ) -> impl Future<Output = Result<usize, AppError>> {
        async move { Ok(self.bar.len()) }
    }
}

#[tokio::test]
async fn a_model_is_reloaded_from_an_argument() {
    let mut order = Order { id: 73, ..order() };
    let mut source = Source(Ok("from there"));
    assert_eq!(order.reloaded_by(&mut source), Ok(10));
    assert_eq!(order.reloaded_by(&mut source), Err(AppError::Gone));
    source.0 = Ok("again");
    assert_eq!(order.reloaded_by_async(&mut source).await, Ok(5));
    assert_eq!(order.reloaded_by_async(&mut source).await, Err(AppError::Gone));
    assert!(!is_locked("shop:order:pk:73"));
    source.0 = Ok("in a future");
    assert_eq!(order.reloaded_by_in_a_future(&mut source).await, Ok(11));

    source.0 = Ok("in a block");
    let block = lock_model!(order, refresh = order.load(&mut source), using = LOCKER, { order.bar.len() });
    assert_eq!(block.unwrap(), 10);
    source.0 = Ok("later");
    let block = lock_model!(order, refresh = order.load_async(&mut source), using = LOCKER, async {
        order.bar.len()
    });
    assert_eq!(block.await.unwrap(), 5);
    source.0 = Err(());
    assert!(lock_model!(order, refresh = order.load(&mut source), using = LOCKER, { 1 }).is_err());
    assert!(!is_locked("shop:order:pk:73"));
    assert_eq!(order.reloaded_by_its_own(Source(Ok("and gone"))).unwrap(), "and gone");
}

#[test]
fn a_model_as_a_block() {
    let mut order = order();
    order.id = 8;
    let found = lock_model!(order, using = LOCKER, |guard| key(guard)).unwrap();
    assert_eq!(found, "shop:order:pk:8");
    let field =
        lock_model!(&order, field = "bar", name = "block", blocking = false, using = LOCKER, |guard| key(
            guard
        ));
    assert_eq!(field.unwrap(), "block:bar:abc");
    lock_model!(order, using = LOCKER, { order.bar.push('d') }).unwrap();
    assert_eq!(order.bar, "abcd");
}

impl From<Gone> for lock::Error {
    fn from(_: Gone) -> Self {
        Self::config("the order is gone")
    }
}

impl Order {
    /// A block on a borrow that was handed in.
    fn settle(&mut self) -> Result<usize, lock::Error> {
        lock_model!(self, refresh, using = LOCKER, { self.bar.len() })
    }
}

#[tokio::test]
async fn a_block_reloads_its_model_when_asked() {
    let mut order = Order { id: 72, ..order() };
    assert_eq!(lock_model!(order, using = LOCKER, { order.bar.clone() }).unwrap(), "abc");
    assert_eq!(lock_model!(order, refresh, using = LOCKER, { order.bar.clone() }).unwrap(), "reloaded");
    order.bar.clear();
    let reloaded = lock_model!(order, refresh, using = LOCKER, async { order.bar.len() }).await;
    assert_eq!(reloaded.unwrap(), 8);
    assert_eq!(order.settle().unwrap(), 8);
    assert_eq!(lock_model!(&mut order, refresh, using = LOCKER, { 1 }).unwrap(), 1);
    order.tags.clear();
    assert!(order.settle().is_err());
    assert!(!is_locked("shop:order:pk:72"));
}

#[test]
fn a_model_as_a_lock() {
    crate::install();
    let mut order = order();
    order.id = 9;
    let lock = lock_model(&order).field("bar").name("as a lock");
    let guard = lock.acquire().unwrap();
    assert!(lock::lock("as a lock:bar:abc").is_locked().unwrap());
    guard.release().unwrap();
    assert!(lock_model(&order).field("nothing").blocking(false).acquire().is_err());
    assert!(lock_model(&order).name("as a lock").try_acquire().unwrap().is_some());
}
