//! Every shape of a sync function.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt::{self, Display};
use std::io;
use std::time::Duration;

use lock::prelude::*;
use lock::{lock, lock_model};

/// An alias of a result.
pub type Answer<T> = Result<T, lock::Error>;

#[lock]
fn own_path() {}

#[lock("plain")]
fn plain() {}

#[lock("user:{user_id}")]
fn captured(user_id: u64) -> u64 {
    user_id
}

#[lock("{}:{}", pair.0, pair.1 + 1, wait = "1s")]
fn positional(pair: (u8, u8)) -> Answer<u8> {
    Ok(pair.0)
}

#[lock("{region:>4}:{0:?}:{kind:02x}", name, kind = pair.0)]
fn specs(name: String, region: &str, pair: (u8, u8)) -> String {
    name + region + &pair.1.to_string()
}

#[lock("{}", shared)]
fn a_value_named_like_an_option(shared: u8) -> u8 {
    shared
}

#[lock(key = name)]
fn key_expression(name: String) -> String {
    name
}

#[lock(key = format!("k:{name}"))]
fn longer_key_expression(name: &str) -> usize {
    name.len()
}

#[lock(
    "everything",
    wait = Duration::from_secs(1),
    ttl = 30,
    renew = false,
    retry = 0.1,
    using = locker,
    guard = lease,
    otherwise = |error| error.to_string()
)]
fn every_option(locker: &lock::Locker) -> String {
    lease.key().to_owned()
}

#[lock("early", blocking = false)]
fn early(stop: bool) -> Result<u8, io::Error> {
    if stop {
        return Ok(1);
    }
    let number: u8 = "7".parse().map_err(io::Error::other)?;
    Ok(number)
}

#[lock("boxed")]
fn boxed_error(text: &str) -> Result<u8, Box<dyn std::error::Error>> {
    Ok(text.parse()?)
}

#[lock("sent")]
fn boxed_error_to_send(text: &str) -> Result<u8, Box<dyn std::error::Error + Send + Sync + 'static>> {
    Ok(text.parse()?)
}

#[lock("generic")]
fn generic<T, const N: usize>(values: &[T; N]) -> Vec<T>
where
    T: Clone,
{
    values.to_vec()
}

#[lock("error")]
fn generic_error<E: From<lock::Error>>() -> Result<(), E> {
    Ok(())
}

#[lock("longest")]
fn longest<'a>(one: &'a str, other: &'a str) -> &'a str {
    if one.len() > other.len() { one } else { other }
}

#[lock("borrowed")]
fn first(values: &mut Vec<u8>) -> Option<&mut u8> {
    values.push(1);
    values.first_mut()
}

#[lock("opaque")]
fn opaque(values: &[u8]) -> impl Iterator<Item = u8> + '_ {
    values.iter().copied().filter(|value| *value > 1)
}

#[lock("closure")]
fn returns_a_closure() -> impl Fn(&str) -> usize {
    |text| text.len()
}

#[lock("inside")]
fn opaque_inside(fail: bool) -> Result<impl Display, lock::Error> {
    if fail {
        return Ok("a");
    }
    Ok("b")
}

#[lock("argument")]
fn opaque_argument(values: impl IntoIterator<Item = u8>) -> u8 {
    values.into_iter().sum()
}

#[lock("object")]
fn object(number: u8) -> Box<dyn Display> {
    Box::new(number)
}

#[lock("factory")]
fn factory() -> Box<dyn Fn(u8) -> u8> {
    Box::new(|number| number + 1)
}

#[lock("patterns:{a}")]
fn patterns((a, mut b): (u8, u8), [c, ..]: [u8; 3], _: u8) -> u8 {
    b += 1;
    a + b + c
}

#[lock("mutable:{count}")]
fn mutable(mut count: u8) -> u8 {
    count += 1;
    count
}

#[lock("moved:{name}")]
fn moved(name: String) {
    drop(name);
}

#[lock("never", otherwise = |_| std::process::exit(2))]
fn never_with_otherwise() -> ! {
    std::process::exit(0)
}

#[lock("never")]
fn never() -> ! {
    std::process::exit(0)
}

