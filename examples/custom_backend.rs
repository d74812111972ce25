//! A store of one's own behind the same locks: a table of leases, kept here as a server would keep it.
//!
//! ```sh
//! cargo run --example custom_backend
//! ```
//!
//! A backend is told what to do and never how long to wait: queues, retries, renewal and deadlines stand in front of it.

use std::{
    collections::HashMap,
    error::Error,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use lock::{
    Backend, Holder, Key, Lease, Locker, Owner, Ttl,
    backend::{Answer, Attempt, Capabilities, Request},
};

/// One row per key that was ever locked; an expired row stays, so that its fencing token goes on growing.
#[derive(Clone, Debug, Default)]
struct Table(Arc<Mutex<HashMap<Key, Row>>>);

#[derive(Debug)]
struct Row {
    owner: Owner,
    fencing_token: u64,
    until: Instant,
}

impl Row {
    fn is_held(&self) -> bool {
        Instant::now() < self.until
    }

    fn holder(&self, key: &Key) -> Holder {
        let mut holder = Holder::new(key.clone(), self.owner.clone());
        holder.fencing_token = Some(self.fencing_token);
        holder.expires_in = Some(self.until.saturating_duration_since(Instant::now()));
        holder
    }
}

impl Table {
    fn rows(&self) -> MutexGuard<'_, HashMap<Key, Row>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the row of this very lease another end; somebody else's is left alone.
    fn set_end(&self, lease: &Lease, ttl: Duration) -> bool {
        match self.rows().get_mut(&lease.key) {
            Some(row) if row.is_held() && row.owner == lease.owner => {
                row.until = Instant::now() + ttl;
                true
            }
            _ => false,
        }
    }
}

impl Backend for Table {
    fn capabilities(&self) -> Capabilities {
        let mut can = Capabilities::default();
        can.immediate = true; // a look-up in memory needs no background thread
        can.across_processes = false; // it would, were the table somewhere else
        can.across_hosts = false;
        can
    }

    fn try_acquire<'a>(&'a self, request: &'a Request) -> Answer<'a, Attempt> {
        let mut rows = self.rows();
        let attempt = match rows.get(&request.key) {
            Some(row) if row.is_held() && row.owner != request.owner => Attempt::Held {
                holder: Some(Box::new(row.holder(&request.key))),
                free_in: Some(row.until.saturating_duration_since(Instant::now())),
            },
            // Asked again by the owner that has it: the same lease, or a lost answer would lock its asker out.
            row => {
                let token = match row {
                    Some(row) if row.is_held() => row.fencing_token,
                    Some(row) => row.fencing_token + 1,
                    None => 1,
                };
                let until = Instant::now() + request.ttl.get();
                rows.insert(
                    request.key.clone(),
                    Row { owner: request.owner.clone(), fencing_token: token, until },
                );
                Attempt::Granted(Lease::new(request.key.clone(), request.owner.clone(), token, request.ttl))
            }
        };
        answer(attempt)
    }

    fn renew<'a>(&'a self, lease: &'a Lease, ttl: Ttl) -> Answer<'a, bool> {
        answer(self.set_end(lease, ttl.get()))
    }

    fn release<'a>(&'a self, lease: &'a Lease) -> Answer<'a, bool> {
        answer(self.set_end(lease, Duration::ZERO))
    }

    fn holder<'a>(&'a self, key: &'a Key) -> Answer<'a, Option<Holder>> {
        answer(self.rows().get(key).filter(|row| row.is_held()).map(|row| row.holder(key)))
    }

    fn held<'a>(&'a self, prefix: &'a str) -> Answer<'a, Vec<Holder>> {
        let rows = self.rows();
        let held = rows.iter().filter(|(key, row)| row.is_held() && key.as_str().starts_with(prefix));
        answer(held.map(|(key, row)| row.holder(key)).collect())
    }

    fn force_release<'a>(&'a self, key: &'a Key) -> Answer<'a, bool> {
        let freed =
            self.rows().get_mut(key).filter(|row| row.is_held()).map(|row| row.until = Instant::now());
        answer(freed.is_some())
    }

    fn ping(&self) -> Answer<'_, ()> {
        answer(())
    }
}

fn answer<'a, T: Send + 'a>(value: T) -> Answer<'a, T> {
    Box::pin(std::future::ready(Ok(value)))
}

type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

fn main() -> Result<()> {
    // Two lockers share nothing but the table, as two processes would.
    let table = Table::default();
    let (here, there) = (Locker::with_backend(table.clone()), Locker::with_backend(table));

    let guard = here.lock("stock").acquire()?;
    println!("here:  token {}", guard.fencing_token());
    let refused = there.lock("stock").try_acquire()?;
    println!("there: {}", there.lock("stock").holder()?.ok_or("nobody holds it")?);
    ensure(refused.is_none())?;

    let first = guard.fencing_token();
    let waiter = thread::spawn(move || there.lock("stock").wait(Duration::from_secs(5)).acquire());
    thread::sleep(Duration::from_millis(50));
    guard.release()?;
    let second = waiter.join().map_err(|_| "the waiter failed")??;
    println!("there: token {}, after waiting for here", second.fencing_token());
    ensure(first < second.fencing_token())?;
    second.release()?;

    // A holder that stops renewing, as one that died would: nobody announces the end of its lease.
    let silent = here.lock("stock").ttl(Duration::from_millis(300)).renew(false).acquire()?;
    let asked = Instant::now();
    let heir = here.lock("stock").wait(Duration::from_secs(5)).acquire()?;
    println!("heir:  token {}, after {:?}", heir.fencing_token(), asked.elapsed());
    let Err(lost) = silent.check() else { return ensure(false) };
    println!("silent: {lost}");
    ensure(lost.is_lost() && heir.is_held())
}

fn ensure(shown: bool) -> Result<()> {
    if shown { Ok(()) } else { Err("that is not what this example claims".into()) }
}
