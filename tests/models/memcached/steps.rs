//! What may happen next: the model that is explored.

use stateright::{Model, Property};

use super::world::{Answer, Ask, Client, Doing, Hold, LIFE, Mistake, Owner, Request, TTL, Tick, World};

pub(crate) const EXCLUSION: &str = "no two believe to hold the lock at once";
pub(crate) const FENCING: &str = "tokens grow in the order of holds";
pub(crate) const OTHERS: &str = "nobody changes what is somebody else's";
const EXPIRED: &str = "a holder is late, and another one holds the lock";
const FORGOTTEN: &str = "two believe, as the server forgot one of them";

/// Requests under way before another acquisition begins.
const UNDER_WAY: usize = 2;

/// What is explored together: the bounds, without which there would be no end to it.
#[derive(Clone, Debug)]
pub(crate) struct Scene {
    pub(crate) name: &'static str,
    /// How many acquisitions each client begins.
    pub(crate) begins: [u8; 2],
    pub(crate) horizon: Tick,
    pub(crate) renewals: u8,
    /// How many requests a client repeats in an acquisition.
    pub(crate) again: u8,
    /// Restarts, and last tokens forgotten.
    pub(crate) failures: u8,
    /// Ticks that the server's clock leaves out.
    pub(crate) stops: u8,
    /// The server may have no room.
    pub(crate) fills: bool,
    pub(crate) mistake: Option<Mistake>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Begin(u8),
    /// The answer is not waited for any longer: asks again, on a connection of its own.
    AskAgain(u8),
    Renew(u8),
    Release(u8),
    /// Its deadline has passed, or it does not wait for an answer any longer.
    Leave(u8),
    Executed(Request),
    Answered(Answer),
    /// Time goes on; the server's clock does not, where it is stopped.
    Tick {
        stopped: bool,
    },
    /// The server looks at its clock.
    ServerTick,
    Restart,
    ForgetToken,
    Fill,
}

impl Scene {
    fn is(&self, mistake: Mistake) -> bool {
        self.mistake == Some(mistake)
    }

    fn begin(&self, world: &mut World, client: u8) {
        world.clients[usize::from(client)].doing = Doing::Acquiring { since: world.now, token: None };
        let first = if self.is(Mistake::TokenFirst) { Ask::Count { time: world.time() } } else { Ask::Take };
        ask(world, client, first, world.server.start);
    }

    /// A client hears an answer, and goes on.
    fn hear(&self, world: &mut World, Answer { to, clock, yes, number }: Answer) {
        let Owner(client, _) = to.owner;
        let at = usize::from(client);
        if world.clients[at].asked != Some(to) {
            return;
        }
        world.clients[at].asked = None;
        // From a connection of this start of the server, or else it has ended.
        let same = if self.is(Mistake::OtherConnection) { world.server.start } else { to.start };
        let stood_still = clock + 1 < to.sent && !self.is(Mistake::ClockUnchecked);
        let from = |sent| if self.is(Mistake::DeadlineFromAnswer) { world.now } else { sent };
        match (to.ask, world.clients[at].doing) {
            (Ask::Take, Doing::Acquiring { since, token }) => {
                if !yes || stood_still {
                    // What it may have left is not believed in, and runs out.
                    world.clients[at].doing = Doing::Nothing;
                    return;
                }
                world.clients[at].remembered = number;
                match token {
                    Some(token) => {
                        let deadline = from(since) + TTL;
                        world.believes(client, Hold { token, deadline, renewals: 0 });
                    }
                    None => {
                        let time = world.time();
                        ask(world, client, Ask::Count { time }, same);
                    }
                }
            }
            (Ask::Count { .. }, Doing::Acquiring { since, .. }) => {
                if self.is(Mistake::TokenFirst) {
                    world.clients[at].doing = Doing::Acquiring { since: world.now, token: Some(number) };
                    ask(world, client, Ask::Take, same);
                } else {
                    let deadline = from(since) + TTL;
                    world.believes(client, Hold { token: number, deadline, renewals: 0 });
                }
            }
            (Ask::Look { .. }, Doing::Holding(_)) if !yes => world.clients[at].doing = Doing::Nothing,
            (Ask::Look { keep: true }, Doing::Holding(_)) => {
                ask(world, client, Ask::Keep { cas: number }, same);
            }
            (Ask::Look { keep: false }, Doing::Releasing) if yes => {
                let cas = if self.is(Mistake::RememberedCas) { world.clients[at].remembered } else { number };
                ask(world, client, Ask::Remove { cas }, same);
            }
            (Ask::Keep { .. }, Doing::Holding(hold)) => {
                let kept = yes && !stood_still && world.now < hold.deadline;
                let deadline = if kept { hold.deadline.max(from(to.sent) + TTL) } else { hold.deadline };
                world.clients[at].doing = Doing::Holding(Hold { deadline, ..hold });
            }
            (Ask::Look { .. } | Ask::Remove { .. }, Doing::Releasing) => {
                world.clients[at].doing = Doing::Nothing;
            }
            _ => {}
        }
    }

