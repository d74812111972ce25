//! What the model counts in, and what travels.

/// A moment, in ticks. Short, so that all of a lease's life fits into a few of them.
pub(crate) type Tick = u8;

/// How long a lease lasts.
pub(crate) const TTL: Tick = 3;
/// How long an extended one lasts.
pub(crate) const LONG: Tick = 5;
/// What a holder stays short of the end of its lease.
pub(crate) const MARGIN: Tick = 1;
/// How long a lock that was passed on lasts until it is claimed.
pub(crate) const CLAIM: Tick = 1;
/// What never comes.
pub(crate) const NEVER: Tick = Tick::MAX;

/// A fencing token.
pub(crate) type Token = u8;

/// How many tokens the server's clock goes on in a tick: more than are given out in one.
pub(crate) const TOKENS_A_TICK: Token = 16;

/// Who acquires: a client, and which of its acquisitions it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Owner {
    pub(crate) client: u8,
    pub(crate) round: u8,
}

impl Owner {
    /// One bit for each.
    pub(crate) const fn bit(self) -> u16 {
        1 << (self.client * 4 + self.round)
    }
}

/// The request to acquire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Ask {
    pub(crate) owner: Owner,
    /// Which of the requests of this acquisition it is.
    pub(crate) number: u8,
    pub(crate) sent: Tick,
    /// How many tokens to reserve.
    pub(crate) reserve: u8,
    /// Stands in line if it is refused.
    pub(crate) waits: bool,
    /// May stand in line already.
    pub(crate) known: bool,
}

/// What is under way between a client and the server. Each may arrive late, in any order, or never.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Message {
    // Requests.
    Acquire(Ask),
    Renew { owner: Owner, sent: Tick, ttl: Tick },
    Release(Owner),
    GiveUp(Owner),
    Adopt { owner: Owner, sent: Tick },
    // Answers.
    Granted { ask: Ask, token: Token, reserved: u8 },
    Held { ask: Ask, left: Tick },
    Renewed { owner: Owner, sent: Tick, ttl: Tick },
    Adopted { owner: Owner, sent: Tick, token: Token },
    NotYours { owner: Owner, sent: Tick },
    // A push.
    Yours(Owner),
}

impl Message {
    pub(crate) const fn owner(self) -> Owner {
        match self {
            Self::Acquire(ask) | Self::Granted { ask, .. } | Self::Held { ask, .. } => ask.owner,
            Self::Renew { owner, .. }
            | Self::Renewed { owner, .. }
            | Self::Adopt { owner, .. }
            | Self::Adopted { owner, .. }
            | Self::NotYours { owner, .. }
            | Self::Release(owner)
            | Self::GiveUp(owner)
            | Self::Yours(owner) => owner,
        }
    }

    /// Whether it is the server who gets it.
    pub(crate) const fn is_request(self) -> bool {
        matches!(
            self,
            Self::Acquire(_) | Self::Renew { .. } | Self::Release(_) | Self::GiveUp(_) | Self::Adopt { .. }
        )
    }
}
