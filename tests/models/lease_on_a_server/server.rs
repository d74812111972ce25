//! The server: what its scripts (`lock-core/src/backends/redis/scripts`) do, each in one step.

use super::{
    mistakes::Mistake,
    words::{Ask, CLAIM, NEVER, Owner, TOKENS_A_TICK, TTL, Tick, Token},
};

/// What is stored. All of it is lost, or put back to what it was some time ago, when the server fails.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Server {
    pub(crate) lock: Option<Lock>,
    pub(crate) record: Option<Record>,
    pub(crate) line: Vec<Owner>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Lock {
    pub(crate) owner: Owner,
    pub(crate) expires: Tick,
}

/// The highest token that was given out, and how many of them are whose. 0: passed on to him, and not claimed yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Record {
    pub(crate) last: Token,
    pub(crate) reserved: u8,
    pub(crate) of: Owner,
}

/// The answer to who asks for the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Granted { token: Token, reserved: u8, again: bool },
    Held { left: Tick },
}

/// The server as of one moment.
pub(crate) struct At<'a> {
    pub(crate) server: &'a mut Server,
    pub(crate) now: Tick,
    pub(crate) mistake: Option<Mistake>,
    /// The first in line does not hear that the lock is his.
    pub(crate) deaf: bool,
}

impl Server {
    pub(crate) fn expire(&mut self, now: Tick) {
        self.lock = self.lock.filter(|lock| lock.expires > now);
    }

    pub(crate) fn is_unclaimed(&self, owner: Owner) -> bool {
        self.record.is_some_and(|record| record.of == owner && record.reserved == 0)
    }

    fn is_of(&self, owner: Owner) -> bool {
        self.lock.is_some_and(|lock| lock.owner == owner)
    }
}

impl At<'_> {
    fn makes(&self, mistake: Mistake) -> bool {
        self.mistake == Some(mistake)
    }

    /// `free.lua` and `taken.lua`: also a claim, and a request whose answer was lost.
    pub(crate) fn acquire(&mut self, ask: Ask) -> Said {
        let until = self.now + TTL;
        let again = match self.server.lock {
            Some(lock) if lock.owner != ask.owner => {
                if ask.waits && !self.server.line.contains(&ask.owner) {
                    self.server.line.push(ask.owner);
                }
                return Said::Held { left: lock.expires.saturating_sub(self.now) };
            }
            lock => lock,
        };
        let kept =
            again.map(|lock| lock.expires).filter(|at| *at != NEVER && !self.makes(Mistake::Shortened));
        let expires = kept.map_or(until, |at| at.max(until));
        self.server.lock = Some(Lock { owner: ask.owner, expires });
        if ask.known {
            self.server.line.retain(|owner| *owner != ask.owner);
        }
        match self.server.record.filter(|record| record.of == ask.owner && record.reserved > 0) {
            Some(record) if again.is_some() => {
                let reserved = if self.makes(Mistake::OtherCount) { ask.reserve } else { record.reserved };
                Said::Granted { token: record.last + 1 - record.reserved, reserved, again: true }
            }
            _ => self.grant(ask),
        }
    }

    /// `grant.lua`.
    fn grant(&mut self, ask: Ask) -> Said {
        let next = self.server.record.map_or(1, |record| match record.reserved.checked_sub(1) {
            Some(others) if self.makes(Mistake::BlockIgnored) => record.last - others + 1,
            _ => record.last + 1,
        });
        let token = if self.makes(Mistake::PlainCounter) { next } else { next.max(self.now * TOKENS_A_TICK) };
        let last = token + ask.reserve - 1;
        self.server.record = Some(Record { last, reserved: ask.reserve, of: ask.owner });
        Said::Granted { token, reserved: ask.reserve, again: false }
    }

    /// `adopt.lua`. The token, and whether it is a new one; `None`: it is not his.
    pub(crate) fn adopt(&mut self, owner: Owner) -> Option<(Token, bool)> {
        if !self.renew(owner, TTL) {
            return None;
        }
        match &mut self.server.record {
            Some(record) if record.of == owner && record.reserved > 0 => {
                record.reserved = 1;
                Some((record.last, false))
            }
            _ => {
                match self.grant(Ask { owner, number: 0, sent: 0, reserve: 1, waits: false, known: false }) {
                    Said::Granted { token, .. } => Some((token, true)),
                    Said::Held { .. } => None,
                }
            }
        }
    }

    /// `renew.lua`. Whether it was his.
    pub(crate) fn renew(&mut self, owner: Owner, ttl: Tick) -> bool {
        let until = self.now + ttl;
        if self.makes(Mistake::RenewalSets) {
            self.server.lock = Some(Lock { owner, expires: until });
            return true;
        }
        match &mut self.server.lock {
            Some(lock) if lock.owner == owner => {
                lock.expires = lock.expires.max(until);
                true
            }
            _ => false,
        }
    }

    /// `release.lua`. Returns who is told that the lock is his now.
    pub(crate) fn release(&mut self, owner: Owner) -> Option<Owner> {
        if self.server.is_of(owner) || self.makes(Mistake::ReleaseOfAnybodys) { self.pass_on() } else { None }
    }

    /// `give_up.lua`.
    pub(crate) fn give_up(&mut self, owner: Owner) -> Option<Owner> {
        self.server.line.retain(|waiting| *waiting != owner);
        let left_behind = self.makes(Mistake::GrantLeftBehind);
        let his = self.server.is_of(owner) && self.server.is_unclaimed(owner);
        if his && !left_behind { self.pass_on() } else { None }
    }

    /// `pass_on.lua`.
    fn pass_on(&mut self) -> Option<Owner> {
        if self.deaf && !self.server.line.is_empty() {
            self.server.line.remove(0);
        }
        if self.server.line.is_empty() {
            self.server.lock = None;
            return None;
        }
        let owner = self.server.line.remove(0);
        let expires = if self.makes(Mistake::GrantLeftBehind) { NEVER } else { self.now + CLAIM };
        let last = self.server.record.map_or(0, |record| record.last);
        self.server.lock = Some(Lock { owner, expires });
        self.server.record = Some(Record { last, reserved: 0, of: owner });
        Some(owner)
    }
}
