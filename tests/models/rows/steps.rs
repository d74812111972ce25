//! What may happen next: the model that is explored.

use stateright::{Model, Property};

use super::{
    table::{Mistake, TTL, WINDOW},
    world::{Ask, Client, Doing, Message, Tick, World},
};

pub(crate) const EXCLUSION: &str = "no two believe to hold the lock at once";
pub(crate) const FENCING: &str = "tokens grow in the order of grants";
pub(crate) const ORDER: &str = "nobody has it before one who waits in line for it and comes in time";
pub(crate) const LINE: &str = "who holds the lock does not stand in line for it";
pub(crate) const STALLS: &str = "a free key is awaited for no longer than it is kept for the dead";
pub(crate) const SERVED: &str = "who waits gets the lock by its own timer";

const PASSED_OVER: &str = "one who is late is passed over";
const PRUNED: &str = "a row is pruned";
const REPLACED: &str = "a holder is late, and another one holds the lock";

/// What is explored together: the bounds, without which there would be no end to it.
#[derive(Clone, Debug)]
pub(crate) struct Scene {
    pub(crate) name: &'static str,
    /// How many acquisitions each client begins.
    pub(crate) begins: &'static [u8],
    pub(crate) horizon: Tick,
    /// Messages under way before another request is sent, where they need not arrive at once.
    pub(crate) under_way: usize,
    /// How many requests there are to an acquisition.
    pub(crate) asks: u8,
    pub(crate) renewals: u8,
    pub(crate) deaths: u8,
    /// All that is sent arrives before time goes on, announcements too unless `deaf`; nobody gives up.
    pub(crate) prompt: bool,
    /// Announcements get lost.
    pub(crate) deaf: bool,
    pub(crate) mistake: Option<Mistake>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Begin(u8),
    /// It is time to, or the answer is not waited for any longer.
    Ask(u8),
    Renew(u8),
    Release(u8),
    /// Its deadline has passed, or it gives up.
    Leave(u8),
    Die(u8),
    Arrives(Message),
    /// An announcement arrives.
    IsTold(u8),
    Prune,
    Tick,
}

impl Scene {
    fn steps_of(&self, world: &World, at: u8, client: &Client, steps: &mut Vec<Step>) {
        let may_send = self.prompt || world.under_way.len() < self.under_way;
        let asks = may_send && client.asked < self.asks;
        match client.doing {
            Doing::Nothing => {
                // Clients are alike: they begin in their order.
                let first = at == 0 || world.clients[usize::from(at) - 1].begun > 0;
                // What is awaited at the end is to be served by then.
                let early = !self.deaf || world.now <= 1;
                if first && early && may_send && client.begun < self.begins[usize::from(at)] {
                    steps.push(Step::Begin(at));
                }
                return;
            }
            Doing::Asking(..) if asks && !self.prompt => steps.push(Step::Ask(at)),
            Doing::Waiting(look) if asks && look <= world.now => steps.push(Step::Ask(at)),
            Doing::Holding { deadline, .. } => {
                if world.now >= deadline {
                    steps.push(Step::Leave(at));
                } else if may_send {
                    steps.push(Step::Release(at));
                    if client.renewals < self.renewals {
                        steps.push(Step::Renew(at));
                    }
                }
            }
            Doing::Dead => return,
            Doing::Asking(..) | Doing::Waiting(_) => {}
        }
        if !client.coming.is_empty() {
            steps.push(Step::IsTold(at));
        }
        if client.waits() && !self.prompt {
            steps.push(Step::Leave(at));
        }
        if world.deaths > 0 {
            steps.push(Step::Die(at));
        }
    }

    /// Nothing is to happen before time goes on.
    fn is_over(&self, world: &World) -> bool {
        let due = |client: &Client| matches!(client.doing, Doing::Waiting(look) if look <= world.now);
        let told = |client: &Client| self.deaf || client.coming.is_empty();
        world.under_way.is_empty() && !world.clients.iter().any(due) && world.clients.iter().all(told)
    }
}

