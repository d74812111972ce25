//! The server, the clients, and what travels between them.

use std::collections::BTreeSet;

/// A moment, in ticks of a server's second.
pub(crate) type Tick = u8;

/// How long a lease lasts.
pub(crate) const TTL: Tick = 2;
/// How long its item lives, by the server's clock: that may be a tick behind.
pub(crate) const LIFE: Tick = TTL + 1;
/// How many tokens the clock goes on in a tick, and between two requests: more than are given out meanwhile.
const TOKENS_A_TICK: u8 = 40;
const TOKENS_A_REQUEST: u8 = 4;

/// Mistakes to build into the protocol, each of which the promises must catch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mistake {
    /// The token is taken before the lock.
    TokenFirst,
    /// What is removed is what the CAS number of the grant says.
    RememberedCas,
    /// A CAS number is used on another connection than it was read on.
    OtherConnection,
    /// A renewal lets live whatever is there.
    Touch,
    /// Grants and renewals are believed in whatever the server's clock says.
    ClockUnchecked,
    /// An item lives as long as its lease, by the server's clock.
    NoSecondMore,
    /// Tokens count from 1 where none is known.
    PlainCounter,
    /// The clock counts only where no token is known.
    ClockOnlyAtFirst,
    /// The lock is taken by a command that removes what is there if there is no room.
    AddRemoves,
    /// A holder counts its lease from the moment at which it was told of it.
    DeadlineFromAnswer,
}

/// Who acquires, and for the how manieth time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Owner(pub(crate) u8, pub(crate) u8);

impl Owner {
    const fn bit(self) -> u8 {
        1 << (self.0 * 4 + self.1)
    }
}

/// The number that is the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Item {
    pub(crate) owner: Owner,
    pub(crate) cas: u8,
    expires: Tick,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Server {
    /// How often it has started: a connection is with one start of it.
    pub(crate) start: u8,
    last_cas: u8,
    /// What it believes the time to be.
    pub(crate) clock: Tick,
    pub(crate) lock: Option<Item>,
    pub(crate) last: Option<u8>,
    /// It stores nothing more.
    pub(crate) full: bool,
}

/// What is asked in one exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Ask {
    Take,
    /// `time`: the asker's, as a token.
    Count {
        time: u8,
    },
    /// To `keep` it, or to remove it.
    Look {
        keep: bool,
    },
    Keep {
        cas: u8,
    },
    Remove {
        cas: u8,
    },
}

/// A request, on a connection that was made to one start of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Request {
    pub(crate) owner: Owner,
    pub(crate) start: u8,
    pub(crate) sent: Tick,
    pub(crate) ask: Ask,
}

/// What is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Answer {
    pub(crate) to: Request,
    /// The server's clock, before anything else was done.
    pub(crate) clock: Tick,
    /// Whether it is the asker's, or was done.
    pub(crate) yes: bool,
    /// The CAS number, or the token.
    pub(crate) number: u8,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Hold {
    pub(crate) token: u8,
    pub(crate) deadline: Tick,
    pub(crate) renewals: u8,
}

/// What a client is about. It waits for the answer to `asked`, if to any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Doing {
    #[default]
    Nothing,
    /// `since`: when the first request was sent that counts.
    Acquiring {
        since: Tick,
        token: Option<u8>,
    },
    Holding(Hold),
    Releasing,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Client {
    /// Acquisitions begun.
    pub(crate) begun: u8,
    pub(crate) doing: Doing,
    pub(crate) asked: Option<Request>,
    /// Requests repeated.
    pub(crate) again: u8,
    /// The CAS number of its grant.
    pub(crate) remembered: u8,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) now: Tick,
    pub(crate) server: Server,
    pub(crate) clients: [Client; 2],
    pub(crate) requests: BTreeSet<Request>,
    pub(crate) answers: BTreeSet<Answer>,
    /// How many tokens were asked for.
    pub(crate) counted: u8,
    pub(crate) failures: u8,
    pub(crate) stops: u8,
    pub(crate) seen: Seen,
}

/// What the promises are judged by; nobody in the model knows of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Seen {
    highest: u8,
    pub(crate) went_back: bool,
    pub(crate) changed_anothers: bool,
    forgotten: u8,
}

impl World {
    pub(crate) fn owner(&self, client: u8) -> Owner {
        Owner(client, self.clients[usize::from(client)].begun.saturating_sub(1))
    }

    /// The clock as a token.
    pub(crate) fn time(&mut self) -> u8 {
        self.counted += 1;
        (self.now + 1) * TOKENS_A_TICK + self.counted * TOKENS_A_REQUEST
    }

    fn believers(&self) -> impl Iterator<Item = u8> {
        let believes =
            |client: &Client| matches!(client.doing, Doing::Holding(hold) if self.now < hold.deadline);
        (0..).zip(&self.clients).filter(move |(_, client)| believes(client)).map(|(at, _)| at)
    }

    /// Whoever believes excludes all others who do, as long as the server has kept his lock.
    pub(crate) fn excludes(&self) -> bool {
        self.believers().filter(|at| self.seen.forgotten & self.owner(*at).bit() == 0).count() < 2
    }

