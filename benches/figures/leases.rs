//! What leases cost that are held and renewed, and do nothing else.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use benches::{
    Result, machine, part,
    report::{Demand, Row},
};
use lock::{
    Backend, Holder, Key, Lease, Locker, Owner, Ttl,
    backend::{Answer, Attempt, Capabilities, Request},
};

use crate::Effort;

const LEASES: u32 = 10_000;

pub(crate) fn measure(effort: Effort) -> Result<Vec<Row>> {
    // Whole periods of renewal, which is due whenever a third of the ttl has passed.
    let cases: &[(&str, &str)] = if effort.quick { &[("3", "3")] } else { &[("30", "20"), ("3", "10")] };
    let mut rows = Vec::new();
    for (ttl, seconds) in cases {
        let [used, threads] = part::numbers("leases", &[ttl, seconds])?;
        let figure = format!("leases: idle, 10,000 renewed every third of {ttl} s, % of a core");
        rows.push(Row::alone(&figure, format!("{used:.2} %"), used, Demand::Shown));
        let figure = format!("leases: threads for 10,000 of {ttl} s");
        rows.push(Row::alone(&figure, threads.to_string(), threads, Demand::AtMost(0.0)));
    }
    Ok(rows)
}

/// Holds leases, and prints how much of a core that takes and the threads that it took.
pub(crate) fn idle(ttl: u64, seconds: u64) -> Result {
    let locker = Locker::with_backend(Store::default());
    let ttl = Duration::from_secs(ttl);
    let _first = locker.lock("first").ttl(ttl).acquire()?;
    let threads = machine::threads()?;
    let mut guards = Vec::new();
    for number in 0..LEASES {
        guards.push(locker.lock(format!("lease:{number}")).ttl(ttl).acquire()?);
    }
    let threads = machine::threads()? - threads;
    let (begun, used) = (Instant::now(), machine::processor_time());
    thread::sleep(Duration::from_secs(seconds));
    let (passed, used) = (begun.elapsed(), machine::processor_time().saturating_sub(used));
    if let Some(lost) = guards.iter().find(|guard| !guard.is_held()) {
        return Err(format!("{} was lost", lost.key()).into());
    }
    println!("{} {threads}", used.as_secs_f64() / passed.as_secs_f64() * 100.0);
    Ok(())
}

/// Leases in this process, by the rules of a server: what is measured is the engine, not a network.
#[derive(Debug, Default)]
struct Store(Mutex<HashMap<Key, Granted>>);

#[derive(Debug)]
struct Granted {
    owner: Owner,
    token: u64,
    until: Instant,
}

impl Granted {
    fn holder(&self, key: &Key) -> Option<Holder> {
        (Instant::now() < self.until).then(|| {
            let mut holder = Holder::new(key.clone(), self.owner.clone());
            holder.fencing_token = Some(self.token);
            holder
        })
    }
}

impl Store {
    fn all(&self) -> MutexGuard<'_, HashMap<Key, Granted>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn grant(&self, request: &Request) -> Attempt {
        let (mut all, now) = (self.all(), Instant::now());
        let until = now + request.ttl.get();
        let token = match all.get(&request.key) {
            Some(granted) if granted.owner == request.owner => granted.token,
            Some(granted) if now < granted.until => return Attempt::held(),
            Some(granted) => granted.token + 1,
            None => 1,
        };
        all.insert(request.key.clone(), Granted { owner: request.owner.clone(), token, until });
        Attempt::Granted(Lease::new(request.key.clone(), request.owner.clone(), token, request.ttl))
    }

    fn last_until(&self, lease: &Lease, until: impl Fn(Instant) -> Instant) -> bool {
        let (mut all, now) = (self.all(), Instant::now());
        let ours = |granted: &&mut Granted| granted.owner == lease.owner && now < granted.until;
        let Some(granted) = all.get_mut(&lease.key).filter(ours) else { return false };
        granted.until = until(granted.until);
        true
    }
}

impl Backend for Store {
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    fn try_acquire<'a>(&'a self, request: &'a Request) -> Answer<'a, Attempt> {
        Box::pin(async move { Ok(self.grant(request)) })
    }

    fn renew<'a>(&'a self, lease: &'a Lease, ttl: Ttl) -> Answer<'a, bool> {
        Box::pin(async move { Ok(self.last_until(lease, |until| until.max(Instant::now() + ttl.get()))) })
    }

    fn release<'a>(&'a self, lease: &'a Lease) -> Answer<'a, bool> {
        Box::pin(async move { Ok(self.last_until(lease, |_| Instant::now())) })
    }

    fn holder<'a>(&'a self, key: &'a Key) -> Answer<'a, Option<Holder>> {
        Box::pin(async move { Ok(self.all().get(key).and_then(|granted| granted.holder(key))) })
    }

    fn held<'a>(&'a self, prefix: &'a str) -> Answer<'a, Vec<Holder>> {
        Box::pin(async move {
            let all = self.all();
            let named = all.iter().filter(|(key, _)| key.as_str().starts_with(prefix));
            Ok(named.filter_map(|(key, granted)| granted.holder(key)).collect())
        })
    }

    fn force_release<'a>(&'a self, key: &'a Key) -> Answer<'a, bool> {
        Box::pin(async move { Ok(self.all().remove(key).is_some()) })
    }

    fn ping(&self) -> Answer<'_, ()> {
        Box::pin(async { Ok(()) })
    }
}
