//! A connection on which nothing is said: it ends when the server does, which would otherwise be known by the next
//! renewal. A server that comes back has forgotten every lock, and nobody is to believe in his for longer than he must.
//!
//! What may interleave: the end of the server, that of the last locker on it, and calls. Whoever makes a connection for a
//! call sees to it that this one is there as well; its end takes idle connections away, as they have ended with it.

use std::{
    any::Any,
    sync::{Arc, Weak},
};

use tokio::io::AsyncReadExt as _;

use super::{
    Memcached,
    link::Link,
    wire::{self, CONNECTING},
};
use crate::{background, hold::Leased};

/// Waits for the end of the server; then has all leases on it looked at.
pub(super) async fn attend(link: Weak<Link>) {
    let connecting = match link.upgrade() {
        Some(link) => async move { wire::stream(&link.address).await },
        None => return,
    };
    let Ok(Ok(mut stream)) = tokio::time::timeout(CONNECTING, connecting).await else {
        return over(&link, false);
    };
    let mut nothing = [0];
    // It says nothing of its own accord.
    let _ = stream.read(&mut nothing).await;
    over(&link, true);
}

fn over(link: &Weak<Link>, was_there: bool) {
    let Some(link) = link.upgrade() else { return };
    link.unattended();
    if !was_there {
        return;
    }
    tracing::debug!(address = %link.address, "the server has ended a connection");
    link.give_up();
    let is_on_it = |hold: &Leased| {
        let backend: &dyn Any = hold.backend();
        let memcached = backend.downcast_ref::<Memcached>();
        hold.renews() && memcached.is_some_and(|memcached| Arc::ptr_eq(&memcached.link, &link))
    };
    match background::schedule() {
        Ok(schedule) => schedule.hurry(is_on_it),
        Err(error) => tracing::warn!(%error, "leases are looked at no sooner than usual"),
    }
}