    pub(crate) fn two_believe(&self) -> bool {
        self.believers().count() > 1
    }

    pub(crate) fn a_late_one_is_replaced(&self) -> bool {
        let late =
            |client: &Client| matches!(client.doing, Doing::Holding(hold) if hold.deadline <= self.now);
        self.believers().next().is_some() && self.clients.iter().any(late)
    }

    /// Believes from now on.
    pub(crate) fn believes(&mut self, client: u8, hold: Hold) {
        let forgotten = self.seen.forgotten & self.owner(client).bit() != 0;
        if self.now < hold.deadline && (!forgotten || hold.token == self.seen.highest) {
            self.seen.went_back |= hold.token <= self.seen.highest;
            self.seen.highest = self.seen.highest.max(hold.token);
        }
        self.clients[usize::from(client)].doing = Doing::Holding(hold);
    }

    /// Time goes on, with the server's clock or without. It looks at its clock once in a tick, if it is not stopped.
    pub(crate) fn pass_time(&mut self, stopped: bool) {
        if !stopped {
            self.server.tick(self.now);
        }
        self.now += 1;
    }

    /// It starts with nothing, which takes a tick.
    pub(crate) fn restart(&mut self) {
        self.forget_lock();
        self.failures -= 1;
        self.now += 1;
        self.server = Server { start: self.server.start + 1, clock: self.now, ..Server::default() };
    }

    fn forget_lock(&mut self) {
        if let Some(lock) = self.server.lock.take() {
            self.seen.forgotten |= lock.owner.bit();
        }
    }

    /// Takes away what can change nothing any more: answers and looks that nobody waits for, and requests on connections
    /// that have ended.
    pub(crate) fn tidy(&mut self) {
        let Self { clients, answers, requests, server, .. } = self;
        let awaited = |request: &Request| clients[usize::from(request.owner.0)].asked == Some(*request);
        answers.retain(|answer| awaited(&answer.to));
        requests.retain(|request| {
            request.start == server.start && (!matches!(request.ask, Ask::Look { .. }) || awaited(request))
        });
    }

    /// A request is executed.
    pub(crate) fn execute(&mut self, request: Request, mistake: Option<Mistake>) {
        self.requests.remove(&request);
        let clock = self.server.clock;
        let owner = request.owner;
        let (yes, number) = match request.ask {
            Ask::Take => self.take(owner, mistake),
            Ask::Count { time } => (true, self.server.count(time, mistake)),
            Ask::Look { .. } => self.server.look(owner),
            Ask::Keep { cas } => {
                let touched = mistake == Some(Mistake::Touch);
                self.change(owner, touched, cas, |server, cas| {
                    server.lock = server.lock.map(|lock| Item { expires: server.clock + LIFE, cas, ..lock });
                })
            }
            Ask::Remove { cas } => self.change(owner, false, cas, |server, _| server.lock = None),
        };
        self.answers.insert(Answer { to: request, clock, yes, number });
    }

    fn take(&mut self, owner: Owner, mistake: Option<Mistake>) -> (bool, u8) {
        if self.server.full {
            if mistake == Some(Mistake::AddRemoves) {
                let removed = self.server.lock.take();
                self.seen.changed_anothers |= removed.is_some_and(|lock| lock.owner != owner);
                return (false, 0);
            }
        } else if self.server.lock.is_none_or(|lock| lock.owner == owner) {
            // His already, as an answer was lost: it is kept from now on.
            let life = if mistake == Some(Mistake::NoSecondMore) { TTL } else { LIFE };
            let expires = self.server.clock + life;
            let cas = self.server.next_cas();
            self.server.lock = Some(Item { owner, cas, expires });
        }
        self.server.look(owner)
    }

    fn change(&mut self, owner: Owner, any: bool, cas: u8, how: impl Fn(&mut Server, u8)) -> (bool, u8) {
        let Some(lock) = self.server.lock.filter(|lock| any || lock.cas == cas) else { return (false, 0) };
        self.seen.changed_anothers |= lock.owner != owner;
        let new = self.server.next_cas();
        how(&mut self.server, new);
        (true, new)
    }
}

impl Server {
    pub(crate) fn tick(&mut self, now: Tick) {
        self.clock = now;
        self.lock = self.lock.filter(|lock| lock.expires > now);
    }

    fn next_cas(&mut self) -> u8 {
        self.last_cas += 1;
        self.last_cas
    }

    fn look(&self, owner: Owner) -> (bool, u8) {
        self.lock.filter(|lock| lock.owner == owner).map_or((false, 0), |lock| (true, lock.cas))
    }

    /// The next token, not below the asker's clock.
    fn count(&mut self, time: u8, mistake: Option<Mistake>) -> u8 {
        let next = match self.last {
            None if mistake == Some(Mistake::PlainCounter) => 1,
            None => time,
            Some(last) if matches!(mistake, Some(Mistake::ClockOnlyAtFirst | Mistake::PlainCounter)) => {
                last + 1
            }
            Some(last) => (last + 1).max(time),
        };
        self.last = Some(next);
        next
    }
}