    fn steps_of(&self, world: &World, at: u8, client: &Client, steps: &mut Vec<Step>) {
        match client.doing {
            Doing::Nothing => {
                // Clients are alike: they begin in their order.
                let first = at == 0 || world.clients[0].begun > 0;
                if client.begun < self.begins[usize::from(at)] && first && world.requests.len() < UNDER_WAY {
                    steps.push(Step::Begin(at));
                }
            }
            Doing::Acquiring { .. } => {
                if client.again < self.again {
                    steps.push(Step::AskAgain(at));
                }
                steps.push(Step::Leave(at));
            }
            Doing::Holding(hold) => {
                if world.now >= hold.deadline {
                    steps.push(Step::Leave(at));
                }
                if hold.renewals < self.renewals && client.asked.is_none() && world.now < hold.deadline {
                    steps.push(Step::Renew(at));
                }
                steps.push(Step::Release(at));
            }
            Doing::Releasing => steps.push(Step::Leave(at)),
        }
    }
}

fn ask(world: &mut World, client: u8, ask: Ask, start: u8) {
    let owner = world.owner(client);
    let request = Request { owner, start, sent: world.now, ask };
    world.requests.insert(request);
    world.clients[usize::from(client)].asked = Some(request);
}

impl Model for Scene {
    type State = World;
    type Action = Step;

    fn init_states(&self) -> Vec<World> {
        vec![World { failures: self.failures, stops: self.stops, ..World::default() }]
    }

    fn actions(&self, world: &World, steps: &mut Vec<Step>) {
        for (at, client) in (0..).zip(&world.clients) {
            self.steps_of(world, at, client, steps);
        }
        for request in world.requests.iter().copied() {
            steps.push(Step::Executed(request));
        }
        for answer in world.answers.iter().copied() {
            steps.push(Step::Answered(answer));
        }
        if world.now < self.horizon {
            steps.push(Step::Tick { stopped: false });
            if world.stops > 0 {
                steps.push(Step::Tick { stopped: true });
            }
            if world.failures > 0 {
                steps.push(Step::Restart);
            }
        }
        if world.server.clock < world.now {
            steps.push(Step::ServerTick);
        }
        if world.failures > 0 && world.server.last.is_some() {
            steps.push(Step::ForgetToken);
        }
        if self.fills && !world.server.full {
            steps.push(Step::Fill);
        }
    }

    fn next_state(&self, last: &World, step: Step) -> Option<World> {
        let mut world = last.clone();
        match step {
            Step::Begin(client) => {
                let beginning = &mut world.clients[usize::from(client)];
                beginning.begun += 1;
                beginning.again = 0;
                self.begin(&mut world, client);
            }
            Step::AskAgain(client) => {
                world.clients[usize::from(client)].again += 1;
                self.begin(&mut world, client);
            }
            Step::Renew(client) => {
                if let Doing::Holding(hold) = &mut world.clients[usize::from(client)].doing {
                    hold.renewals += 1;
                }
                let start = world.server.start;
                ask(&mut world, client, Ask::Look { keep: true }, start);
            }
            Step::Release(client) => {
                world.clients[usize::from(client)].doing = Doing::Releasing;
                let start = world.server.start;
                if self.is(Mistake::RememberedCas) {
                    let cas = world.clients[usize::from(client)].remembered;
                    ask(&mut world, client, Ask::Remove { cas }, start);
                } else {
                    ask(&mut world, client, Ask::Look { keep: false }, start);
                }
            }
            Step::Leave(client) => {
                let leaving = &mut world.clients[usize::from(client)];
                (leaving.doing, leaving.asked) = (Doing::Nothing, None);
            }
            Step::Executed(request) => world.execute(request, self.mistake),
            Step::Answered(answer) => {
                world.answers.remove(&answer);
                self.hear(&mut world, answer);
            }
            Step::Tick { stopped } => {
                world.stops -= u8::from(stopped);
                world.pass_time(stopped);
            }
            Step::ServerTick => {
                let now = world.now;
                world.server.tick(now);
            }
            Step::Restart => world.restart(),
            Step::ForgetToken => {
                world.failures -= 1;
                world.server.last = None;
            }
            Step::Fill => world.server.full = true,
        }
        world.tidy();
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut promises: Vec<Property<Self>> = vec![
            Property::always(EXCLUSION, |_, world: &World| world.excludes()),
            Property::always(FENCING, |_, world: &World| !world.seen.went_back),
            Property::always(OTHERS, |_, world: &World| !world.seen.changed_anothers),
        ];
        if self.mistake.is_some() {
            return promises;
        }
        if self.failures > 0 || self.horizon >= LIFE {
            promises.push(Property::sometimes(EXPIRED, |_, world: &World| world.a_late_one_is_replaced()));
        }
        if self.failures > 0 {
            promises.push(Property::sometimes(FORGOTTEN, |_, world: &World| world.two_believe()));
        }
        promises
    }
}
