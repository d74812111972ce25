//! What a backend grants, and to whom.

use std::{
    fmt::{self, Write},
    str::FromStr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use crate::{clock::Moment, error::Error, key::Key, randomness};

/// A number that grows with every grant of a key.
///
/// Send it along with what you write, and let the written resource refuse a number lower than the highest it has
/// seen: then a holder that was paused for too long cannot overwrite its successor's work.
/// Fits into a signed 64-bit column, and below 2^53.
pub type FencingToken = u64;

/// Who holds a lock: a token that is new for every acquisition.
///
/// ```
/// use lock_core::Owner;
///
/// let owner = Owner::random()?;
/// assert_eq!(owner.to_string().len(), 32);
/// assert_eq!(owner.to_string().parse::<Owner>()?, owner);
/// # Ok::<(), lock_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Owner(Token);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Token {
    /// 32 lower-case hexadecimal digits as text.
    Random(u128),
    /// Chosen by the caller, or found in the store.
    Named(Arc<str>),
}

impl Owner {
    /// The longest owner that can be chosen, in bytes.
    const LONGEST: usize = 255;

    /// A new owner: 128 random bits from the operating system, and the time.
    ///
    /// # Errors
    /// [`Error::Config`] if the operating system has no randomness to give.
    pub fn random() -> Result<Self, Error> {
        randomness::bits()
            .map(Self::from_bits)
            .map_err(|error| Error::config(format!("no random numbers from the operating system: {error}")))
    }

    pub(crate) const fn from_bits(bits: u128) -> Self {
        Self(Token::Random(bits))
    }

    /// What is displayed, without the detour over formatting.
    pub(crate) fn text<'a>(&'a self, space: &'a mut [u8; 32]) -> &'a str {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        match &self.0 {
            Token::Random(bits) => {
                for (pair, byte) in space.chunks_exact_mut(2).zip(bits.to_be_bytes()) {
                    pair[0] = DIGITS[usize::from(byte >> 4)];
                    pair[1] = DIGITS[usize::from(byte & 15)];
                }
                str::from_utf8(space).unwrap_or_default()
            }
            Token::Named(text) => text,
        }
    }
}

impl FromStr for Owner {
    type Err = Error;

    /// Takes any printable text of 1 to 255 bytes.
    fn from_str(text: &str) -> Result<Self, Error> {
        let hexadecimal = text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if hexadecimal && let Ok(bits) = u128::from_str_radix(text, 16) {
            return Ok(Self::from_bits(bits));
        }
        if text.is_empty() || text.len() > Self::LONGEST || text.chars().any(char::is_control) {
            return Err(Error::config(format!(
                "owner {:?} is not one: accepted are 1 to 255 bytes of text without control characters",
                crate::error::excerpt(text)
            )));
        }
        Ok(Self(Token::Named(text.into())))
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Token::Random(bits) => write!(f, "{bits:032x}"),
            Token::Named(text) => f.write_str(text),
        }
    }
}

impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Owner({self})")
    }
}

/// How long a lease outlives a holder that died: 100 ms to 10 years.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ttl(Duration);

impl Ttl {
    /// The shortest: below it, the safety margin would leave nothing of the lease.
    pub const MIN: Self = Self(Duration::from_millis(100));
    /// The longest: longer is no lease but a lock for ever, and overflows the clocks of some servers.
    pub const MAX: Self = Self(Duration::from_hours(10 * 365 * 24));
    /// What a store with ticks of a second can keep at least.
    #[cfg(feature = "memcached")]
    pub(crate) const SECOND: Self = Self(Duration::from_secs(1));
    #[cfg(feature = "memcached")]
    pub(crate) const YEAR: Self = Self(Duration::from_hours(365 * 24));
    /// What is used where nothing is configured: 30 s.
    pub const DEFAULT: Self = Self(Duration::from_secs(30));

    /// # Errors
    /// [`Error::Config`] if `ttl` is not within 100 ms and 10 years.
    pub fn new(ttl: Duration) -> Result<Self, Error> {
        if (Self::MIN.0..=Self::MAX.0).contains(&ttl) {
            Ok(Self(ttl))
        } else {
            Err(Error::config(format!("ttl {ttl:?} is out of range: accepted are 100ms to 10 years")))
        }
    }

    /// The ttl as a duration.
    pub const fn get(self) -> Duration {
        self.0
    }

    /// What a holder stays short of the end of its lease: 1 %, at least 20 ms.
    pub(crate) fn margin(self) -> Duration {
        (self.0 / 100).max(Duration::from_millis(20))
    }

