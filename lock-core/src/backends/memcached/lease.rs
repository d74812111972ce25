//! What is asked of the server for each operation, and in which order.
//!
//! A lock is a number, the first 64 bits of the SHA-256 of its owner: a number can be made if it is not there, and be
//! kept for longer, in its place and without room for another. All that is said of an item is said of what was just read
//! of it, on the same connection: the CAS numbers of a server begin anew when it is restarted.
//!
//! What may interleave: between any two exchanges the lock may run out, be evicted, be forgotten by a restart, be taken
//! by somebody else, or be prolonged by ourselves. A restart ends the connection. All else changes the CAS number, so
//! that what is said on an old one is refused; then it is looked at again.
//!
//! The fencing token is taken **after** the lock. The engine believes in a lease only if its ttl, counted from before
//! the request, has not passed when the answer is there; so the token was taken within the very life of the item on the
//! server that the next holder has to wait for, and is lower than his. Taken before the lock, it could be higher than that
//! of a holder who came and went in between.

use std::time::Duration;

use super::{
    life,
    link::Lent,
    names::{self, Names},
    next::{self, Awaited, Next},
    record::Record,
    wire::{Broken, Command, Outcome, Reply},
};
use crate::{
    backend::{Attempt, Fault, Request},
    clock,
    key::Key,
    lease::{Holder, Lease, Owner, Ttl},
};

/// How much longer than its lease the last token is kept, for the next one to be higher also if the clock of who takes
/// it is behind. What is kept longer piles up, where every key is used once.
const KEPT: u64 = 10 * 60;

/// How often an item is looked at again that has changed since.
const LOOKS: u32 = 16;

/// How the lock of a key stands.
enum Found {
    Free,
    Ours { cas: u64, left: Option<u64> },
    Others,
}

/// The lock of a key and of an owner.
pub(super) struct Mine<'a> {
    key: &'a Key,
    owner: &'a Owner,
    names: Names,
    number: u64,
    awaited: &'a Awaited,
}

impl<'a> Mine<'a> {
    pub(super) fn new(key: &'a Key, owner: &'a Owner, awaited: &'a Awaited) -> Self {
        Self { key, owner, names: Names::of(key), number: number_of(owner), awaited }
    }

    pub(super) async fn acquire(
        &self,
        lent: &mut Lent,
        request: &Request,
        host: &str,
    ) -> Result<Attempt, Fault> {
        if request.give_way
            && self.awaited.has(self.key)
            && let Some(held) = self.is_for_another(lent).await?
        {
            return Ok(held);
        }
        let ttl = life::seconds(request.ttl.get());
        let life = life::sent(lent, ttl).await?;
        let asked = lent.exchange([
            Command::look(names::CLOCK),
            Command::add(&self.names.lock, self.number, life),
            Command::look(&self.names.holder),
            Command::look(&self.names.token),
            Command::look(&self.names.lock),
            Command::look(&self.names.next),
        ]);
        let [clock, added, record, counted, lock, next] = match asked.await {
            Err(broken) if broken.is_about_a_foreign_item => return Ok(Attempt::held()),
            answer => answer?,
        };
        let added = added.outcome == Outcome::Done && added.number() == Some(self.number);
        let next = self.note(&next);
        let found = self.found(&lock)?;
        let lasts = matches!(found, Found::Ours { .. }) && lent.behind(&clock).await? == 0 && added;
        match found {
            Found::Ours { .. } if lasts => {}
            // Its answer was lost, or it may end too soon.
            Found::Ours { .. } if self.keep(lent, ttl).await? => {}
            Found::Others => {
                if request.give_way {
                    self.be_next(lent, next).await;
                }
                return Ok(held(self.key, &record, &counted, &lock));
            }
            // It went away meanwhile.
            Found::Free | Found::Ours { .. } => {
                return Ok(Attempt::Held { holder: None, free_in: Some(Duration::ZERO) });
            }
        }
        let reserve = u64::from(request.reserve.max(1));
        let kept = life::sent(lent, ttl + KEPT).await?;
        let last = self.count(lent, reserve, counted.number(), life, kept, host).await?;
        if let Next::Us { cas, .. } = next {
            self.order(lent, Command::remove(&self.names.next, cas)).await;
        }
        let mut lease = Lease::new(self.key.clone(), self.owner.clone(), last - (reserve - 1), request.ttl);
        lease.reserved = request.reserve.max(1);
        Ok(Attempt::Granted(lease))
    }