#[lock("endless")]
fn endless() {
    loop {
        std::hint::spin_loop();
    }
}

#[lock("tail")]
fn tail_temporaries(cell: &RefCell<Vec<u8>>) -> usize {
    cell.borrow().len()
}

#[lock("recursive:{depth}")]
fn recursive(depth: u8) -> u8 {
    if depth == 0 { 0 } else { recursive(depth - 1) + 1 }
}

#[lock("cow")]
fn elided(text: &str) -> Cow<'_, str> {
    Cow::Borrowed(text)
}

#[lock("inner")]
fn inner_attributes() -> i32 {
    #![allow(clippy::cast_possible_truncation)]
    300_i64 as i32
}

#[lock("answer", blocking = false)]
fn alias() -> Answer<()> {
    Ok(())
}

#[lock("extern")]
extern "C" fn foreign(number: u8) -> u8 {
    number
}

#[lock("one")]
#[lock("two")]
fn stacked() -> u8 {
    1
}

#[lock("pushes")]
fn pushes(values: &mut Vec<u8>, mut more: Vec<u8>) {
    more.push(1);
    values.append(&mut more);
}

#[lock("option")]
fn option(text: &str) -> Option<u8> {
    let first = text.chars().next()?;
    u8::try_from(first).ok()
}

#[lock("call")]
fn only_calls() -> String {
    String::new()
}

/// A macro that writes guarded functions.
macro_rules! guarded {
    ($name:ident, $argument:ident, $type:ty) => {
        #[lock("from a macro:{}", $argument)]
        fn $name($argument: $type) -> $type {
            $argument
        }
    };
}
guarded!(from_a_macro, argument, u8);

/// A macro that hands fragments on.
macro_rules! fragments {
    ($key:literal, $wait:expr, $blocking:literal, $lease:ident, $type:ty) => {
        #[lock($key, wait = $wait, renew = $blocking, guard = $lease)]
        fn fragments() -> $type {
            Ok($lease.key().len())
        }
    };
}
fragments!("fragments", "1s", false, lease, Answer<usize>);

fn fallback(error: impl Display) -> String {
    error.to_string()
}

#[lock("fallback", wait = 0.5, otherwise = fallback)]
fn otherwise_by_name() -> String {
    String::new()
}

/// Something that is made under a lock.
pub trait Make: Sized {
    /// Makes it.
    ///
    /// # Errors
    /// Whatever the locker reports.
    #[lock]
    fn make(name: &str) -> Result<Self, lock::Error>
    where
        Self: Default,
    {
        let _ = name;
        Ok(Self::default())
    }
}

impl Make for u8 {}

/// Something with methods.
#[derive(Debug, Model)]
#[model(name = "shop:shape", pk = number)]
pub struct Shape<T> {
    number: u64,
    name: String,
    inner: T,
}

impl<T: Clone> Shape<T> {
    #[lock]
    fn own_path(&self) -> u64 {
        self.number
    }

    #[lock("shape:{self.number}")]
    fn by_reference(&self) -> &str {
        &self.name
    }

    #[lock("shape:{self.number}:{}", self.name)]
    fn by_mutable_reference(&mut self) -> &mut T {
        self.number += 1;
        &mut self.inner
    }

    #[lock("shape:{self.number}:{name}")]
    fn by_value(self, name: &str) -> T {
        let _ = name;
        self.inner
    }

    #[lock]
    fn new(inner: T) -> Self {
        Self { number: 1, name: String::new(), inner }
    }

    #[lock("shape:{Self::KIND}")]
    fn constant(self: Box<Self>) -> Result<Box<Self>, lock::Error> {
        Ok(self)
    }

    const KIND: &'static str = "kind";

    #[lock_model]
    fn model(&self) {}

    #[lock_model("name", "number", blocking = false)]
    fn model_fields(&self) -> Answer<()> {
        Ok(())
    }

    #[lock_model(fields = ["name"], name = "other")]
    fn model_named(self) -> T {
        self.inner
    }

