//! What the expansions of the macros may name. Not part of the public surface: it changes without notice.

mod body;
mod escape;
mod keys;
mod models;
mod outcome;
mod paths;
mod using;

pub use lock_core::{Error, Guard, Key, Lock};

pub use self::body::{acquire, acquire_async, block, run, until_lost};
pub use self::escape::Escaped;
pub use self::keys::cloned;
pub use self::models::{Reload, ReloadAsync, Text, Value, model_key, model_lock, text};
pub use self::outcome::{
    Carries, CarriesError, CarriesLoss, CarriesRefresh, NoLoss, NotAFuture, Outcome, Refuse, RunsAtOnce,
    RunsUnderTheLock, cancel, keep_running, lost_or, no_future, otherwise, refuse,
};
pub use self::paths::{method_path, own_path};
pub use self::using::{Global, Using, lock};
pub use crate::model::{Model, Refresh, RefreshAsync};
