//! The attributes and the derive, with examples that run.

/// Runs a function while this process, or this thread or task of it, has the lock to itself.
///
/// ```
/// use lock::lock;
///
/// # lock::install(lock::Config::new().url("memory://"))?;
/// #[lock("global")]
/// fn plain() {} // waits until it holds "global", runs, releases
///
/// #[lock("order:{order_id}", wait = "5s", ttl = "30s", guard = lease)]
/// fn ship(order_id: u64) -> Result<u64, lock::Error> {
///     Ok(lease.fencing_token()) // for whatever must refuse a stale holder
/// }
///
/// #[lock("report", blocking = false, otherwise = |_| false)]
/// async fn report() -> bool {
///     true // one runs, the others return false at once
/// }
///
/// plain();
/// assert!(ship(7)? > 0);
/// # drop(report());
/// # Ok::<(), lock::Error>(())
/// ```
///
/// # The manual
pub use lock_macros::lock;

/// Runs a method while the model has its lock to itself.
///
/// ```
/// use lock::{Model, lock_model};
///
/// # lock::install(lock::Config::new().url("memory://"))?;
/// #[derive(Model)]
/// #[model(name = "shop:order", pk = id)]
/// struct Order {
///     id: u64,
///     bar: String,
/// }
///
/// impl Order {
///     #[lock_model] // shop:order:pk:7
///     fn by_pk(&self) {}
///
///     #[lock_model(field = "bar", blocking = false)] // shop:order:bar:abc
///     fn by_bar(&self) -> Result<usize, lock::Error> {
///         Ok(self.bar.len())
///     }
///
///     #[lock_model(refresh = self.reload(db))] // as it is now, and nobody else changes it meanwhile
///     fn settle(&mut self, db: &mut Connection) -> Result<usize, lock::Error> {
///         Ok(self.bar.len())
///     }
///
///     fn reload(&mut self, db: &mut Connection) -> Result<(), lock::Error> {
///         self.bar = db.load(self.id)?;
///         Ok(())
///     }
/// }
///
/// # struct Connection;
/// # impl Connection {
/// #     fn load(&mut self, id: u64) -> Result<String, lock::Error> { Ok(format!("row {id}")) }
/// # }
/// let mut order = Order { id: 7, bar: "abc".to_owned() };
/// order.by_pk();
/// assert_eq!(order.by_bar()?, 3);
/// assert_eq!(order.settle(&mut Connection)?, 5);
/// # Ok::<(), lock::Error>(())
/// ```
///
/// # The manual
pub use lock_macros::lock_model;

/// Derives the trait of the same name.
///
/// ```
/// use lock::Model;
///
/// #[derive(Model)]
/// #[model(name = "shop:order", pk = number)]
/// struct Order {
///     number: u64,
/// }
///
/// assert_eq!(Order { number: 7 }.pk(), "7");
/// assert_eq!(Order::NAME, "shop:order");
/// ```
///
/// # The manual
pub use lock_macros::Model;
