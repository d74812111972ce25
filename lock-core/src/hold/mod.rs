//! What a guard has in its hands: a turn of this process's queue, or a lease of a backend.

mod hand_over;
mod in_process;
mod leased;
mod release;

use std::{sync::Arc, time::Duration};

pub(crate) use self::{
    hand_over::Kept,
    in_process::InProcess,
    leased::{Leased, Phase},
    release::{give_back, give_back_again},
};
use crate::{
    acquire::Caller,
    error::Result,
    lease::{FencingToken, Owner, Ttl},
    lock::Target,
    signal::Signal,
};

/// See the [module](self).
pub(crate) enum Hold {
    InProcess(InProcess),
    Leased(Arc<Leased>),
}

impl Hold {
    pub(crate) fn target(&self) -> &Arc<Target> {
        match self {
            Self::InProcess(hold) => &hold.target,
            Self::Leased(hold) => &hold.target,
        }
    }

    pub(crate) fn fencing_token(&self) -> FencingToken {
        match self {
            Self::InProcess(hold) => hold.turn,
            Self::Leased(hold) => hold.lease.fencing_token,
        }
    }

    pub(crate) fn owner(&self) -> Owner {
        match self {
            Self::InProcess(hold) => hold.owner(),
            Self::Leased(hold) => hold.tell_owner(),
        }
    }

    pub(crate) fn remaining(&self) -> Duration {
        match self {
            Self::InProcess(hold) => hold.remaining(),
            Self::Leased(hold) => hold.remaining(),
        }
    }

    pub(crate) fn is_held(&self) -> bool {
        match self {
            Self::InProcess(hold) => hold.is_held(),
            Self::Leased(hold) => hold.is_held(),
        }
    }

    /// It was given back, as opposed to lost.
    pub(crate) fn is_released(&self) -> bool {
        match self {
            Self::InProcess(hold) => hold.is_over(),
            Self::Leased(hold) => hold.is_released(),
        }
    }

    /// What fires when it is lost; `None` if it is over.
    pub(crate) fn signal(&self) -> Option<Arc<Signal>> {
        match self {
            Self::InProcess(hold) => hold.signal(),
            // Nobody would fire it in a forked child.
            Self::Leased(hold) if hold.is_inherited() => None,
            Self::Leased(hold) => Some(Arc::clone(hold.lost())),
        }
    }

    pub(crate) async fn extend(&self, ttl: Ttl) -> Result<()> {
        match self {
            Self::InProcess(hold) => hold.extend(ttl),
            Self::Leased(hold) => hold.extend(ttl).await,
        }
    }

    pub(crate) async fn release(&self, caller: Caller) -> Result<()> {
        match self {
            Self::InProcess(hold) => hold.release(),
            Self::Leased(hold) => hold.release(caller).await,
        }
    }

    /// Gives it back where nobody can be told that this failed.
    #[inline]
    pub(crate) fn release_now(&self, caller: Caller) {
        match self {
            Self::InProcess(hold) => hold.release_now(),
            Self::Leased(hold) => hold.release_now(caller),
        }
    }

    /// Lets go of it without giving it back: it ends by its ttl.
    pub(crate) fn detach(&self, caller: Caller) {
        match self {
            Self::InProcess(hold) => hold.detach(),
            Self::Leased(hold) => hold.detach(caller),
        }
    }
}
