//! The network, the server and others who use it fail or interfere, at every point of a lock's life.

use std::thread;

use tests::{
    faults::{for_both_sides, free_again},
    figures::Figures,
    servers::MariaDbServer,
};

use crate::scene::{FREED, LONG, acquire, release};

tests::fault_suite!(MariaDbServer: keeps, ends, database);

/// Takes the row of a key, and of no other, into a transaction.
const WANT: &str = "SELECT 1 FROM lock_leases WHERE id = SHA2('lock:k', 256) FOR UPDATE";

/// Its victim has done nothing, and asks again; nothing is told to the caller.
#[test]
fn a_deadlock_with_a_transaction_of_others_is_nobodys_error() {
    for_both_sides::<MariaDbServer>("deadlocks provoked", LONG, |scene, side| {
        let (locker, mut figures) = (scene.far(), Figures::default());
        let lock = locker.lock("k").wait(LONG);
        for _ in 0..20 {
            release(&acquire(&lock, side).unwrap(), side).unwrap();
            let mut others = [scene.server.session(), scene.server.session()];
            for (other, key) in others.iter_mut().zip(["k", "l"]) {
                release(&acquire(&locker.lock(key), side).unwrap(), side).unwrap();
                other.ask("BEGIN").unwrap();
                other.ask(&WANT.replace("lock:k", &format!("lock:{key}"))).unwrap();
            }
            figures.faults += 1;
            let [mut first, mut second] = others;
            let lock = lock.clone();
            thread::scope(|scope| {
                let waiter = scope.spawn(move || {
                    let guard = acquire(&lock, side).unwrap();
                    scene.journal.acquired(&guard);
                    scene.journal.releasing(&guard);
                    release(&guard, side).unwrap();
                });
                // Each of the two wants what the other has, and the waiter what the first has.
                let blocked = scope.spawn(move || {
                    let done = first.ask(&WANT.replace("lock:k", "lock:l"));
                    (done.is_ok(), first)
                });
                let went_through = second.ask(WANT).is_ok();
                assert!(second.ask("COMMIT").is_ok());
                let (first_did, mut first) = blocked.join().unwrap();
                assert!(!(first_did && went_through), "no deadlock");
                first.ask("COMMIT").unwrap();
                waiter.join().unwrap();
            });
        }
        figures.reacquired(free_again(scene, "k", FREED));
        figures
    });
}
