//! The lockers of the process, and the only place that reads the environment.

use std::{collections::BTreeMap, env, time::Duration};

use lock_core::{Error, Key, Lock, Locker, Result, Settings};
use once_cell::sync::OnceCell;

/// The settings that may stand in the environment, with the names that they have in a URL's query.
const VARIABLES: [(&str, &str); 4] = [
    ("LOCK_PREFIX", "prefix"),
    ("LOCK_RETRY", "retry"),
    ("LOCK_TTL", "ttl"),
    ("LOCK_RELEASE_ON_DROP", "release_on_drop"),
];

static GLOBAL: OnceCell<Lockers> = OnceCell::new();

/// The lockers of this process: the global one, and those with a name.
struct Lockers {
    config: Config,
    settings: Settings,
    global: Locker,
    named: std::sync::Mutex<BTreeMap<String, Locker>>,
}

/// How this process locks, for programs that do not want to be told by the environment.
///
/// ```
/// use std::time::Duration;
/// use lock::Config;
///
/// lock::install(Config::new().url("memory://").ttl(Duration::from_secs(10)).locker("jobs", "memory://jobs"))?;
/// assert_eq!(lock::lock("report").acquire()?.key(), "lock:report");
/// # Ok::<(), lock::Error>(())
/// ```
///
/// What is left out here is taken from the environment, and then from the defaults. What stands in the query of a URL
/// goes before all of it, for the store behind that URL.
#[derive(Clone, Default)]
#[must_use = "a configuration does nothing until it is installed"]
pub struct Config {
    url: Option<String>,
    locker: Option<Locker>,
    settings: Settings,
    named: BTreeMap<String, String>,
}

impl Config {
    /// Nothing configured yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Where the locks are kept. Default: `LOCK_URL`, or else files of this user on this machine.
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.url = Some(url.into());
        self
    }

    /// The global locker, opened already; its own settings count.
    pub fn global(mut self, locker: Locker) -> Self {
        self.locker = Some(locker);
        self
    }

    /// Another store under a name: `using = "jobs"`. Default: `LOCK_JOBS_URL`.
    pub fn locker(mut self, name: impl Into<String>, url: impl Into<String>) -> Self {
        self.named.insert(name.into(), url.into());
        self
    }

    /// What is put in front of every key. Default: `LOCK_PREFIX`, or else `lock:`.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.settings.prefix = Some(prefix.into());
        self
    }

    /// How long a lock outlives a holder that died. Default: `LOCK_TTL`, or else 30 s.
    pub const fn ttl(mut self, ttl: Duration) -> Self {
        self.settings.ttl = Some(ttl);
        self
    }

    /// How often to look again where nothing can notify. Default: `LOCK_RETRY`, or else 100 ms.
    pub const fn retry(mut self, retry: Duration) -> Self {
        self.settings.retry = Some(retry);
        self
    }

    /// Whether dropping a guard releases its lock. Default: `LOCK_RELEASE_ON_DROP`, or else yes.
    pub const fn release_on_drop(mut self, release: bool) -> Self {
        self.settings.release_on_drop = Some(release);
        self
    }
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // URLs may carry passwords.
        f.debug_struct("Config")
            .field("url", &self.url.as_ref().map(|_| "***"))
            .field("locker", &self.locker)
            .field("settings", &self.settings)
            .field("named", &self.named.keys())
            .finish()
    }
}

/// Configures this process: once, early in `main`, before the first lock.
///
/// For applications. A library leaves the choice of a store to them.
///
/// # Errors
/// [`Error::Config`] if a URL or a setting cannot be, or if the process has been configured, or has used its global
/// locker, before.
pub fn install(config: Config) -> Result<()> {
    let taken =
        || Error::config("the global locker is set up already; install it once, before the first lock");
    if GLOBAL.get().is_some() {
        return Err(taken());
    }
    GLOBAL.set(Lockers::open(config)?).map_err(|_| taken())
}

/// The global locker, set up at its first use from what was [installed](install) or from the environment.
///
/// # Errors
/// [`Error::Config`] naming what is wrong with which variable. The next call tries again.
pub fn global() -> Result<&'static Locker> {
    lockers().map(|lockers| &lockers.global)
}

