//! What can go wrong.

use std::{error::Error as StdError, fmt, io, sync::Arc, time::Duration};

use crate::{fencing::Stale, key::Key, lease::Holder};

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a lock was not had, or is no longer.
///
/// ```
/// use lock_core::{Error, Locker};
///
/// let locker = Locker::open("memory://doc-error")?;
/// let _held = locker.lock("report").acquire()?;
/// let error = locker.lock("report").blocking(false).acquire().unwrap_err();
/// assert!(error.is_locked());
/// assert_eq!(error.key(), Some("lock:report"));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Somebody else holds it, and the call was not to wait.
    #[error("lock {key:?} is held by somebody else{}", told(.holder.as_deref()))]
    #[non_exhaustive]
    Locked {
        /// The key, prefix included.
        key: Key,
        /// Who holds it, where the backend could tell.
        holder: Option<Box<Holder>>,
    },
    /// It was not free within the time to wait.
    #[error("lock {key:?} was not free within {waited:?}{}", told(.holder.as_deref()))]
    #[non_exhaustive]
    Timeout {
        /// The key, prefix included.
        key: Key,
        /// The time that was to be waited.
        waited: Duration,
        /// Who held it at the last look, where the backend could tell.
        holder: Option<Box<Holder>>,
    },
    /// It was held, and is not any more: expired, taken away, or out of contact for too long.
    #[error("lock {key:?} was lost: its lease ended while it was held")]
    #[non_exhaustive]
    Lost {
        /// The key, prefix included.
        key: Key,
    },
    /// It is no longer held, as what it was to write to found out: a [fenced](crate::fencing) write was refused.
    #[error(transparent)]
    Stale(#[from] Stale),
    /// The calling thread or task holds it already, and would wait for itself.
    #[error("lock {key:?} is already held by this very call; waiting for it would never end")]
    #[non_exhaustive]
    WouldDeadlock {
        /// The key, prefix included.
        key: Key,
    },
    /// The key cannot be one.
    #[error("{key:?} cannot be a key: {reason}")]
    #[non_exhaustive]
    InvalidKey {
        /// What was given, cut short where it is long.
        key: String,
        /// What is wrong with it, and what is accepted.
        reason: String,
    },
    /// A setting, a URL or an environment variable is wrong.
    #[error("{reason}")]
    #[non_exhaustive]
    Config {
        /// What was given and what is accepted, without secrets.
        reason: String,
    },
    /// The backend cannot do this.
    #[error("{reason}")]
    #[non_exhaustive]
    Unsupported {
        /// What, and why not.
        reason: String,
    },
    /// The store failed or could not be reached.
    #[error("could not {operation} lock {key:?}: {source}")]
    #[non_exhaustive]
    Backend {
        /// The key, or the prefix where the operation was about all keys.
        key: Key,
        /// What was being done.
        operation: &'static str,
        /// What the store, its client or the operating system said.
        source: Arc<dyn StdError + Send + Sync>,
        /// Whether the same call may work later.
        retryable: bool,
    },
}

impl Error {
    /// The key that it is about, prefix included.
    pub fn key(&self) -> Option<&str> {
        match self {
            Self::Locked { key, .. }
            | Self::Timeout { key, .. }
            | Self::Lost { key }
            | Self::WouldDeadlock { key }
            | Self::Backend { key, .. } => Some(key.as_str()),
            Self::InvalidKey { key, .. } => Some(key),
            Self::Stale(_) | Self::Config { .. } | Self::Unsupported { .. } => None,
        }
    }

    /// Somebody else has it: [`Error::Locked`] or [`Error::Timeout`].
    pub const fn is_locked(&self) -> bool {
        matches!(self, Self::Locked { .. } | Self::Timeout { .. })
    }

    /// It was held and is no longer: [`Error::Lost`] or [`Error::Stale`].
    pub const fn is_lost(&self) -> bool {
        matches!(self, Self::Lost { .. } | Self::Stale(_))
    }

    /// The same call may succeed later.
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Locked { .. } | Self::Timeout { .. } | Self::Lost { .. } | Self::Stale(_) => true,
            Self::Backend { retryable, .. } => *retryable,
            _ => false,
        }
    }

    /// Who holds it, where the backend could tell.
    pub fn holder(&self) -> Option<&Holder> {
        match self {
            Self::Locked { holder, .. } | Self::Timeout { holder, .. } => holder.as_deref(),
            _ => None,
        }
    }

    /// A wrong setting; for the facade and for backends.
    #[doc(hidden)]
    pub fn config(reason: impl fmt::Display) -> Self {
        Self::Config { reason: reason.to_string() }
    }

    /// A lost lease; for expansions.
    #[doc(hidden)]
    pub fn lost(key: &str) -> Self {
        Self::Lost { key: Key::from(key) }
    }

    /// Something a backend cannot do; for backends.
    #[doc(hidden)]
    pub fn unsupported(reason: impl fmt::Display) -> Self {
        Self::Unsupported { reason: reason.to_string() }
    }

    pub(crate) fn invalid_key(key: &str, reason: &str) -> Self {
        Self::InvalidKey { key: excerpt(key), reason: reason.to_owned() }
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::Locked { .. } => io::ErrorKind::WouldBlock,
            Error::Timeout { .. } => io::ErrorKind::TimedOut,
            Error::WouldDeadlock { .. } => io::ErrorKind::Deadlock,
            Error::InvalidKey { .. } | Error::Config { .. } => io::ErrorKind::InvalidInput,
            Error::Unsupported { .. } => io::ErrorKind::Unsupported,
            Error::Lost { .. } | Error::Stale(_) | Error::Backend { .. } => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}

fn told(holder: Option<&Holder>) -> String {
    holder.map_or_else(String::new, |holder| format!(" ({})", holder.whereabouts()))
}

/// The beginning of a text that may be long.
pub(crate) fn excerpt(text: &str) -> String {
    const SHOWN: usize = 80;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}… ({} bytes)", &text[..end], text.len()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_io_error_keeps_ours_inside() {
        let error: io::Error = Error::Lost { key: Key::from("k") }.into();
        let ours = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
        assert!(ours.is_some_and(Error::is_lost));
    }

    #[test]
    fn an_error_is_small_enough_to_return() {
        assert!(size_of::<Error>() <= 72, "{}", size_of::<Error>());
    }
}
