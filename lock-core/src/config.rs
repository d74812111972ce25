//! Settings of a locker, and how they are laid over each other.

use std::time::Duration;

use crate::{
    error::{Error, Result, excerpt},
    lease::Ttl,
    wait::Retry,
};

/// What is put in front of every key where nothing else is said.
pub const DEFAULT_PREFIX: &str = "lock:";

/// The settings that a URL, the environment or a program may give; what is `None` is left to the next layer.
///
/// ```
/// use lock_core::{Locker, Settings};
///
/// let settings = Settings { prefix: Some("app:".into()), ..Settings::default() };
/// let locker = Locker::open_with("memory://doc-settings?ttl=10s", &settings)?;
/// assert_eq!(locker.lock("job").acquire()?.key(), "app:job");
/// # Ok::<(), lock_core::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// What is put in front of every key. Default: `lock:`.
    pub prefix: Option<String>,
    /// How long a lock outlives a holder that died. Default: 30 s.
    pub ttl: Option<Duration>,
    /// How often to look again where nothing can notify. Default: 100 ms.
    pub retry: Option<Duration>,
    /// Whether dropping a guard releases its lock. Default: yes.
    pub release_on_drop: Option<bool>,
}

impl Settings {
    /// The names of the settings, as they stand in a URL's query.
    pub const NAMES: [&str; 4] = ["prefix", "retry", "ttl", "release_on_drop"];

    /// Reads one setting from text.
    ///
    /// # Errors
    /// [`Error::Config`] naming what was given and what is accepted; `place` says where it was found.
    pub fn set(&mut self, name: &str, value: &str, place: &str) -> Result<()> {
        match name {
            "prefix" => self.prefix = Some(prefix(value, place)?),
            "ttl" => self.ttl = Some(in_place(place, Ttl::new(duration(value, place)?))?.get()),
            "retry" => {
                let retry = duration(value, place)?;
                in_place(place, Retry::new(retry))?;
                self.retry = Some(retry);
            }
            "release_on_drop" => self.release_on_drop = Some(switch(value, place)?),
            _ => {
                return Err(Error::config(format!(
                    "{place}: unknown setting {:?}; accepted are {}",
                    excerpt(name),
                    Self::NAMES.join(", ")
                )));
            }
        }
        Ok(())
    }

    /// These settings, and where they say nothing, those.
    #[must_use]
    pub fn or(self, below: &Self) -> Self {
        Self {
            prefix: self.prefix.or_else(|| below.prefix.clone()),
            ttl: self.ttl.or(below.ttl),
            retry: self.retry.or(below.retry),
            release_on_drop: self.release_on_drop.or(below.release_on_drop),
        }
    }
}

/// Settings with every gap filled, checked.
#[derive(Clone, Debug)]
pub(crate) struct Resolved {
    pub(crate) prefix: String,
    pub(crate) ttl: Ttl,
    pub(crate) retry: Retry,
    pub(crate) release_on_drop: bool,
}

impl Resolved {
    pub(crate) fn new(settings: &Settings) -> Result<Self> {
        let default = Self::default();
        Ok(Self {
            prefix: settings.prefix.as_deref().map_or(Ok(default.prefix), |given| prefix(given, "prefix"))?,
            ttl: settings.ttl.map_or(Ok(default.ttl), Ttl::new)?,
            retry: settings.retry.map_or(Ok(default.retry), Retry::new)?,
            release_on_drop: settings.release_on_drop.unwrap_or(default.release_on_drop),
        })
    }
}

impl Default for Resolved {
    fn default() -> Self {
        Self {
            prefix: DEFAULT_PREFIX.to_owned(),
            ttl: Ttl::DEFAULT,
            retry: Retry::DEFAULT,
            release_on_drop: true,
        }
    }
}

fn prefix(value: &str, place: &str) -> Result<String> {
    const LONGEST: usize = 255;
    if value.len() > LONGEST || value.chars().any(char::is_control) {
        return Err(Error::config(format!(
            "{place}: prefix {:?} is not one; accepted are up to {LONGEST} bytes of text without control characters",
            excerpt(value)
        )));
    }
    Ok(value.to_owned())
}

/// `1.5s`, `2m 30s`, or a number of seconds.
fn duration(value: &str, place: &str) -> Result<Duration> {
    let text = value.trim();
    let seconds = text.parse::<f64>().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.or_else(|| humantime::parse_duration(text).ok()).ok_or_else(|| {
        Error::config(format!(
            "{place}: {:?} is not a duration; accepted are texts like \"500ms\", \"1m 30s\", and numbers of seconds",
            excerpt(value)
        ))
    })
}

pub(crate) fn switch(value: &str, place: &str) -> Result<bool> {
    match value.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err(Error::config(format!(
            "{place}: {:?} is neither yes nor no; accepted are true, false, yes, no, on, off, 1, 0",
            excerpt(value)
        ))),
    }
}

fn in_place<T>(place: &str, result: Result<T>) -> Result<T> {
    result.map_err(|error| Error::config(format!("{place}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(name: &str, value: &str) -> std::result::Result<Settings, String> {
        let mut settings = Settings::default();
        settings.set(name, value, "LOCK_X").map(|()| settings).map_err(|error| error.to_string())
    }

    #[test]
    fn durations_are_texts_or_seconds() {
        for (value, expected) in [("500ms", 500), ("1m 30s", 90_000), ("2", 2_000), ("1.5", 1_500)] {
            assert_eq!(set("ttl", value).unwrap().ttl, Some(Duration::from_millis(expected)), "{value}");
        }
    }

    #[test]
    fn bad_values_are_named_with_place_and_what_is_accepted() {
        for (name, value, said) in [
            ("ttl", "soon", "\"500ms\""),
            ("ttl", "-1", "\"500ms\""),
            ("ttl", "0", "100ms to 10 years"),
            ("ttl", "1e30", "not a duration"),
            ("ttl", "NaN", "not a duration"),
            ("retry", "0s", "1ms to 1 hour"),
            ("release_on_drop", "perhaps", "neither yes nor no"),
            ("prefix", "a\nb", "control characters"),
            ("sleep", "1", "prefix, retry, ttl, release_on_drop"),
        ] {
            let text = set(name, value).unwrap_err();
            assert!(text.contains(said) && text.starts_with("LOCK_X"), "{name}={value}: {text}");
        }
    }

    #[test]
    fn the_upper_layer_wins() {
        let upper = Settings { ttl: Some(Duration::from_secs(1)), ..Settings::default() };
        let lower =
            Settings { ttl: Some(Duration::from_secs(2)), prefix: Some("p".into()), ..Settings::default() };
        let both = upper.or(&lower);
        assert_eq!((both.ttl, both.prefix.as_deref()), (Some(Duration::from_secs(1)), Some("p")));
    }
}
