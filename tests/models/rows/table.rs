//! The row, and what each statement does to it.

use super::world::{Owner, Tick, Token};

/// How long a lease lasts.
pub(crate) const TTL: Tick = 3;
/// How long a free key is kept for the first in line.
pub(crate) const WINDOW: Tick = 1;
/// How many in line a release names.
const NAMED: usize = 2;
/// How many tokens a request reserves.
pub(crate) const BLOCK: Token = 6;
/// How long after its last lease a row is pruned.
const KEPT: Tick = 1;

/// The token that a row begins with, by the time of day.
const fn first_token(now: Tick) -> Token {
    now as Token * 4
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Row {
    pub(crate) owner: Owner,
    pub(crate) token: Token,
    last: Token,
    pub(crate) expires: Tick,
    pub(crate) line: Vec<Owner>,
}

/// Something built in that must be found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Mistake {
    /// A release removes the row, and the token with it.
    ReleaseRemoves,
    /// A release asks only whether somebody has the key.
    ReleaseOfAnybodys,
    /// Who is refused gets in line, whatever has become of the key meanwhile.
    LineForAFreeKey,
    /// Who waits does not mind those who waited before.
    WindowIgnored,
    /// Nobody is told of a release.
    TellsNobody,
    /// Nobody looks by himself.
    NoTimer,
    /// Who holds the key by then gets in line, as a request of his was late.
    WaitsForHimself,
    /// A row is pruned though its tokens are ahead of the clock.
    PrunesTooMuch,
    /// The client counts its lease from the answer.
    DeadlineFromAnswer,
}

/// What a row says to one who was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Told {
    /// The lease is the asker's own.
    pub(crate) own: bool,
    pub(crate) in_line: bool,
    /// When it is his turn.
    pub(crate) free_in: Tick,
}

/// The table, of one key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Table(pub(crate) Option<Row>);

impl Row {
    fn is_held(&self, now: Tick) -> bool {
        self.expires > now
    }

    /// Whether an owner may take it.
    fn is_for(&self, owner: Owner, now: Tick) -> bool {
        let first = self.line.first().is_none_or(|first| *first == owner);
        !self.is_held(now) && (first || self.expires + WINDOW <= now)
    }

    fn told(&self, owner: Owner, now: Tick) -> Told {
        let place = self.line.iter().position(|waits| *waits == owner);
        let left = self.expires.saturating_sub(now);
        let first = place == Some(0) || self.line.is_empty();
        Told {
            own: self.owner == owner && self.is_held(now),
            in_line: place.is_some(),
            free_in: if first { left } else { (self.expires + WINDOW).saturating_sub(now) },
        }
    }
}

impl Table {
    /// acquire.sql
    pub(crate) fn acquire(&mut self, owner: Owner, now: Tick, mistake: Option<Mistake>) -> Option<Token> {
        let Some(row) = &mut self.0 else {
            let token = first_token(now);
            let last = token + BLOCK - 1;
            self.0 = Some(Row { owner, token, last, expires: now + TTL, line: Vec::new() });
            return Some(token);
        };
        let ignored = mistake == Some(Mistake::WindowIgnored) && !row.is_held(now);
        if !row.is_for(owner, now) && !ignored {
            return None;
        }
        // All in line up to the owner have had their turn; if he is not in line, the first of it has missed his.
        let served = row.line.iter().position(|waits| *waits == owner).unwrap_or(0) + 1;
        row.line.drain(..served.min(row.line.len()));
        row.owner = owner;
        row.token = (row.last + 1).max(first_token(now));
        row.last = row.token + BLOCK - 1;
        row.expires = now + TTL;
        Some(row.token)
    }

    /// `stand_in_line.sql`. `None`: the key may be had.
    pub(crate) fn stand_in_line(
        &mut self,
        owner: Owner,
        now: Tick,
        mistake: Option<Mistake>,
    ) -> Option<Told> {
        let row = self.0.as_mut()?;
        if row.is_for(owner, now) && mistake != Some(Mistake::LineForAFreeKey) {
            return None;
        }
        let own = row.owner == owner && row.is_held(now);
        if !row.line.contains(&owner) && (!own || mistake == Some(Mistake::WaitsForHimself)) {
            row.line.push(owner);
        }
        Some(row.told(owner, now))
    }

    /// look.sql
    pub(crate) fn look(&self, owner: Owner, now: Tick) -> Option<Told> {
        self.0.as_ref().map(|row| row.told(owner, now))
    }

    /// renew.sql; the token, if it was done.
    pub(crate) fn renew(&mut self, owner: Owner, now: Tick) -> Option<Token> {
        let row = self.0.as_mut().filter(|row| row.owner == owner && row.is_held(now))?;
        row.expires = row.expires.max(now + TTL);
        Some(row.token)
    }

    /// release.sql; who is named, if it was done.
    pub(crate) fn release(
        &mut self,
        owner: Owner,
        now: Tick,
        mistake: Option<Mistake>,
    ) -> Option<Vec<Owner>> {
        let row = self.0.as_mut().filter(|row| row.is_held(now))?;
        if row.owner != owner && mistake != Some(Mistake::ReleaseOfAnybodys) {
            return None;
        }
        row.expires = now;
        let named = row.line.iter().take(NAMED).copied().collect();
        if mistake == Some(Mistake::ReleaseRemoves) {
            self.0 = None;
        }
        Some(named)
    }

    /// `leave_line.sql`; who is named, if the key is free and somebody is left.
    pub(crate) fn leave_line(&mut self, owner: Owner, now: Tick) -> Option<Vec<Owner>> {
        let row = self.0.as_mut().filter(|row| row.line.contains(&owner))?;
        row.line.retain(|waits| *waits != owner);
        let tell = !row.line.is_empty() && !row.is_held(now);
        tell.then(|| row.line.iter().take(NAMED).copied().collect())
    }

    /// prune.sql
    pub(crate) fn prune(&mut self, now: Tick, mistake: Option<Mistake>) -> bool {
        let behind = |row: &Row| row.last < first_token(now) || mistake == Some(Mistake::PrunesTooMuch);
        let pruned = self.0.take_if(|row| row.expires + KEPT <= now && behind(row));
        pruned.is_some()
    }
}
