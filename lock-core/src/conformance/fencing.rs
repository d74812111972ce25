//! Fencing tokens grow with every grant of a key, whatever ended the last one.

use super::{Case, case, test::Test};
use crate::{fencing::Fenced, guard::Guard};

pub(super) const CASES: &[Case] = &[
    case!("tokens increase over releases, of all clients", nothing, over_releases),
    case!("tokens increase over expiry", nothing, over_expiry),
    case!("tokens increase over force-release", nothing, over_force_release),
    case!("tokens increase from waiter to waiter", nothing, from_waiter_to_waiter),
    case!("a token is unchanged by renewal", nothing, unchanged_by_renewal),
    case!("a fenced write refuses the stale holder", nothing, a_fenced_write),
];

async fn over_releases(test: Test) {
    let clients = [test.client(), test.client(), test.client()];
    let mut last = 0;
    for round in 0..60 {
        // Several at once, one after the other, and all over again with a client that knows nothing.
        let locker = if round % 10 == 9 { test.client() } else { clients[round % 3].clone() };
        let guard = test.acquire(&locker.lock("k")).await.unwrap();
        assert!(guard.fencing_token() > last, "{} after {last}", guard.fencing_token());
        last = guard.fencing_token();
        assert!(last < 1 << 53, "a number that JSON and double precision keep");
        test.release(&guard).await.unwrap();
    }
}

async fn over_expiry(test: Test) {
    let first = test.acquire(&test.client().lock("k").ttl(test.ttl()).renew(false)).await.unwrap();
    let second = test.acquire(&test.client().lock("k")).await.unwrap();
    assert!(second.fencing_token() > first.fencing_token());
}

async fn over_force_release(test: Test) {
    let lock = test.client().lock("k");
    let mut guards: Vec<Guard> = Vec::new();
    for _ in 0..5 {
        let guard = test.acquire(&test.client().lock("k")).await.unwrap();
        assert!(guards.iter().all(|earlier| earlier.fencing_token() < guard.fencing_token()));
        guards.push(guard);
        assert!(test.force_release(&lock).await.unwrap());
    }
}

async fn from_waiter_to_waiter(test: Test) {
    let (ours, theirs) = (test.client(), test.client());
    let tokens = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let guard = test.acquire(&ours.lock("k")).await.unwrap();
    let parts: Vec<_> = (0..12)
        .map(|number| {
            let locker = if number % 3 == 0 { &theirs } else { &ours };
            let (test, lock) = (test.clone(), locker.lock("k").retry(std::time::Duration::from_millis(5)));
            let tokens = std::sync::Arc::clone(&tokens);
            test.clone().spawn(async move {
                let guard = test.acquire(&lock).await.unwrap();
                tokens.lock().unwrap().push(guard.fencing_token());
                test.release(&guard).await.unwrap();
            })
        })
        .collect();
    tokens.lock().unwrap().push(guard.fencing_token());
    test.release(&guard).await.unwrap();
    for part in parts {
        part.await;
    }
    let tokens = tokens.lock().unwrap();
    assert!(tokens.is_sorted_by(|a, b| a < b), "{tokens:?}");
}

async fn unchanged_by_renewal(test: Test) {
    let lock = test.client().lock("k").ttl(test.ttl());
    test.undisturbed(test.ttl() / 3, async |_| {
        let guard = test.acquire(&lock).await.unwrap();
        let token = guard.fencing_token();
        test.sleep(test.ttl() * 3 / 2).await;
        guard.check().map_err(|error| error.to_string())?;
        assert_eq!(guard.fencing_token(), token);
        let holder = test.holder(&lock).await.unwrap().expect("held");
        assert_eq!(holder.fencing_token, Some(token));
        Ok(())
    })
    .await;
}

async fn a_fenced_write(test: Test) {
    let row = Fenced::new("");
    let write = |value, guard: &Guard| row.write(guard.fencing_token(), |row| *row = value);
    let stale = test.acquire(&test.client().lock("k").ttl(test.ttl()).renew(false)).await.unwrap();
    write("first", &stale).unwrap();
    let successor = test.acquire(&test.client().lock("k")).await.unwrap();
    write("second", &successor).unwrap();
    let refused = write("late", &stale).unwrap_err();
    assert_eq!((refused.token, refused.highest), (stale.fencing_token(), Some(successor.fencing_token())));
    assert_eq!(row.read(|row| *row), "second");
}