    /// Looks before it asks: the refusal, if somebody else still is the next one.
    async fn is_for_another(&self, lent: &mut Lent) -> Result<Option<Attempt>, Fault> {
        let [record, counted, lock, next] = lent
            .exchange([
                Command::look(&self.names.holder),
                Command::look(&self.names.token),
                Command::look(&self.names.lock),
                Command::look(&self.names.next),
            ])
            .await?;
        // What is ours already, after an answer that was lost, is found out by asking.
        let is = self.note(&next) == Next::Others && lock.number() != Some(self.number);
        Ok(is.then(|| held(self.key, &record, &counted, &lock)))
    }

    fn note(&self, next: &Reply) -> Next {
        let next = Next::of(next, self.number);
        self.awaited.note(self.key, next);
        next
    }

    /// Has the caller be the next one, unless somebody else is.
    async fn be_next(&self, lent: &mut Lent, next: Next) {
        let name = &self.names.next;
        let command = match next {
            Next::Nobody => Command::write_new(name, self.number.to_string(), next::LASTS),
            Next::Us { ends: true, .. } => Command::touch(name, next::LASTS),
            Next::Us { ends: false, .. } | Next::Others => return,
        };
        self.order(lent, command).await;
    }

    /// Does what only the order of waiters depends on: what was granted or refused stays so if it fails.
    async fn order(&self, lent: &mut Lent, command: Command) {
        if let Err(broken) = lent.exchange([command]).await {
            tracing::debug!(key = %self.key, ?broken, "who waits may be overtaken");
        }
    }

    /// Has the caller not be the next one any more.
    pub(super) async fn give_up(&self, lent: &mut Lent) -> Result<(), Fault> {
        let [next] = lent.exchange([Command::look(&self.names.next)]).await?;
        if let Next::Us { cas, .. } = Next::of(&next, self.number) {
            lent.exchange([Command::remove(&self.names.next, cas)]).await?;
        }
        Ok(())
    }

    /// The last of so many new tokens, none of them below the clock; also leaves a record. `known`: what the last one was.
    ///
    /// The number on the server may be lost, and be made anew by a request that was under way for long, with the time at
    /// which it was sent: so the clock counts also where there is a number.
    async fn count(
        &self,
        lent: &mut Lent,
        by: u64,
        mut known: Option<u64>,
        life: u64,
        kept: u64,
        host: &str,
    ) -> Result<u64, Fault> {
        let record = Record::new(self.owner, host).to_string();
        let at_least = clock::unix_micros() + by.saturating_sub(1);
        for _ in 0..LOOKS {
            // None at all: the one that is there is the one to be told.
            let more = if by == 0 { 0 } else { by.max(at_least.saturating_sub(known.unwrap_or(at_least))) };
            let [counted, _] = lent
                .exchange([
                    Command::count(&self.names.token, more, at_least, kept),
                    Command::write(&self.names.holder, record.clone(), life),
                ])
                .await?;
            known = counted.number();
            match known {
                Some(last) if by == 0 || last >= at_least => return Ok(last),
                Some(_) => {}
                None => break,
            }
        }
        Err(Fault::failed("the last fencing token is no number, or is set back again and again")
            .maybe_executed())
    }

    pub(super) async fn adopt(
        &self,
        lent: &mut Lent,
        ttl: Ttl,
        host: &str,
    ) -> Result<Option<Attempt>, Fault> {
        let seconds = life::seconds(ttl.get());
        let [record, counted, lock] = self.look(lent).await?;
        match self.found(&lock)? {
            Found::Ours { .. } if self.keep(lent, seconds).await? => {
                let life = life::sent(lent, seconds).await?;
                // The last of his block, which is his if he has only one.
                let kept = life::sent(lent, seconds + KEPT).await?;
                let last = self.count(lent, 0, None, life, kept, host).await?;
                let lease = Lease::new(self.key.clone(), self.owner.clone(), last, ttl);
                Ok(Some(Attempt::Granted(lease)))
            }
            Found::Others => Ok(Some(held(self.key, &record, &counted, &lock))),
            Found::Free | Found::Ours { .. } => Ok(None),
        }
    }