/// Another store, by the name that the configuration gives it.
///
/// ```
/// # lock::install(lock::Config::new().url("memory://").locker("jobs", "memory://jobs"))?;
/// let guard = lock::locker("jobs")?.lock("nightly").acquire()?;
/// # Ok::<(), lock::Error>(())
/// ```
///
/// # Errors
/// [`Error::Config`] if nothing is configured under `name`, or if its URL cannot be.
pub fn locker(name: &str) -> Result<Locker> {
    lockers()?.named(name)
}

/// A lock of the global locker; see [`Lock`].
///
/// ```
/// # lock::install(lock::Config::new().url("memory://"))?;
/// use lock::lock;
///
/// let guard = lock("report").acquire()?;
/// println!("writing under token {}", guard.fencing_token());
/// # Ok::<(), lock::Error>(())
/// ```
///
/// A global locker that cannot be set up is reported by the first call that would use the lock.
pub fn lock(key: impl Into<Key>) -> Lock {
    match global() {
        Ok(locker) => locker.lock(key),
        Err(error) => Lock::failed(error),
    }
}

fn lockers() -> Result<&'static Lockers> {
    GLOBAL.get_or_try_init(|| Lockers::open(Config::new()))
}

impl Lockers {
    fn open(config: Config) -> Result<Self> {
        let settings = config.settings.clone().or(&from_environment()?);
        let global = match (&config.locker, &config.url, variable("LOCK_URL")?) {
            (Some(locker), _, _) => locker.clone(),
            (None, Some(url), _) => opened("Config::url", url, &settings)?,
            (None, None, Some(url)) => opened("LOCK_URL", &url, &settings)?,
            (None, None, None) => Locker::embedded(&settings)?,
        };
        Ok(Self { config, settings, global, named: std::sync::Mutex::default() })
    }

    fn named(&self, name: &str) -> Result<Locker> {
        let mut named = self.named.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(locker) = named.get(name) {
            return Ok(locker.clone());
        }
        let variable_name = variable_of(name);
        let locker = match (self.config.named.get(name), variable(&variable_name)?) {
            (Some(url), _) => opened(&format!("Config::locker({name:?})"), url, &self.settings)?,
            (None, Some(url)) => opened(&variable_name, &url, &self.settings)?,
            (None, None) => {
                return Err(Error::config(format!(
                    "no store is configured under the name {name:?}; accepted are the URL in {variable_name}, and \
                     Config::locker({name:?}, url)"
                )));
            }
        };
        named.insert(name.to_owned(), locker.clone());
        Ok(locker)
    }
}

/// Opens a URL; what is wrong with it is told with the place where it stands.
fn opened(place: &str, url: &str, settings: &Settings) -> Result<Locker> {
    Locker::open_with(url, settings).map_err(|error| Error::config(format!("{place}: {error}")))
}

/// `LOCK_JOBS_URL` for `jobs`.
fn variable_of(name: &str) -> String {
    let name: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
    format!("LOCK_{name}_URL")
}

fn from_environment() -> Result<Settings> {
    let mut settings = Settings::default();
    for (name, setting) in VARIABLES {
        if let Some(value) = variable(name)? {
            settings.set(setting, &value, name)?;
        }
    }
    Ok(settings)
}

/// A variable that is set; an empty one counts as not set, as it does to a shell.
fn variable(name: &str) -> Result<Option<String>> {
    match env::var(name) {
        Ok(value) if value.is_empty() => Ok(None),
        Ok(value) => Ok(Some(value)),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) => {
            Err(Error::config(format!("{name}: the value is not UTF-8; accepted is text")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_of_a_named_store() {
        assert_eq!(variable_of("jobs"), "LOCK_JOBS_URL");
        assert_eq!(variable_of("nightly-jobs"), "LOCK_NIGHTLY_JOBS_URL");
    }

    #[test]
    fn a_configuration_shows_no_url() {
        let config = Config::new().url("redis://:secret@host").locker("jobs", "redis://:secret@host");
        assert!(!format!("{config:?}").contains("secret"));
    }
}