    #[lock_model(field = "name", refresh, wait = "1s", guard = lease)]
    fn model_refreshed(&mut self) -> Result<u64, lock::Error> {
        self.number += lease.key().len() as u64;
        Ok(self.number)
    }

    #[lock_model(refresh)]
    fn model_refreshed_by_value(mut self) -> Result<T, lock::Error> {
        self.number += 1;
        Ok(self.inner)
    }
}

impl<T> Refresh for Shape<T> {
    type Error = lock::Error;

    fn refresh(&mut self) -> Result<(), lock::Error> {
        self.number += 1;
        Ok(())
    }
}

impl<T> Display for Shape<T> {
    #[lock("display", otherwise = |_| Err(fmt::Error))]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// A trait with a default method.
pub trait Work {
    /// Guarded for every implementor.
    #[lock]
    fn work(&self) -> u8 {
        1
    }
}

impl<T> Work for Shape<T> {}
impl Work for [u8] {}

/// Blocks in a function.
///
/// # Errors
/// Whatever the locker reports.
pub fn blocks(id: u8, stop: bool) -> Result<u8, lock::Error> {
    let mut total = 0;
    for _ in 0..3 {
        total += lock!("block:{id}", wait = "1s", {
            if stop {
                break;
            }
            id
        })?;
    }
    let length = lock!("guard", |guard| guard.key().len())?;
    let card = lock!("card", < let one = 1; if one > 0 { one } else { 2 } >)?;
    let given = lock!("{}", id, |_| {
        if stop {
            return Ok(1);
        }
        lock("nested").try_acquire()?.is_some()
    })?;
    lock!(key = format!("{id}"), guard = lease, { drop(lease.key().to_owned()) })?;
    let mut shape = Shape { number: 1, name: String::new(), inner: () };
    lock_model!(shape, { shape.number += 1 })?;
    lock_model!(shape, "name", blocking = false, { shape.number += 1 })?;
    lock_model!(shape, field = "name", refresh, |guard| { shape.number += guard.key().len() as u64 })?;
    lock_model!(&shape, {})?;
    let same = lock!("same", { id })?;
    let _: u8 = lock!("same", |_guard| id)?;
    if same > 4 {
        return lock!("returns", { return Ok(1) });
    }
    Ok(total + card + u8::from(length > 3) + u8::from(given))
}

/// Uses them all.
pub fn all() {
    let (_, _, _, _) = (own_path as fn(), plain as fn(), endless as fn(), recursive as fn(u8) -> u8);
    let _: (fn() -> !, fn() -> !) = (never, never_with_otherwise);
    let _ = (captured(1), mutable(1), stacked(), alias(), inner_attributes(), foreign(1), from_a_macro(1));
    let _ = (positional((1, 2)), specs(String::new(), "", (1, 2)), a_value_named_like_an_option(1));
    let _ = (key_expression(String::new()), longer_key_expression(""), early(true), boxed_error("1"));
    let _ = (boxed_error_to_send("1"), generic(&[1, 2]), generic_error::<lock::Error>(), longest("", "a"));
    let _ =
        (first(&mut Vec::new()), opaque(&[1]).count(), returns_a_closure()(""), opaque_inside(true).is_ok());
    let _ = (
        opaque_argument([1]),
        object(1).to_string(),
        factory()(1),
        patterns((1, 2), [1, 2, 3], 1),
        elided(""),
    );
    let _ = (tail_temporaries(&RefCell::default()), every_option as fn(&lock::Locker) -> String);
    moved(String::new());
    let _ = (fragments(), otherwise_by_name(), u8::make(""));
    pushes(&mut Vec::new(), Vec::new());
    let _ = (option(""), only_calls());
    let mut shape = Shape::new(1_u8);
    shape.model();
    let _ =
        (shape.own_path(), shape.by_reference().len(), shape.model_fields(), shape.work(), [1_u8][..].work());
    let _ = (*shape.by_mutable_reference(), shape.model_refreshed(), shape.to_string());
    let _ =
        (Shape::new(1).by_value(""), Box::new(Shape::new(1)).constant().is_ok(), Shape::new(1).model_named());
    let _ = Shape::new(1).model_refreshed_by_value();
}
