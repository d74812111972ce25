//! The checker for one's own store.

use std::thread;

use lock::{
    FencingToken,
    fencing::{Fence, Fenced},
};
use proptest::{collection::vec, prelude::*};

use crate::scene::Scene;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    /// In any sequence of tokens, restarts included: what is admitted is never lower than anything before, and nothing
    /// else is refused.
    #[test]
    fn a_fence_never_goes_back(steps in vec((0_u64..8, 0_u64..4, any::<bool>()), 0..40)) {
        let (mut fence, mut highest) = (Fence::new(), 0);
        for (low, high, restart) in steps {
            let token: FencingToken = (high << 51) + low;
            let admitted = fence.admit(token);
            prop_assert_eq!(admitted.is_ok(), token >= highest);
            if let Err(stale) = admitted {
                prop_assert_eq!((stale.token, stale.highest), (token, Some(highest)));
            }
            highest = highest.max(token);
            prop_assert_eq!(fence.highest(), highest);
            if restart {
                fence = Fence::from(FencingToken::from(fence));
            }
        }
    }
}

#[test]
fn threads_at_once_write_in_the_order_of_their_tokens() {
    const THREADS: u64 = 8;
    const WRITES: u64 = 2_000;
    let written: Fenced<Vec<FencingToken>> = Fenced::default();
    let refused: u64 = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let written = &written;
                scope.spawn(move || {
                    // Some go ahead, some lag behind, all give way in the middle of a write.
                    let write = |round: u64| {
                        written.write(round * (thread % 3 + 1) + thread, |written| {
                            let token = round * (thread % 3 + 1) + thread;
                            thread::yield_now();
                            written.push(token);
                        })
                    };
                    (0..WRITES).map(|round| u64::from(write(round).is_err())).sum::<u64>()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    let fence = written.fence().highest();
    written.read(|written| {
        assert!(written.is_sorted(), "a lower token after a higher one");
        assert_eq!(u64::try_from(written.len()).unwrap() + refused, THREADS * WRITES);
        assert_eq!(written.last(), Some(&fence));
    });
    assert_eq!(fence, (WRITES - 1) * 3 + 5, "the highest of all tokens is admitted whenever it comes");
}

#[test]
fn a_holder_whose_lease_has_ended_is_refused() {
    let Scene { server: _server, late, successor } = Scene::new();
    let stock = Fenced::new(10);
    stock.write(late.fencing_token(), |stock| *stock = 9).unwrap();
    stock.write(successor.fencing_token(), |stock| *stock -= 1).unwrap();

    let refused = stock.write(late.fencing_token(), |stock| *stock = 0).unwrap_err();
    assert_eq!((refused.token, refused.highest), (late.fencing_token(), Some(successor.fencing_token())));
    assert_eq!(stock.read(|stock| *stock), 8);
}

#[test]
fn a_refused_write_is_a_lost_lock_in_the_errors_of_the_caller() {
    let write = |token| -> lock::Result<()> {
        let mut fence = Fence::from(34);
        fence.admit(token)?;
        Ok(())
    };
    assert!(write(34).is_ok());
    let error = write(33).unwrap_err();
    assert!(error.is_lost() && error.is_retryable() && !error.is_locked());
    assert!(error.to_string().contains("33") && error.to_string().contains("34"), "{error}");
}