impl Model for Scene {
    type State = World;
    type Action = Step;

    fn init_states(&self) -> Vec<World> {
        let clients = vec![Client::default(); self.begins.len()];
        vec![World { clients, deaths: self.deaths, ..World::default() }]
    }

    fn actions(&self, world: &World, steps: &mut Vec<Step>) {
        for (at, client) in (0..).zip(&world.clients) {
            self.steps_of(world, at, client, steps);
        }
        steps.extend(world.under_way.iter().copied().map(Step::Arrives));
        if world.now < self.horizon && (!self.prompt || self.is_over(world)) {
            steps.push(Step::Tick);
        }
        if !self.prompt {
            steps.push(Step::Prune);
        }
    }

    fn next_state(&self, last: &World, step: Step) -> Option<World> {
        let mut world = last.clone();
        match step {
            Step::Begin(at) => {
                let client = &mut world.clients[usize::from(at)];
                client.begun += 1;
                client.asked = 1;
                world.ask(at, Ask::Acquire);
            }
            Step::Ask(at) => {
                world.clients[usize::from(at)].asked += 1;
                world.ask(at, Ask::Acquire);
            }
            Step::Renew(at) => {
                world.clients[usize::from(at)].renewals += 1;
                world.under_way.insert(Message::Renew(world.owner(at), world.now));
            }
            Step::Release(at) => world.release(at),
            Step::Leave(at) => world.leave(at),
            Step::Die(at) => {
                world.clients[usize::from(at)].doing = Doing::Dead;
                world.deaths -= 1;
                world.seen.died += 1;
            }
            Step::Arrives(message) if message.is_request() => world.execute(message, self.mistake),
            Step::Arrives(message) => world.hear(message, self.mistake),
            Step::IsTold(at) => world.is_told(at, self.mistake),
            Step::Prune => {
                if !world.table.prune(world.now, self.mistake) {
                    return None;
                }
                world.seen.pruned = true;
            }
            Step::Tick => world.pass_time(),
        }
        world.tidy();
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut promises: Vec<Property<Self>> = vec![
            Property::always(EXCLUSION, |_, world: &World| believers(world) < 2),
            Property::always(FENCING, |_, world: &World| !world.seen.went_back),
            Property::always(ORDER, |_, world: &World| !world.seen.overtaken),
            Property::always(LINE, |_, world: &World| !stands_in_line(world)),
        ];
        if self.prompt && !self.deaf {
            promises.push(Property::always(STALLS, |_, world: &World| {
                world.seen.idle <= WINDOW * (1 + world.seen.died)
            }));
        }
        if self.deaf {
            promises.push(Property::always(SERVED, |scene: &Scene, world: &World| {
                let over = world.now == scene.horizon && scene.is_over(world);
                !over || !world.clients.iter().any(Client::waits)
            }));
        }
        if self.mistake.is_some() {
            return promises;
        }
        if self.deaths > 0 {
            promises.push(Property::sometimes(PASSED_OVER, |_, world: &World| world.seen.passed_over));
        }
        if self.horizon > TTL && !self.prompt {
            promises.push(Property::sometimes(PRUNED, |_, world: &World| world.seen.pruned));
            promises.push(Property::sometimes(REPLACED, |_, world: &World| is_replaced(world)));
        }
        promises
    }
}

fn believers(world: &World) -> usize {
    world.clients.iter().filter(|client| client.believes(world.now)).count()
}

fn stands_in_line(world: &World) -> bool {
    let Some(row) = world.table.0.as_ref() else { return false };
    let holds = |at: u8| world.clients[usize::from(at)].believes(world.now) && world.owner(at) == row.owner;
    holds(row.owner.0) && row.line.contains(&row.owner)
}

fn is_replaced(world: &World) -> bool {
    let late =
        |client: &Client| matches!(client.doing, Doing::Holding { deadline, .. } if deadline <= world.now);
    believers(world) == 1 && world.clients.iter().any(late)
}
