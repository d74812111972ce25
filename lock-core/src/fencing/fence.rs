//! The checker: what has been admitted, and what is refused because of it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::lease::FencingToken;

/// The highest fencing token that a store of one's own has seen.
///
/// It belongs under the same lock as what it protects: between a check and a write that are two steps, a successor
/// may write. [`Fenced`] is the two in one; [`Fence`] is for a store that has a lock already, or a fence per entry.
///
/// ```
/// use std::collections::HashMap;
///
/// use lock_core::{FencingToken, fencing::{Fence, Stale}};
///
/// /// A store with a fence for each entry.
/// #[derive(Default)]
/// struct Stock(HashMap<u32, (Fence, u64)>);
///
/// impl Stock {
///     fn put(&mut self, article: u32, count: u64, token: FencingToken) -> Result<(), Stale> {
///         let (fence, stored) = self.0.entry(article).or_default();
///         fence.admit(token)?;
///         *stored = count;
///         Ok(())
///     }
/// }
///
/// let mut stock = Stock::default();
/// stock.put(7, 10, 34)?;
/// stock.put(7, 9, 34)?; // again under the same lease
/// let refused = stock.put(7, 8, 33).unwrap_err();
/// assert_eq!(refused.to_string(), "fencing token 33 is stale: 34 has been there already, so its lease is over");
/// # Ok::<(), Stale>(())
/// ```
///
/// It is kept over a restart as the number that it is: `FencingToken::from(fence)`, `Fence::from(34)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Fence(FencingToken);

impl Fence {
    /// One that has seen no token.
    pub const fn new() -> Self {
        Self(0)
    }

    /// Takes note of a token that is not lower than any before; the same one may come again and again.
    ///
    /// # Errors
    /// [`Stale`] for a lower one.
    pub const fn admit(&mut self, token: FencingToken) -> Result<(), Stale> {
        if token < self.0 {
            return Err(Stale { token, highest: Some(self.0) });
        }
        self.0 = token;
        Ok(())
    }

    /// The highest token admitted; 0 before the first.
    pub const fn highest(self) -> FencingToken {
        self.0
    }
}

impl From<FencingToken> for Fence {
    /// One that has seen this token.
    fn from(highest: FencingToken) -> Self {
        Self(highest)
    }
}

impl From<Fence> for FencingToken {
    fn from(fence: Fence) -> Self {
        fence.0
    }
}

/// A value with its fence, for threads: a stale holder neither changes it nor sees it.
///
/// ```
/// use lock_core::{Locker, fencing::Fenced};
///
/// let seats = Fenced::new(10_u32);
/// let lock = Locker::open("memory://doc-fenced")?.lock("seats");
///
/// let late = lock.acquire()?;
/// lock.force_release()?; // as if its lease had ended
/// let guard = lock.acquire()?;
/// seats.write(guard.fencing_token(), |free| *free -= 1)?;
///
/// let refused = seats.write(late.fencing_token(), |free| *free = 0).unwrap_err();
/// assert!(lock_core::Error::from(refused).is_lost());
/// assert_eq!(seats.read(|free| *free), 9);
/// # Ok::<(), lock_core::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Fenced<T>(Mutex<(Fence, T)>);

impl<T> Fenced<T> {
    /// A value that no token has written yet.
    pub const fn new(value: T) -> Self {
        Self::restored(value, Fence::new())
    }

    /// A value with the fence it had before a restart.
    pub const fn restored(value: T, fence: Fence) -> Self {
        Self(Mutex::new((fence, value)))
    }

    /// Admits the token and runs `write`, with nobody in between. To read what is to be written depends on, read it
    /// here: from then on, no lower token changes it.
    ///
    /// `write` must not come back to this value, which it has to itself. If it panics, what it wrote stays.
    ///
    /// # Errors
    /// [`Stale`] if a higher token has been admitted; `write` has not run.
    pub fn write<R>(&self, token: FencingToken, write: impl FnOnce(&mut T) -> R) -> Result<R, Stale> {
        let (fence, value) = &mut *self.open();
        fence.admit(token)?;
        Ok(write(value))
    }

    /// Reads without a token, as it is now.
    pub fn read<R>(&self, read: impl FnOnce(&T) -> R) -> R {
        read(&self.open().1)
    }

    /// What it has admitted so far.
    pub fn fence(&self) -> Fence {
        self.open().0
    }

    fn open(&self) -> MutexGuard<'_, (Fence, T)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A write was refused, since a holder with a higher fencing token has been there: the lease of this one is over.
///
/// As a [`lock::Error`](crate::Error), it [is a loss](crate::Error::is_lost).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("fencing token {token} is stale: {} has been there already, so its lease is over", told(*.highest))]
#[non_exhaustive]
pub struct Stale {
    /// The token that was refused.
    pub token: FencingToken,
    /// The highest that was admitted, where the store tells.
    pub highest: Option<FencingToken>,
}

impl Stale {
    /// For a store that refuses without saying why, as `UPDATE … WHERE fence <= ?` that changes no row.
    pub const fn new(token: FencingToken) -> Self {
        Self { token, highest: None }
    }
}

fn told(highest: Option<FencingToken>) -> String {
    highest.map_or_else(|| "a higher one".to_owned(), |highest| highest.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_token_is_admitted_again_and_a_lower_one_never() {
        let mut fence = Fence::new();
        assert_eq!(fence.admit(5), Ok(()));
        assert_eq!(fence.admit(5), Ok(()));
        assert_eq!(fence.admit(4), Err(Stale { token: 4, highest: Some(5) }));
        assert_eq!(fence.admit(9), Ok(()));
        assert_eq!(
            Fence::from(FencingToken::from(fence)).admit(8).map_err(|stale| stale.highest),
            Err(Some(9))
        );
    }

    #[test]
    fn a_refusal_names_what_is_known() {
        assert!(Stale::new(4).to_string().starts_with("fencing token 4 is stale: a higher one has"));
    }

    #[test]
    fn a_panic_in_a_write_leaves_the_fence_raised_and_the_value_usable() {
        let fenced = Fenced::new(1);
        let writing = std::panic::AssertUnwindSafe(|| fenced.write(7, |_| panic!("on purpose")));
        assert!(std::panic::catch_unwind(writing).is_err());
        assert!(fenced.write(6, |value| *value = 2).is_err());
        assert_eq!((fenced.read(|value| *value), fenced.fence().highest()), (1, 7));
    }
}
