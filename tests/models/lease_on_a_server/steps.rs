//! What may happen next: the model that is explored.

use stateright::{Model, Property};

use super::{
    client::{Client, Doing},
    promises,
    scene::Scene,
    server::Server,
    words::{Ask, Message, TTL, Tick},
    world::World,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A client begins an acquisition.
    Begin {
        client: u8,
        reserve: u8,
    },
    /// It asks again: it is time to look, or the answer is not waited for any longer.
    AskAgain {
        client: u8,
        reserve: u8,
    },
    /// It asks for the last time.
    AskLast(u8),
    GiveUp(u8),
    Renew {
        client: u8,
        ttl: Tick,
    },
    /// It leaves the lease to the next in its process.
    HandOver(u8),
    Release(u8),
    /// It gives the lease away, to a process that adopts it.
    GiveAway(u8),
    /// It sees that its deadline has passed.
    Lose(u8),
    Die(u8),
    /// `deaf`: the first in line does not hear that the lock is passed on to him.
    Arrives {
        message: Message,
        deaf: bool,
    },
    GetsLost(Message),
    Tick,
    /// The server is copied, as a replica or a dump does.
    Copy,
    /// The server starts anew with nothing.
    Restart,
    /// The server is replaced by its copy.
    FailOver,
}

impl Scene {
    fn steps_of(&self, world: &World, at: u8, client: &Client, steps: &mut Vec<Step>) {
        let has_room = world.under_way.len() < self.under_way;
        let reserves = self.reserves.iter().copied();
        let more = |ask: &Ask| ask.number < self.asks;
        match &client.doing {
            Doing::Nothing => {
                // All clients are alike: they begin in their order.
                let first = at == 0 || world.clients[usize::from(at) - 1].begun > 0;
                let in_time = !self.prompt || world.now == 0;
                if client.begun < self.begins[usize::from(at)] && first && in_time && has_room {
                    steps.extend(reserves.map(|reserve| Step::Begin { client: at, reserve }));
                }
            }
            Doing::Asking { ask, .. } => {
                // Where every message arrives, only a lost one is asked again.
                let late =
                    !self.prompt || !world.under_way.iter().any(|message| message.owner() == ask.owner);
                if more(ask) && ask.waits == self.waits && late && has_room {
                    steps.extend(reserves.map(|reserve| Step::AskAgain { client: at, reserve }));
                }
            }
            Doing::Waiting { ask, look, .. } => {
                if *look <= world.now && more(ask) && has_room {
                    steps.extend(reserves.map(|reserve| Step::AskAgain { client: at, reserve }));
                }
                if self.waits && !self.prompt && has_room {
                    steps.push(Step::AskLast(at));
                }
            }
            Doing::Holding(hold) if world.now < hold.deadline => {
                if hold.renewals < self.renewals && hold.renewing < Some(world.now) && has_room {
                    steps.push(Step::Renew { client: at, ttl: TTL });
                    if self.longest > TTL {
                        steps.push(Step::Renew { client: at, ttl: self.longest });
                    }
                }
                // The engine does not, if the request was sent twice; the tokens do not depend on that.
                if hold.more > 0 && world.now < hold.since + TTL / 3 && hold.deadline - world.now > TTL / 3 {
                    steps.push(Step::HandOver(at));
                }
                if self.gives_away && has_room {
                    steps.push(Step::GiveAway(at));
                }
                steps.push(Step::Release(at));
            }
            Doing::Holding(_) => steps.push(Step::Lose(at)),
            Doing::Adopting { .. } | Doing::Killed => {}
        }
        let seeks =
            matches!(client.doing, Doing::Asking { .. } | Doing::Waiting { .. } | Doing::Adopting { .. });
        if seeks && !self.prompt {
            steps.push(Step::GiveUp(at));
        }
        if world.deaths > 0 && !matches!(client.doing, Doing::Nothing | Doing::Killed) {
            steps.push(Step::Die(at));
        }
    }

    /// Whether a message may get lost. Where every message arrives, only what is asked again, or not needed, does.
    fn may_lose(&self, message: Message) -> bool {
        match message {
            Message::Acquire(ask) | Message::Held { ask, .. } | Message::Granted { ask, .. } => {
                !self.prompt || ask.number < 2
            }
            Message::Yours(_) => true,
            _ => !self.prompt,
        }
    }
}

impl Model for Scene {
    type State = World;
    type Action = Step;

    fn init_states(&self) -> Vec<World> {
        let clients = vec![Client::default(); self.begins.len()];
        vec![World { clients, failures: self.failures, deaths: self.deaths, ..World::default() }]
    }

    fn actions(&self, world: &World, steps: &mut Vec<Step>) {
        for (at, client) in (0..).zip(&world.clients) {
            self.steps_of(world, at, client, steps);
        }
        for message in world.under_way.iter().copied() {
            let passes_on = matches!(message, Message::Release(_) | Message::GiveUp(_));
            steps.push(Step::Arrives { message, deaf: false });
            if passes_on && !world.server.line.is_empty() {
                steps.push(Step::Arrives { message, deaf: true });
            }
            if self.may_lose(message) {
                steps.push(Step::GetsLost(message));
            }
        }
        if world.now >= self.horizon {
            return;
        }
        if !self.prompt || world.is_quiet() {
            steps.push(Step::Tick);
        }
        if world.failures > 0 {
            steps.push(Step::Restart);
            if !self.prompt {
                steps.push(if world.copy.is_some() { Step::FailOver } else { Step::Copy });
            }
        }
    }

    fn next_state(&self, last: &World, step: Step) -> Option<World> {
        let mut world = last.clone();
        match step {
            Step::Begin { client, .. }
            | Step::AskAgain { client, .. }
            | Step::AskLast(client)
            | Step::GiveUp(client)
            | Step::Renew { client, .. }
            | Step::HandOver(client)
            | Step::GiveAway(client)
            | Step::Release(client)
            | Step::Lose(client)
            | Step::Die(client) => self.act(&mut world, client, step)?,
            Step::Arrives { message, deaf } => world.arrive(message, deaf, self.mistake),
            Step::GetsLost(message) => drop(world.under_way.remove(&message)),
            Step::Tick => world.pass_time(),
            Step::Copy => world.copy = Some(world.server.clone()),
            Step::Restart => world.fail(Server::default()),
            Step::FailOver => {
                let copy = world.copy.take()?;
                world.fail(copy);
            }
        }
        world.tidy();
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        promises::all(self)
    }
}
