//! What is promised, in every state that can be reached; and what must be reached for that to mean something.

use stateright::Property;

use super::{
    client::Doing,
    scene::Scene,
    words::{CLAIM, TTL},
    world::World,
};

pub(crate) const EXCLUSION: &str = "no two believe to hold the lock at once";
pub(crate) const FENCING: &str = "tokens grow in the order of grants";
pub(crate) const LIVENESS: &str = "nothing is held for ever by nobody";
pub(crate) const LINE: &str = "who holds the lock does not stand in line for it";
pub(crate) const WAITING: &str = "who waits gets the lock by its own timer";

pub(crate) const HANDED_OVER: &str = "a lease is handed over inside a process";
pub(crate) const PASSED_ON: &str = "one who was passed the lock holds it";
pub(crate) const EXPIRED: &str = "a holder is late, and another one holds the lock";
pub(crate) const FORGOTTEN: &str = "two believe, as the server forgot one of them";

pub(crate) fn all(scene: &Scene) -> Vec<Property<Scene>> {
    let mut promises: Vec<Property<Scene>> = vec![
        Property::always(EXCLUSION, |_, world| excludes(world)),
        Property::always(FENCING, |_, world: &World| !world.seen.went_back),
        Property::always(LIVENESS, ends),
        Property::always(LINE, |_, world| !stands_in_line(world)),
    ];
    if scene.prompt {
        promises.push(Property::always(WAITING, is_served));
    }
    if scene.mistake.is_some() {
        return promises;
    }
    if scene.reserves.contains(&2) {
        promises.push(Property::sometimes(HANDED_OVER, |_, world| is_handed_over(world)));
    }
    if scene.waits {
        promises.push(Property::sometimes(PASSED_ON, |_, world| is_passed_on(world)));
    }
    if !scene.prompt && scene.horizon >= TTL {
        promises.push(Property::sometimes(EXPIRED, |_, world| is_replaced(world)));
    }
    if scene.failures > 0 && !scene.prompt {
        promises.push(Property::sometimes(FORGOTTEN, |_, world| believers(world).count() > 1));
    }
    promises
}

fn believers(world: &World) -> impl Iterator<Item = u8> {
    (0..).zip(&world.clients).filter(|(_, client)| client.believes(world.now)).map(|(at, _)| at)
}

/// Whoever believes excludes all others who do, as long as the server has kept what it granted them. A lease that the
/// server forgot, or put back to a shorter one, may be believed in until its deadline, or until its renewal is refused;
/// all others exclude each other meanwhile.
fn excludes(world: &World) -> bool {
    let owner = |at: u8| world.clients[usize::from(at)].owner(at);
    believers(world).filter(|at| !world.has_forgotten(owner(*at))).count() < 2
}

/// A lock that nobody is about any more, nor a message of his, is free within what it was granted for; one that was
/// passed on and not claimed, within the time to claim it.
fn ends(scene: &Scene, world: &World) -> bool {
    let Some(lock) = world.server.lock.filter(|lock| !world.is_about(lock.owner)) else { return true };
    let longest = if world.server.is_unclaimed(lock.owner) { CLAIM } else { scene.longest };
    lock.expires <= world.now + longest
}

/// Who believes, and has the lock on the server, would be passed it by its own release.
fn stands_in_line(world: &World) -> bool {
    let Some(lock) = world.server.lock else { return false };
    let holder = &world.clients[usize::from(lock.owner.client)];
    let believes = holder.believes(world.now) && holder.is_about(lock.owner);
    believes && world.server.line.contains(&lock.owner)
}

/// In a scene in which only pushes get lost, and holders die: at its end, nobody waits any more.
fn is_served(scene: &Scene, world: &World) -> bool {
    let waits = |doing: &Doing| matches!(doing, Doing::Waiting { .. } | Doing::Asking { .. });
    let over = world.now == scene.horizon && world.is_quiet();
    !over || !world.clients.iter().any(|client| waits(&client.doing))
}

fn is_handed_over(world: &World) -> bool {
    let last = world.server.record.filter(|record| record.reserved > 1).map(|record| record.last);
    world
        .clients
        .iter()
        .any(|client| matches!(client.doing, Doing::Holding(hold) if Some(hold.token) == last))
}

fn is_passed_on(world: &World) -> bool {
    let told = |doing: &Doing| matches!(doing, Doing::Waiting { look, .. } if *look <= world.now);
    let Some(lock) = world.server.lock else { return false };
    world.server.is_unclaimed(lock.owner) && told(&world.clients[usize::from(lock.owner.client)].doing)
}

fn is_replaced(world: &World) -> bool {
    let late = |doing: &Doing| matches!(doing, Doing::Holding(hold) if hold.deadline <= world.now);
    believers(world).next().is_some() && world.clients.iter().any(|client| late(&client.doing))
}