    /// Until when a holder may believe in a lease whose request was sent at `sent`.
    pub(crate) fn deadline(self, sent: Moment) -> Moment {
        sent.after(self.0.saturating_sub(self.margin()))
    }
}

impl Default for Ttl {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// What a backend granted: this key, to this owner, for so long, under this number.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lease {
    /// The key, prefix included.
    pub key: Key,
    /// The owner of this very acquisition.
    pub owner: Owner,
    /// Higher than that of every earlier lease of the key.
    pub fencing_token: FencingToken,
    /// How many fencing tokens, `fencing_token` included, are this lease's to give out inside its process.
    pub reserved: u32,
    /// For how long it was granted.
    pub ttl: Ttl,
}

impl Lease {
    /// A lease with a single fencing token.
    pub const fn new(key: Key, owner: Owner, fencing_token: FencingToken, ttl: Ttl) -> Self {
        Self { key, owner, fencing_token, reserved: 1, ttl }
    }
}

/// Who holds a lock, as far as the store knows.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Holder {
    /// The key, prefix included.
    pub key: Key,
    /// The owner token of the hold.
    pub owner: Owner,
    /// The hold's fencing token; `None` for a holder that is not of this library.
    pub fencing_token: Option<FencingToken>,
    /// The host the holder runs on.
    pub host: Option<String>,
    /// The holder's process.
    pub pid: Option<u32>,
    /// When it was acquired, by the clock of the holder or of the server.
    pub acquired_at: Option<SystemTime>,
    /// When it ends if nobody renews it; `None` if it lasts as long as its process.
    pub expires_in: Option<Duration>,
}

impl Holder {
    /// A holder of which only the key and the owner are known.
    pub const fn new(key: Key, owner: Owner) -> Self {
        Self { key, owner, fencing_token: None, host: None, pid: None, acquired_at: None, expires_in: None }
    }
}

impl Holder {
    /// All that is known but the key.
    pub(crate) fn whereabouts(&self) -> String {
        let mut text = match (self.pid, &self.host) {
            (Some(pid), Some(host)) => format!("held by process {pid} on {host}"),
            (Some(pid), None) => format!("held by process {pid}"),
            (None, Some(host)) => format!("held by a process on {host}"),
            (None, None) => format!("held by owner {}", self.owner),
        };
        let span = |duration| humantime::format_duration(Duration::from_millis(millis(duration)));
        if let Some(age) = self.acquired_at.and_then(|at| at.elapsed().ok()) {
            let _ = write!(text, " since {}", span(age));
        }
        if let Some(left) = self.expires_in {
            let _ = write!(text, ", for {} more", span(left));
        }
        text
    }
}

impl fmt::Display for Holder {
    /// `"order:7" held by process 4711 on web-1 since 2.5s, for 27s more`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", self.key, self.whereabouts())
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ttl_out_of_range_is_refused() {
        for wrong in [Duration::ZERO, Duration::from_millis(99), Duration::MAX] {
            assert!(Ttl::new(wrong).is_err(), "{wrong:?}");
        }
        assert!(Ttl::new(Duration::from_millis(100)).is_ok());
    }

    #[test]
    fn the_margin_is_a_hundredth_and_at_least_20_ms() {
        let margin = |ms| Ttl(Duration::from_millis(ms)).margin();
        assert_eq!(margin(100), Duration::from_millis(20));
        assert_eq!(margin(30_000), Duration::from_millis(300));
    }

    #[test]
    fn the_text_of_an_owner_is_what_is_displayed() {
        let random = [0, 1, 0x0123_4567_89ab_cdef_fedc_ba98_7654_3210, u128::MAX].map(Owner::from_bits);
        for owner in random.into_iter().chain("worker 7".parse()) {
            assert_eq!(owner.text(&mut [0; 32]), owner.to_string());
        }
    }

    #[test]
    fn owners_are_told_apart_by_their_text() {
        let parse = |text: &str| text.parse::<Owner>().ok();
        assert_ne!(parse(&"a".repeat(32)), parse(&"A".repeat(32)));
        assert_eq!(parse(&"A".repeat(32)).map(|o| o.to_string()), Some("A".repeat(32)));
        assert_eq!(parse(""), None);
        assert_eq!(parse("line\nbreak"), None);
    }

    #[test]
    fn a_holder_reads_as_a_sentence() {
        let mut holder = Holder::new(Key::from("k"), Owner::from_bits(1));
        holder.pid = Some(7);
        holder.host = Some("web-1".into());
        holder.expires_in = Some(Duration::from_secs(27));
        assert_eq!(holder.to_string(), r#""k" held by process 7 on web-1, for 27s more"#);
    }
}
