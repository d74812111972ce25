//! All there is at one moment, and what happens when a message arrives or the server fails.

use std::collections::BTreeSet;

use super::{
    client::{Client, Doing},
    mistakes::Mistake,
    server::{At, Lock, Said, Server},
    words::{Message, Owner, Tick, Token},
};

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) now: Tick,
    pub(crate) server: Server,
    pub(crate) clients: Vec<Client>,
    pub(crate) under_way: BTreeSet<Message>,
    /// What the server was when it was copied last.
    pub(crate) copy: Option<Server>,
    /// How many more times the server may fail, and a client die.
    pub(crate) failures: u8,
    pub(crate) deaths: u8,
    pub(crate) seen: Seen,
}

/// What the promises are judged by; nobody in the model knows of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Seen {
    /// The highest token that was granted, or handed over.
    pub(crate) highest: Token,
    /// One was not higher than those before.
    pub(crate) went_back: bool,
    /// Whose lease the server forgot, or cut short, while it lasted: a bit for each owner.
    pub(crate) forgotten: u16,
}

impl World {
    pub(crate) fn has_forgotten(&self, owner: Owner) -> bool {
        self.seen.forgotten & owner.bit() != 0
    }

    /// Whether somebody, or a message that is under way, may still have to do with an acquisition.
    pub(crate) fn is_about(&self, owner: Owner) -> bool {
        let client = self.clients.get(usize::from(owner.client));
        client.is_some_and(|client| client.is_about(owner))
            || self.under_way.iter().any(|message| message.owner() == owner)
    }

    pub(crate) fn pass_time(&mut self) {
        self.now += 1;
        self.server.expire(self.now);
    }

    /// The server has only what it is given. That takes time, as every start of a server does.
    pub(crate) fn fail(&mut self, restored: Server) {
        let before = std::mem::replace(&mut self.server, restored);
        self.copy = None;
        self.failures -= 1;
        self.pass_time();
        let kept = |lock: &Lock| {
            self.server.lock.is_some_and(|now| now.owner == lock.owner && now.expires >= lock.expires)
        };
        if let Some(lock) = before.lock.filter(|lock| lock.expires > self.now && !kept(lock)) {
            self.seen.forgotten |= lock.owner.bit();
        }
    }

    /// A token is given to whoever has the lease now.
    pub(crate) fn grants(&mut self, token: Token) {
        self.seen.went_back |= token <= self.seen.highest;
        self.seen.highest = self.seen.highest.max(token);
    }

    /// The next token of its block is given to the next in a process.
    ///
    /// A lease that the server has forgotten may go on being handed over until its deadline. Its tokens are then below
    /// those of its successor, which is what they are for; only the same one must not be given out twice.
    pub(crate) fn hands_over(&mut self, token: Token, owner: Owner) {
        if !self.has_forgotten(owner) || token == self.seen.highest {
            self.grants(token);
        }
    }

    pub(crate) fn send(&mut self, messages: impl IntoIterator<Item = Message>) {
        self.under_way.extend(messages);
    }

    /// A request is executed, or an answer is heard.
    pub(crate) fn arrive(&mut self, message: Message, deaf: bool, mistake: Option<Mistake>) {
        self.under_way.remove(&message);
        if !message.is_request() {
            let now = self.now;
            let heard = self.clients.get_mut(usize::from(message.owner().client));
            let replies = heard.map(|client| client.hear(message, now, mistake));
            self.send(replies.unwrap_or_default());
            return;
        }
        let mut at = At { now: self.now, server: &mut self.server, mistake, deaf };
        match message {
            Message::Acquire(ask) => {
                let said = at.acquire(ask);
                let answer = match said {
                    Said::Granted { token, reserved, again } => {
                        if !again {
                            self.grants(token);
                        }
                        Message::Granted { ask, token, reserved }
                    }
                    Said::Held { left } => Message::Held { ask, left },
                };
                self.send([answer]);
            }
            Message::Renew { owner, sent, ttl } => {
                let answer = if at.renew(owner, ttl) {
                    Message::Renewed { owner, sent, ttl }
                } else {
                    Message::NotYours { owner, sent }
                };
                self.send([answer]);
            }
            Message::Adopt { owner, sent } => {
                let answer = match at.adopt(owner) {
                    Some((token, new)) => {
                        if new || token > self.seen.highest {
                            self.grants(token);
                        }
                        Message::Adopted { owner, sent, token }
                    }
                    None => Message::NotYours { owner, sent },
                };
                self.send([answer]);
            }
            Message::Release(owner) => {
                let told = at.release(owner);
                self.send(told.map(Message::Yours));
            }
            Message::GiveUp(owner) => {
                let told = at.give_up(owner);
                self.send(told.map(Message::Yours));
            }
            _ => {}
        }
    }

    /// Answers that nobody waits for any more change nothing: they are the same as lost.
    pub(crate) fn tidy(&mut self) {
        let Self { clients, under_way, .. } = self;
        under_way.retain(|message| {
            message.is_request() || clients[usize::from(message.owner().client)].expects(message)
        });
    }

    /// Nothing is under way, and nobody has to do anything before time goes on.
    pub(crate) fn is_quiet(&self) -> bool {
        let due = |client: &Client| match client.doing {
            Doing::Asking { .. } => true,
            Doing::Waiting { look, .. } => look <= self.now,
            _ => false,
        };
        self.under_way.is_empty() && !self.clients.iter().any(due)
    }
}
