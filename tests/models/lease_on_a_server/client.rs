//! A client: the search of `lock-core/src/acquire/search.rs`, and the hold of `lock-core/src/hold/leased.rs`.
//!
//! A client that is paused is one that takes no step for a while; it believes for as long as the clock says.

use super::{
    mistakes::Mistake,
    words::{Ask, MARGIN, Message, NEVER, Owner, TTL, Tick, Token},
};

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Client {
    /// Acquisitions begun.
    pub(crate) begun: u8,
    pub(crate) doing: Doing,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Doing {
    #[default]
    Nothing,
    /// A request is under way. `told`: that the lock is his, meanwhile.
    Asking { ask: Ask, told: bool, search: Search },
    /// Was refused, and looks again at `look`.
    Waiting { ask: Ask, look: Tick, search: Search },
    /// Was told the owner of a lease that was given away, and takes it over. It stands for another process here.
    Adopting { owner: Owner, sent: Tick },
    /// Has a guard.
    Holding(Hold),
    /// Died, or was stopped for ever.
    Killed,
}

/// What has come of an acquisition so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Search {
    /// The server may have it in line, and its process listens for it.
    pub(crate) in_line: bool,
    /// A request was given up before its answer came.
    pub(crate) doubtful: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Hold {
    pub(crate) token: Token,
    /// How many tokens are left of the block.
    pub(crate) more: u8,
    /// When the request was sent that was granted.
    pub(crate) since: Tick,
    pub(crate) deadline: Tick,
    /// When the renewal was sent whose answer is to come.
    pub(crate) renewing: Option<Tick>,
    pub(crate) renewals: u8,
}

impl Client {
    /// Who it is in its latest acquisition.
    pub(crate) const fn owner(&self, client: u8) -> Owner {
        Owner { client, round: self.begun.saturating_sub(1) }
    }

    /// Whether its guard says `is_held()`.
    pub(crate) const fn believes(&self, now: Tick) -> bool {
        matches!(self.doing, Doing::Holding(hold) if now < hold.deadline)
    }

    /// Whether it has to do with this acquisition still.
    pub(crate) fn is_about(&self, owner: Owner) -> bool {
        self.owner(owner.client) == owner && !matches!(self.doing, Doing::Nothing | Doing::Killed)
    }

    /// Asks, for the first time or again.
    pub(crate) fn ask(&mut self, mut ask: Ask, mut search: Search, mistake: Option<Mistake>) -> Message {
        ask.known = search.in_line && (ask.waits || mistake != Some(Mistake::LeftInLine));
        search.in_line |= ask.waits;
        self.doing = Doing::Asking { ask, told: false, search };
        Message::Acquire(ask)
    }

    /// Goes away before it was granted anything. What it leaves behind is cleaned up.
    pub(crate) fn give_up(&mut self, owner: Owner) -> Vec<Message> {
        let (search, unanswered) = match self.doing {
            Doing::Asking { search, .. } => (search, true),
            Doing::Waiting { search, .. } => (search, false),
            // The lease ends by its ttl.
            Doing::Adopting { .. } => {
                self.doing = Doing::Nothing;
                return Vec::new();
            }
            _ => return Vec::new(),
        };
        self.doing = Doing::Nothing;
        let leaves = search.in_line.then_some(Message::GiveUp(owner));
        let releases = (search.doubtful || unanswered).then_some(Message::Release(owner));
        leaves.into_iter().chain(releases).collect()
    }

    /// Whether it still waits for an answer; a push is always heard.
    pub(crate) fn expects(&self, message: &Message) -> bool {
        match (message, &self.doing) {
            (_, Doing::Killed) => false,
            (Message::Granted { ask, .. } | Message::Held { ask, .. }, doing) => {
                matches!(doing, Doing::Asking { ask: asked, .. } if ask == asked)
            }
            (
                Message::Renewed { owner, sent, .. } | Message::NotYours { owner, sent },
                Doing::Holding(hold),
            ) => self.is_about(*owner) && hold.renewing == Some(*sent),
            (
                Message::Adopted { owner, sent, .. } | Message::NotYours { owner, sent },
                Doing::Adopting { owner: adopted, sent: asked },
            ) => owner == adopted && sent == asked,
            (message, _) => matches!(message, Message::Yours(_)),
        }
    }

    /// A message that it expects arrives. Returns what is sent at once.
    pub(crate) fn hear(&mut self, message: Message, now: Tick, mistake: Option<Mistake>) -> Vec<Message> {
        let owner = message.owner();
        let waits = self.is_about(owner);
        match (message, &mut self.doing) {
            (Message::Granted { ask, token, reserved }, Doing::Asking { search, .. }) => {
                let from = if mistake == Some(Mistake::DeadlineFromAnswer) { now } else { ask.sent };
                let deadline = from + TTL - MARGIN;
                self.doing = if now < deadline {
                    let since = ask.sent;
                    let more = reserved - 1;
                    Doing::Holding(Hold { token, more, since, deadline, renewing: None, renewals: 0 })
                } else {
                    // Nothing is left of it: asked again, by its owner.
                    Doing::Waiting { ask, look: now, search: Search { doubtful: true, ..*search } }
                };
            }
            (Message::Held { ask, left }, Doing::Asking { told, search, .. }) => {
                let look = match *told {
                    true => now,
                    false if mistake == Some(Mistake::NoTimer) => NEVER,
                    false => now.saturating_add(left),
                };
                let search = *search;
                self.doing = Doing::Waiting { ask, look, search };
                if !ask.waits {
                    // That was the last attempt.
                    return self.give_up(owner);
                }
            }
            (Message::Renewed { sent, ttl, .. }, Doing::Holding(hold)) => {
                hold.renewing = None;
                if now < hold.deadline {
                    hold.deadline = hold.deadline.max(sent + ttl - MARGIN);
                }
            }
            (Message::Adopted { sent, token, .. }, _) => {
                let deadline = sent + TTL - MARGIN;
                let hold = Hold { token, more: 0, since: sent, deadline, renewing: None, renewals: 0 };
                self.doing = if now < deadline { Doing::Holding(hold) } else { Doing::Nothing };
            }
            (Message::NotYours { .. }, Doing::Adopting { .. }) => self.doing = Doing::Nothing,
            (Message::NotYours { .. }, Doing::Holding(_)) => {
                self.doing = Doing::Nothing;
                return vec![Message::Release(owner)];
            }
            (Message::Yours(_), Doing::Asking { told, search, .. }) if waits && search.in_line => {
                *told = true;
            }
            (Message::Yours(_), Doing::Waiting { look, search, .. }) if waits && search.in_line => {
                *look = now;
            }
            // Passed on to somebody who does not wait any more.
            (Message::Yours(_), _) => return vec![Message::GiveUp(owner)],
            _ => {}
        }
        Vec::new()
    }
}
