//! What a search leaves behind that ends without a guard: a place in line, a request that may have been executed, or one
//! that is still on its way.

use std::{mem, sync::Arc};

use super::search::Search;
use crate::{
    backend::Attempt,
    background,
    hold::{give_back, give_back_again},
    lease::Lease,
    locker::{ABANDONED, CALL_LIMIT, limited},
};

impl Search {
    /// What is left to do if there is no guard; `None` if nothing is. It has the turn until it is done: whoever comes next
    /// must not be refused because of us.
    pub(super) fn clean_up(&mut self) -> Option<impl Future<Output = ()> + Send + 'static> {
        let turn = self.turn.take()?;
        let (asked, here, doubtful) = (self.asked.take(), self.here.take(), mem::take(&mut self.doubtful));
        let giving_back = self.giving_back.take();
        let watched = self.waits.watched || self.waits.in_line;
        if asked.is_none() && here.is_none() && giving_back.is_none() && !watched && !doubtful {
            return None;
        }
        let (backend, request) = (Arc::clone(&self.backend), self.request.clone());
        let own_owner = self.is_own_owner();
        Some(async move {
            let _turn = turn;
            if let Some(giving_back) = giving_back {
                drop(giving_back.await);
            }
            let answer = match (asked, here) {
                (Some(asked), _) => asked.await.ok().map(|(answer, _)| answer),
                // A chosen owner is not released again later, so that this is the only chance.
                (None, Some(here)) => {
                    let limit = if own_owner && here.needs_runtime { ABANDONED } else { CALL_LIMIT };
                    Some(limited(limit, here.answer).await)
                }
                (None, None) => None,
            };
            if watched {
                let _ = limited(CALL_LIMIT, backend.give_up(&request)).await;
            }
            let doubtful = doubtful || matches!(&answer, Some(Err(fault)) if fault.may_have_executed());
            let lease = Lease::new(request.key, request.owner, 0, request.ttl);
            if doubtful || matches!(answer, Some(Ok(Attempt::Granted(_)))) {
                let _ = give_back(&*backend, &lease).await;
            }
            if doubtful && own_owner {
                give_back_again(&backend, &lease);
            }
        })
    }
}

impl Drop for Search {
    fn drop(&mut self) {
        let Some(job) = self.clean_up() else { return };
        if let Err(error) = background::spawn_before_exit(job) {
            tracing::warn!(key = %self.request.key, %error, "could not clean up after an acquire");
        }
    }
}
