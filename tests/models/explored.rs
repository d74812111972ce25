//! How a scene is explored, and what is said of it.

use std::{fmt::Debug, hash::Hash, time::Instant};

use stateright::{Checker, HasDiscoveries, Model};

/// Threads of one exploration: tests run side by side already.
const THREADS: usize = 2;

/// The scene keeps all its promises, and reaches what has to be reached for that to mean something.
pub(crate) fn keeps_its_promises<M>(name: &str, scene: M)
where
    M: Model<State: Clone + Debug + Hash + PartialEq + Send + Sync, Action: Clone + Debug + PartialEq>
        + Send
        + Sync
        + 'static,
{
    let begun = Instant::now();
    let checker =
        scene.checker().threads(THREADS).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    println!(
        "{name}: {} states, {} steps, {} deep, {:.1?}",
        checker.unique_state_count(),
        checker.state_count(),
        checker.max_depth(),
        begun.elapsed()
    );
    for property in checker.model().properties() {
        if property.expectation.discovery_is_failure()
            && let Some(path) = checker.discovery(property.name)
        {
            let last = path.last_state().clone();
            panic!("{name}: broken: {}\n{last:#?}\n{:#?}", property.name, path.into_actions());
        }
    }
    checker.assert_properties();
}

/// The scene, into which a mistake was built, breaks that promise.
pub(crate) fn is_caught<M>(name: &str, scene: M, mistake: impl Debug, promise: &'static str)
where
    M: Model<State: Clone + Debug + Hash + PartialEq + Send + Sync, Action: Clone + Debug + PartialEq>
        + Send
        + Sync
        + 'static,
{
    let begun = Instant::now();
    let checker = scene
        .checker()
        .threads(THREADS)
        .finish_when(HasDiscoveries::AllOf([promise].into()))
        .spawn_bfs()
        .join();
    println!("{mistake:?} in {name}: {} states, {:.1?}", checker.unique_state_count(), begun.elapsed());
    let path = checker.assert_any_discovery(promise);
    for (step, action) in path.into_actions().iter().enumerate() {
        println!("  {step}. {action:?}");
    }
}
