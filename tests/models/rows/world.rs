//! All there is at one moment, and what happens when a request is executed or an answer is heard.

use std::collections::{BTreeSet, VecDeque};

use super::table::{BLOCK, Mistake, TTL, Table, Told, WINDOW};

pub(crate) type Tick = u8;
pub(crate) type Token = u16;

/// How long who waits sleeps at most.
const LONGEST_SLEEP: Tick = 3;

/// An acquisition: the client, and its how manieth it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Owner(pub(crate) u8, u8);

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) now: Tick,
    pub(crate) table: Table,
    pub(crate) clients: Vec<Client>,
    pub(crate) under_way: BTreeSet<Message>,
    pub(crate) deaths: u8,
    pub(crate) seen: Seen,
}

/// What the promises are judged by; nobody in the model knows of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::struct_excessive_bools, reason = "each is an independent fact")]
pub(crate) struct Seen {
    /// Of the tokens that were given, also for hand-overs inside the process.
    highest: Option<Token>,
    pub(crate) went_back: bool,
    /// One who was in line, and not late, came after another.
    pub(crate) overtaken: bool,
    /// For how long the key has been free while somebody waited.
    pub(crate) idle: Tick,
    pub(crate) died: u8,
    pub(crate) passed_over: bool,
    pub(crate) pruned: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Client {
    pub(crate) doing: Doing,
    pub(crate) begun: u8,
    pub(crate) asked: u8,
    pub(crate) renewals: u8,
    /// What is announced to it, in the order in which it was.
    pub(crate) coming: VecDeque<Tick>,
    /// What it has heard, and not read.
    mail: Option<Tick>,
    /// It has got in line.
    stood: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Doing {
    #[default]
    Nothing,
    /// For that, and since then.
    Asking(Ask, Tick),
    /// To look then.
    Waiting(Tick),
    Holding {
        token: Token,
        deadline: Tick,
    },
    Dead,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Ask {
    Acquire,
    StandInLine,
    Look,
    /// Whether it is ours already.
    Confirm,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Message {
    Ask(Owner, Ask, Tick),
    Renew(Owner, Tick),
    Release(Owner),
    LeaveLine(Owner),
    /// With the token, if it was granted or confirmed.
    Answered(Owner, Ask, Tick, Option<Token>),
    /// `None`: the key may be had.
    Refused(Owner, Ask, Tick, Option<Told>),
    Renewed(Owner, Tick, bool),
}

impl Client {
    pub(crate) const fn believes(&self, now: Tick) -> bool {
        matches!(self.doing, Doing::Holding { deadline, .. } if now < deadline)
    }

    pub(crate) const fn waits(&self) -> bool {
        matches!(self.doing, Doing::Asking(..) | Doing::Waiting(_))
    }

    fn wait(&mut self, now: Tick, free_in: Tick, mistake: Option<Mistake>) {
        let free_in = self.mail.take().unwrap_or(free_in);
        let sleeps = free_in.min(LONGEST_SLEEP);
        let never = mistake == Some(Mistake::NoTimer) && free_in > 0;
        self.doing = Doing::Waiting(if never { Tick::MAX } else { now + sleeps });
    }
}

impl World {
    pub(crate) fn owner(&self, at: u8) -> Owner {
        Owner(at, self.clients[usize::from(at)].begun)
    }

    pub(crate) fn ask(&mut self, at: u8, ask: Ask) {
        let (owner, now) = (self.owner(at), self.now);
        self.clients[usize::from(at)].doing = Doing::Asking(ask, now);
        self.under_way.insert(Message::Ask(owner, ask, now));
    }

    /// Ends what a client does, however it stands; it may have the lock, or a place in line.
    pub(crate) fn leave(&mut self, at: u8) {
        let owner = self.owner(at);
        let client = &mut self.clients[usize::from(at)];
        (client.doing, client.mail, client.stood) = (Doing::Nothing, None, false);
        self.under_way.extend([Message::LeaveLine(owner), Message::Release(owner)]);
    }

    pub(crate) fn release(&mut self, at: u8) {
        let owner = self.owner(at);
        self.clients[usize::from(at)].doing = Doing::Nothing;
        self.under_way.insert(Message::Release(owner));
    }

    pub(crate) fn pass_time(&mut self) {
        let free = self.table.0.as_ref().is_none_or(|row| row.expires <= self.now);
        let idle = free && self.clients.iter().any(Client::waits);
        self.seen.idle = if idle { self.seen.idle + 1 } else { 0 };
        self.now += 1;
    }

    /// All who listen hear of a key that is free; who is first looks, the others when his time is over.
    fn announce(&mut self, named: &[Owner], mistake: Option<Mistake>) {
        if mistake == Some(Mistake::TellsNobody) || named.is_empty() {
            return;
        }
        for at in (0..).take(self.clients.len()) {
            let owner = self.owner(at);
            let free_in = match named.iter().position(|named| *named == owner) {
                Some(0) => 0,
                Some(_) => WINDOW,
                None => 2 * WINDOW,
            };
            let client = &mut self.clients[usize::from(at)];
            if client.waits() {
                client.coming.push_back(free_in);
            }
        }
    }

    fn grants(&mut self, owner: Owner, token: Token, before: Option<&[Owner]>) {
        self.seen.went_back |= self.seen.highest.is_some_and(|highest| token <= highest);
        self.seen.highest = self.seen.highest.max(Some(token + BLOCK - 1));
        let ahead = before.unwrap_or_default().iter().take_while(|waits| **waits != owner);
        let alive = ahead.filter(|waits| {
            let client = &self.clients[usize::from(waits.0)];
            client.waits() && self.owner(waits.0) == **waits
        });
        // While it was kept for him.
        self.seen.overtaken |= alive.count() > 0;
    }

    /// A request is executed.
    pub(crate) fn execute(&mut self, message: Message, mistake: Option<Mistake>) {
        self.under_way.remove(&message);
        let now = self.now;
        match message {
            Message::Ask(owner, Ask::Acquire, sent) => {
                let kept = self.table.0.as_ref().filter(|row| row.expires + WINDOW > now);
                let line = kept.map(|row| row.line.clone());
                let was_first =
                    |row: &super::table::Row| row.line.first().is_some_and(|first| *first != owner);
                let passes = line.is_none() && self.table.0.as_ref().is_some_and(was_first);
                let token = self.table.acquire(owner, now, mistake);
                if let Some(token) = token {
                    self.seen.passed_over |= passes;
                    self.grants(owner, token, line.as_deref());
                }
                self.under_way.insert(Message::Answered(owner, Ask::Acquire, sent, token));
            }
            Message::Ask(owner, Ask::Confirm, sent) => {
                let token = self.table.renew(owner, now);
                self.under_way.insert(Message::Answered(owner, Ask::Confirm, sent, token));
            }
            Message::Ask(owner, ask, sent) => {
                let told = if ask == Ask::Look {
                    self.table.look(owner, now)
                } else {
                    self.table.stand_in_line(owner, now, mistake)
                };
                self.under_way.insert(Message::Refused(owner, ask, sent, told));
            }
            Message::Renew(owner, sent) => {
                let done = self.table.renew(owner, now).is_some();
                self.under_way.insert(Message::Renewed(owner, sent, done));
            }
            Message::Release(owner) => {
                let named = self.table.release(owner, now, mistake);
                self.announce(&named.unwrap_or_default(), mistake);
            }
            Message::LeaveLine(owner) => {
                let named = self.table.leave_line(owner, now);
                self.announce(&named.unwrap_or_default(), mistake);
            }
            _ => {}
        }
    }

    /// An answer or an announcement is heard.
    pub(crate) fn hear(&mut self, message: Message, mistake: Option<Mistake>) {
        self.under_way.remove(&message);
        let at = message.owner().0;
        let now = self.now;
        let client = &mut self.clients[usize::from(at)];
        match (message, client.doing) {
            (Message::Answered(_, _, sent, Some(token)), _) => {
                let from = if mistake == Some(Mistake::DeadlineFromAnswer) { now } else { sent };
                (client.mail, client.stood, client.renewals) = (None, false, 0);
                // What took as long as the lease lasts is over.
                if now < from + TTL {
                    client.doing = Doing::Holding { token, deadline: from + TTL };
                } else {
                    self.leave(at);
                }
            }
            (Message::Answered(_, Ask::Acquire, _, None), _) => {
                let next = if client.stood { Ask::Look } else { Ask::StandInLine };
                client.stood = true;
                self.ask(at, next);
            }
            (Message::Answered(..) | Message::Refused(_, _, _, None), _) => self.ask(at, Ask::Acquire),
            (Message::Refused(_, ask, _, Some(told)), _) => match told {
                Told { own: true, .. } => self.ask(at, Ask::Confirm),
                // Passed over.
                Told { in_line: false, .. } if ask == Ask::Look => self.ask(at, Ask::StandInLine),
                Told { free_in, .. } => client.wait(now, free_in, mistake),
            },
            (Message::Renewed(_, sent, done), Doing::Holding { token, deadline }) => {
                if !done {
                    return self.release(at);
                }
                let from = if mistake == Some(Mistake::DeadlineFromAnswer) { now } else { sent };
                if now < deadline {
                    client.doing = Doing::Holding { token, deadline: deadline.max(from + TTL) };
                }
            }
            _ => {}
        }
    }

    /// An announcement is heard.
    pub(crate) fn is_told(&mut self, at: u8, mistake: Option<Mistake>) {
        let now = self.now;
        let client = &mut self.clients[usize::from(at)];
        let Some(free_in) = client.coming.pop_front() else { return };
        // That it is time to look is not forgotten for a hint of when it may be.
        client.mail = if client.mail == Some(0) { Some(0) } else { Some(free_in) };
        if matches!(client.doing, Doing::Waiting(look) if look > now) {
            client.wait(now, free_in, mistake);
        }
    }

    /// Answers that nobody waits for any more change nothing: they are the same as lost.
    pub(crate) fn tidy(&mut self) {
        let Self { clients, under_way, .. } = self;
        clients.iter_mut().filter(|client| !client.waits()).for_each(|client| client.coming.clear());
        under_way.retain(|message| {
            let Owner(at, number) = message.owner();
            let client = &clients[usize::from(at)];
            let its = client.begun == number;
            match *message {
                Message::Answered(_, ask, sent, _) | Message::Refused(_, ask, sent, _) => {
                    its && client.doing == Doing::Asking(ask, sent)
                }
                Message::Renewed(..) => its && matches!(client.doing, Doing::Holding { .. }),
                _ => true,
            }
        });
    }
}

impl Message {
    pub(crate) const fn owner(&self) -> Owner {
        match *self {
            Self::Ask(owner, ..)
            | Self::Renew(owner, _)
            | Self::Release(owner)
            | Self::LeaveLine(owner)
            | Self::Answered(owner, ..)
            | Self::Refused(owner, ..)
            | Self::Renewed(owner, ..) => owner,
        }
    }

    pub(crate) const fn is_request(&self) -> bool {
        matches!(self, Self::Ask(..) | Self::Renew(..) | Self::Release(_) | Self::LeaveLine(_))
    }
}