    /// Lets it live at least so many seconds from now on. `false`: it is not ours.
    pub(super) async fn keep(&self, lent: &mut Lent, seconds: u64) -> Result<bool, Fault> {
        let mut wanted = seconds;
        for _ in 0..LOOKS {
            let life = life::sent(lent, wanted).await?;
            let [clock, lock] =
                lent.exchange([Command::look(names::CLOCK), Command::look(&self.names.lock)]).await?;
            let Found::Ours { cas, left } = self.found(&lock)? else { return Ok(false) };
            let behind = lent.behind(&clock).await?;
            // Another renewal has come first, for longer.
            if left.is_none_or(|left| left >= seconds + behind) {
                return Ok(true);
            }
            if wanted < seconds + behind {
                wanted = seconds + behind;
                continue;
            }
            let [clock, kept, _] = lent
                .exchange([
                    Command::look(names::CLOCK),
                    Command::keep(&self.names.lock, cas, life),
                    Command::touch(&self.names.holder, life),
                ])
                .await?;
            let behind = lent.behind(&clock).await?;
            if kept.outcome == Outcome::Done && wanted >= seconds + behind {
                return Ok(true);
            }
            wanted = wanted.max(seconds + behind);
        }
        Err(changing())
    }

    pub(super) async fn release(&self, lent: &mut Lent) -> Result<bool, Fault> {
        for _ in 0..LOOKS {
            let [lock, next] =
                lent.exchange([Command::look(&self.names.lock), Command::look(&self.names.next)]).await?;
            self.note(&next);
            let Found::Ours { cas, .. } = self.found(&lock)? else { return Ok(false) };
            let [removed] = lent.exchange([Command::remove(&self.names.lock, cas)]).await?;
            if removed.outcome == Outcome::Done {
                return Ok(true);
            }
        }
        Err(changing())
    }

    async fn look(&self, lent: &mut Lent) -> Result<[Reply; 3], Fault> {
        Ok(look(lent, &self.names).await?)
    }

    fn found(&self, lock: &Reply) -> Result<Found, Fault> {
        if lock.outcome != Outcome::Done {
            return Ok(Found::Free);
        }
        if lock.number() != Some(self.number) {
            return Ok(Found::Others);
        }
        let left = lock.left.and_then(|left| u64::try_from(left).ok());
        match lock.cas {
            None | Some(0) => Err(Fault::failed(
                "the server gives items no CAS numbers; accepted is one that is not started with -C",
            )
            .maybe_executed()
            .permanent()),
            Some(cas) => Ok(Found::Ours { cas, left }),
        }
    }
}

/// Who holds a key.
pub(super) async fn find_holder(lent: &mut Lent, key: &Key) -> Result<Option<Holder>, Fault> {
    let [record, counted, lock] = look(lent, &Names::of(key)).await?;
    Ok(holder(key, &record, &counted, &lock))
}

/// Frees a key.
pub(super) async fn force(lent: &mut Lent, key: &Key) -> Result<bool, Fault> {
    let [removed] = lent.exchange([Command::remove_any(&Names::of(key).lock)]).await?;
    Ok(removed.outcome == Outcome::Done)
}

/// The record, the last token and the lock. In this order: if the lock is that of the record, nobody has taken a token
/// in between.
async fn look(lent: &mut Lent, names: &Names) -> Result<[Reply; 3], Broken> {
    lent.exchange([Command::look(&names.holder), Command::look(&names.token), Command::look(&names.lock)])
        .await
}

fn held(key: &Key, record: &Reply, counted: &Reply, lock: &Reply) -> Attempt {
    let holder = holder(key, record, counted, lock).map(Box::new);
    let free_in = holder.as_ref().and_then(|holder| holder.expires_in);
    Attempt::Held { holder, free_in }
}

fn holder(key: &Key, record: &Reply, counted: &Reply, lock: &Reply) -> Option<Holder> {
    let value = lock.value.as_ref()?;
    let record = record.value.as_ref().and_then(|line| Record::parse(line));
    let mut holder = match record.filter(|record| lock.number() == Some(number_of(&record.owner))) {
        Some(record) => {
            let mut holder = record.into_holder(key);
            holder.fencing_token = counted.number();
            holder
        }
        // A foreign client's, or one whose record was evicted.
        None => Holder::new(key.clone(), String::from_utf8_lossy(value).parse().ok()?),
    };
    holder.expires_in = lock.left.and_then(|left| u64::try_from(left).ok()).map(Duration::from_secs);
    Some(holder)
}

/// What stands for an owner.
fn number_of(owner: &Owner) -> u64 {
    let hash = hmac_sha256::Hash::hash(owner.text(&mut [0; 32]).as_bytes());
    hash.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn changing() -> Fault {
    Fault::failed("the lock was changed by somebody else again and again").maybe_executed()
}
