//! What a client's own steps do to it, and what it sends.

use super::{
    client::{Doing, Search},
    mistakes::Mistake,
    scene::Scene,
    steps::Step,
    words::{Ask, Message},
    world::World,
};

impl Scene {
    /// `None`: the client is not about what the step is of.
    pub(super) fn act(&self, world: &mut World, at: u8, step: Step) -> Option<()> {
        let now = world.now;
        let client = world.clients.get_mut(usize::from(at))?;
        let mut sent = Vec::new();
        match (step, client.doing.clone()) {
            (Step::Begin { reserve, .. }, Doing::Nothing) => {
                client.begun += 1;
                let owner = client.owner(at);
                let ask = Ask { owner, number: 1, sent: now, reserve, waits: self.waits, known: false };
                sent.push(client.ask(ask, Search::default(), self.mistake));
            }
            (Step::AskAgain { reserve, .. }, Doing::Asking { ask, search, .. }) => {
                let ask = Ask { number: ask.number + 1, sent: now, reserve, ..ask };
                sent.push(client.ask(ask, Search { doubtful: true, ..search }, self.mistake));
            }
            (Step::AskAgain { reserve, .. }, Doing::Waiting { ask, search, .. }) => {
                let ask = Ask { number: ask.number + 1, sent: now, reserve, ..ask };
                sent.push(client.ask(ask, search, self.mistake));
            }
            (Step::AskLast(_), Doing::Waiting { ask, search, .. }) => {
                let ask = Ask { number: ask.number + 1, sent: now, reserve: 1, waits: false, ..ask };
                sent.push(client.ask(ask, search, self.mistake));
            }
            (Step::GiveUp(_), _) => sent = client.give_up(client.owner(at)),
            (Step::Renew { ttl, .. }, Doing::Holding(mut hold)) => {
                hold.renewing = Some(now);
                hold.renewals += 1;
                client.doing = Doing::Holding(hold);
                sent.push(Message::Renew { owner: client.owner(at), sent: now, ttl });
            }
            (Step::HandOver(_), Doing::Holding(mut hold)) => {
                hold.token += 1;
                hold.more -= 1;
                client.doing = Doing::Holding(hold);
                let owner = client.owner(at);
                world.hands_over(hold.token, owner);
            }
            (Step::GiveAway(_), Doing::Holding(_)) => {
                let owner = client.owner(at);
                client.doing = Doing::Adopting { owner, sent: now };
                sent.push(Message::Adopt { owner, sent: now });
                if self.mistake == Some(Mistake::GivenAwayReleased) {
                    sent.push(Message::Release(owner));
                }
            }
            (Step::Release(_) | Step::Lose(_), _) => {
                client.doing = Doing::Nothing;
                sent.push(Message::Release(client.owner(at)));
            }
            (Step::Die(_), _) => {
                client.doing = Doing::Killed;
                world.deaths -= 1;
            }
            _ => return None,
        }
        world.send(sent);
        Some(())
    }
}
