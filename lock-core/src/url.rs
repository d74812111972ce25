//! Where the locks are kept, as a URL.
//!
//! Not the `url` crate: a list of hosts with ports is no URL by RFC 3986, but that is how `memcache://h1:1,h2:2` and
//! the like are written everywhere, and it would bring twenty crates.

use std::{borrow::Cow, fmt, path::PathBuf};

use percent_encoding::percent_decode_str;

#[cfg(feature = "memcached")]
use crate::backends::memcached;
#[cfg(feature = "mysql")]
use crate::backends::mysql;
#[cfg(feature = "postgres")]
use crate::backends::postgres;
#[cfg(feature = "redis")]
use crate::backends::redis::Address;
#[cfg(feature = "sqlite")]
use crate::backends::sqlite;
#[cfg(any(feature = "memcached", feature = "mysql", feature = "postgres", feature = "redis"))]
use crate::config::switch;
use crate::{
    config::Settings,
    error::{Error, Result, excerpt},
};

/// Every scheme there is, with the feature that it needs.
const SCHEMES: [(&str, &str); 15] = [
    ("memory", ""),
    ("file", ""),
    ("sqlite", "sqlite"),
    ("postgres", "postgres"),
    ("postgresql", "postgres"),
    ("mysql", "mysql"),
    ("mariadb", "mysql"),
    ("memcache", "memcached"),
    ("memcached", "memcached"),
    ("redis", "redis"),
    ("rediss", "redis"),
    ("redis+unix", "redis"),
    ("redis+sentinel", "redis"),
    ("redis+cluster", "redis"),
    ("redlock", "redis"),
];

/// The schemes of the feature `redis` that work; the others come with a later version.
const ONE_REDIS: [&str; 3] = ["redis", "rediss", "redis+unix"];

/// A checked URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url {
    pub(crate) place: Place,
    pub(crate) settings: Settings,
}

/// What a URL stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A space of names in this process.
    Memory(String),
    /// A directory.
    File(PathBuf),
    /// A server, as one of its users.
    #[cfg(feature = "redis")]
    Redis(Address),
    /// A table of a database.
    #[cfg(feature = "postgres")]
    Postgres(postgres::Address),
    /// The same, with session locks.
    #[cfg(feature = "postgres")]
    PostgresAdvisory(postgres::Address),
    /// A server.
    #[cfg(feature = "memcached")]
    Memcached(memcached::Address),
    /// A table in a database file.
    #[cfg(feature = "sqlite")]
    Sqlite(sqlite::Address),
    /// The same of another kind.
    #[cfg(feature = "mysql")]
    MySql(mysql::Address),
}

impl Url {
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let shown = Redacted(text);
        let Some((scheme, rest)) = split_scheme(text) else {
            return Err(Error::config(format!(
                "{shown:?} is not a URL of a lock store; accepted are {}",
                accepted()
            )));
        };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let scheme = scheme.to_ascii_lowercase();
        if !SCHEMES.iter().any(|(name, _)| *name == scheme) {
            return Err(Error::config(format!(
                "{shown:?} has the unknown scheme {:?}; accepted are {}",
                excerpt(&scheme),
                accepted()
            )));
        }
        if query.contains('@') && !["memory", "file", "sqlite"].contains(&&*scheme) {
            // The `?` is the password's, or the `@` is the query's: nobody knows which.
            return Err(Error::config(format!(
                "{shown:?} has a \"?\" before an \"@\"; accepted are %3F in a password and %40 in the query"
            )));
        }
        let own: &[&str] = match scheme.as_str() {
            "redis+unix" => &["db", "on_runtime"],
            "redis" | "rediss" => &["on_runtime"],
            #[cfg(feature = "postgres")]
            "postgres" | "postgresql" => postgres::QUERY,
            #[cfg(feature = "sqlite")]
            "sqlite" => sqlite::QUERY,
            #[cfg(feature = "mysql")]
            "mysql" | "mariadb" => mysql::QUERY,
            #[cfg(feature = "memcached")]
            "memcache" | "memcached" => &["on_runtime"],
            _ => &[],
        };
        let query = Query::parse(query, own, shown)?;
        let place = match scheme.as_str() {
            "memory" => Place::Memory(decoded(rest, "the name", shown)?.into_owned()),
            "file" => Place::File(directory(rest, shown)?),
            #[cfg(feature = "redis")]
            "redis" | "rediss" | "redis+unix" => {
                let address = Address::parse(&scheme, rest, query.own("db"));
                let address = address.map_err(|wrong| shown.refused(&wrong))?;
                Place::Redis(address.on_runtime(query.on_runtime(shown)?))
            }
            #[cfg(feature = "postgres")]
            "postgres" | "postgresql" => {
                let wrong = |wrong: String| shown.refused(&wrong);
                let address = postgres::parse(rest, |name| query.own(name)).map_err(wrong)?;
                let advisory = postgres::is_advisory(query.own("mode")).map_err(wrong)?;
                let on_runtime = query.on_runtime(shown)?;
                match advisory {
                    true if on_runtime => {
                        return Err(wrong(
                            "on_runtime: session locks are all on one session, which is no runtime's; accepted is no, or \
                             mode=lease"
                                .into(),
                        ));
                    }
                    true => Place::PostgresAdvisory(address),
                    false => Place::Postgres(address.on_runtime(on_runtime)),
                }
            }
            #[cfg(feature = "memcached")]
            "memcache" | "memcached" => {
                let address = memcached::Address::parse(rest);
                let address = address.map_err(|wrong| shown.refused(&wrong))?;
                Place::Memcached(address.on_runtime(query.on_runtime(shown)?))
            }
            #[cfg(feature = "sqlite")]
            "sqlite" => {
                let address = sqlite::Address::parse(rest, |name| query.own(name));
                Place::Sqlite(address.map_err(|wrong| shown.refused(&wrong))?)
            }
            #[cfg(feature = "mysql")]
            "mysql" | "mariadb" => {
                let address = mysql::parse(rest, |name| query.own(name));
                let address = address.map_err(|wrong| shown.refused(&wrong))?;
                Place::MySql(address.on_runtime(query.on_runtime(shown)?))
            }
            known => return Err(not_here(known, shown)),
        };
        Ok(Self { place, settings: query.settings })
    }
}

/// `None` also where what stands before `://` is no scheme: it may be the beginning of a password.
fn split_scheme(text: &str) -> Option<(&str, &str)> {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    text.split_once("://").filter(|(scheme, _)| scheme.bytes().all(known))
}

/// The features of which there is something in this build.
const COMPILED: &[&str] = &[
    "",
    #[cfg(feature = "memcached")]
    "memcached",
    #[cfg(feature = "mysql")]
    "mysql",
    #[cfg(feature = "postgres")]
    "postgres",
    #[cfg(feature = "redis")]
    "redis",
    #[cfg(feature = "sqlite")]
    "sqlite",
];

/// Whether a scheme works in this version.
fn is_here(scheme: &str, feature: &str) -> bool {
    feature != "redis" || ONE_REDIS.contains(&scheme)
}

/// The schemes that this build takes.
fn here() -> impl Iterator<Item = &'static str> {
    let taken = SCHEMES.iter().filter(|(name, feature)| COMPILED.contains(feature) && is_here(name, feature));
    taken.map(|(name, _)| *name)
}

fn accepted() -> String {
    let names: Vec<String> = here().map(|name| format!("{name}://")).collect();
    match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
        None => String::new(),
    }
}

/// A scheme that is known, and of no use in this build or in this version.
fn not_here(scheme: &str, shown: Redacted<'_>) -> Error {
    let feature = SCHEMES.iter().find(|(name, _)| *name == scheme).map_or("", |(_, feature)| feature);
    let why = if is_here(scheme, feature) {
        format!("needs the feature {feature:?} of the crate lock, which is not compiled in")
    } else {
        format!("has the scheme {scheme:?}, which comes with a later version")
    };
    Error::config(format!("{shown:?} {why}; accepted are {}", accepted()))
}

/// `/dir` of `file:///dir`, or of `file://localhost/dir`.
fn directory(rest: &str, shown: Redacted<'_>) -> Result<PathBuf> {
    let path = rest.strip_prefix("localhost").unwrap_or(rest);
    let wrong = || {
        Error::config(format!(
            "{shown:?} does not name a directory; accepted is an absolute path after three slashes, like file:///var/lock/app"
        ))
    };
    if !path.starts_with('/') || path.len() < 2 {
        return Err(wrong());
    }
    let path = decoded(path, "the directory", shown)?;
    if path.contains('\0') { Err(wrong()) } else { Ok(PathBuf::from(path.as_ref())) }
}

/// What stands behind the `?`.
struct Query<'a> {
    settings: Settings,
    /// What only the scheme knows.
    own: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> Query<'a> {
    fn parse(query: &'a str, own_names: &[&str], shown: Redacted<'_>) -> Result<Self> {
        let mut parsed = Self { settings: Settings::default(), own: Vec::new() };
        let mut seen: Vec<Cow<'_, str>> = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').ok_or_else(|| {
                Error::config(format!(
                    "{shown:?}: a part of the query is not name=value; accepted names are {}",
                    Settings::NAMES.iter().chain(own_names).copied().collect::<Vec<_>>().join(", ")
                ))
            })?;
            let name = decoded(name, "a name in the query", shown)?;
            let value = decoded(value, "a value in the query", shown)?;
            if seen.contains(&name) {
                return Err(shown.refused(&format!("{name:?} stands twice in the query")));
            }
            seen.push(name.clone());
            if own_names.contains(&&*name) {
                parsed.own.push((name, value));
                continue;
            }
            // What is unknown is named by the error itself.
            let known = Settings::NAMES.iter().any(|known| **known == *name);
            let place = if known { format!("{shown:?}: {name}") } else { format!("{shown:?}") };
            parsed.settings.set(&name, &value, &place)?;
        }
        Ok(parsed)
    }

    /// Whether async callers are to get connections on their own runtime.
    #[cfg(any(feature = "memcached", feature = "mysql", feature = "postgres", feature = "redis"))]
    fn on_runtime(&self, shown: Redacted<'_>) -> Result<bool> {
        let given = self.own("on_runtime").map(|given| switch(given, &format!("{shown:?}: on_runtime")));
        Ok(given.transpose()?.unwrap_or(false))
    }

    #[cfg(any(
        feature = "memcached",
        feature = "mysql",
        feature = "postgres",
        feature = "redis",
        feature = "sqlite"
    ))]
    fn own(&self, name: &str) -> Option<&str> {
        self.own.iter().find(|(own, _)| own == name).map(|(_, value)| &**value)
    }
}

/// `what` it is stands in the error, as the text may be a secret.
fn decoded<'a>(text: &'a str, what: &str, shown: Redacted<'_>) -> Result<Cow<'a, str>> {
    percent_decode_str(text)
        .decode_utf8()
        .map_err(|_| shown.refused(&format!("{what} does not decode to UTF-8")))
}

/// A URL for people: without user, password and query values, and not longer than it has to be.
#[derive(Clone, Copy)]
pub(crate) struct Redacted<'a>(pub(crate) &'a str);

impl Redacted<'_> {
    /// Why it is not accepted.
    fn refused(self, why: &str) -> Error {
        Error::config(format!("{self:?}: {why}"))
    }
}

impl fmt::Debug for Redacted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, rest) = match split_scheme(self.0) {
            Some((scheme, rest)) => (format!("{scheme}://"), rest),
            None => (String::new(), self.0),
        };
        // The query may carry secrets under any name; what is wrong in it is named apart.
        let before_query = |text: &str| text.split('?').next().unwrap_or_default().to_owned();
        let rest = match rest.rsplit_once('@') {
            // The `?` is the password's, or the `@` is the query's: nobody knows which.
            Some((secret, _)) if secret.contains('?') => "***".to_owned(),
            Some((_, host)) => format!("***@{}", before_query(host)),
            None if is_plain(&scheme, rest) => before_query(rest),
            None => "***".to_owned(),
        };
        fmt::Debug::fmt(&excerpt(&format!("{scheme}{rest}")), f)
    }
}

/// What stands before the path is a host, with a port or without, and no user whose `@` was forgotten or written as `%40`.
fn is_plain(scheme: &str, rest: &str) -> bool {
    if ["", "memory://", "file://", "sqlite://"].contains(&&*scheme.to_ascii_lowercase()) {
        return true;
    }
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let after_host = authority.rsplit(']').next().unwrap_or_default();
    let port = after_host.split_once(':').map_or("", |(_, port)| port);
    let known = |c: char| c.is_alphanumeric() || ".-_,[]:".contains(c);
    authority.chars().all(known) && port.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_each_url_stands_for() {
        let memory = |name: &str| Place::Memory(name.into());
        let file = |path: &str| Place::File(path.into());
        for (text, place) in [
            ("memory://", memory("")),
            ("MEMORY://jobs", memory("jobs")),
            ("file:///var/lock/app", file("/var/lock/app")),
            ("file://localhost/var/lock", file("/var/lock")),
            ("file:///with%20space?ttl=5s", file("/with space")),
        ] {
            assert_eq!(Url::parse(text).unwrap().place, place, "{text}");
        }
    }

    #[test]
    fn settings_stand_in_the_query() {
        let settings =
            Url::parse("memory://?prefix=app%3A&ttl=5s&retry=20ms&release_on_drop=no").unwrap().settings;
        assert_eq!(settings.prefix.as_deref(), Some("app:"));
        assert_eq!(settings.ttl.map(|ttl| ttl.as_secs()), Some(5));
        assert_eq!(settings.retry.map(|retry| retry.as_millis()), Some(20));
        assert_eq!(settings.release_on_drop, Some(false));
    }

    #[test]
    fn what_is_no_url_is_named_with_what_is_accepted() {
        for (text, said) in [
            ("", "accepted are memory://"),
            ("/var/lock", "not a URL"),
            ("ftp://host", "unknown scheme \"ftp\""),
            ("mysql://host", if cfg!(feature = "mysql") { "no database" } else { "feature \"mysql\"" }),
            ("redis+cluster://host", "later version"),
            ("memory://?on_runtime=yes", "unknown setting \"on_runtime\""),
            ("file://relative/dir", "absolute path"),
            ("file:///", "absolute path"),
            ("file:///a%00b", "absolute path"),
            ("file:///a%ff", "UTF-8"),
            ("memory://?ttl=soon", "\"memory://\": ttl: \"soon\" is not a duration"),
            ("memory://?ttl", "name=value"),
            ("memory://?color=red", "unknown setting \"color\""),
            ("memory://?ttl=1s&ttl=2s", "stands twice"),
        ] {
            let error = Url::parse(text).unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
    }

    #[test]
    fn no_secret_is_shown() {
        for text in [
            "redis://user:secret@host/0",
            "ftp://:secret@host",
            "user:secret@host",
            "redis://a:sec@secret@host?password=secret",
            "redis://user:secret?secret2@host",
            "redis://user:hun?secret@host?db=1",
            "redis://host?password=p@secret",
            "redis://user:p@host?password=p@secret",
            "user:hun?secret@host",
            "user:secret://secret@host",
            "user:x?secret://secret@host",
            "memory://u:secret@x?color=secret",
            "memory://x?secret",
            "memory://x?secret&ttl=1s",
            "memory://x?color=secret%ff",
            "memory://u:secret%ff@x",
            "file:///x?secret@host",
            "redis://user:secret%40host:9/0",
            "redis://:secret%40host/0",
            "redis://user:secret#host",
            "redis://user:secret",
            "mysql://user:secret/db",
        ] {
            let shown = match Url::parse(text) {
                Ok(url) => format!("{url:?}"),
                Err(error) => format!("{error} {error:?}"),
            };
            assert!(!shown.contains("secret"), "{shown}");
        }
    }

    #[test]
    fn a_scheme_without_its_feature_names_the_feature() {
        let parsed = Url::parse("redis://host");
        if cfg!(feature = "redis") {
            assert!(parsed.is_ok(), "{parsed:?}");
        } else {
            let error = parsed.unwrap_err().to_string();
            assert!(error.contains("feature \"redis\" of the crate lock"), "{error}");
        }
    }

    #[test]
    fn connections_on_runtimes_are_for_those_who_have_them() {
        let error = |url: &str| Url::parse(url).map(|_| ()).unwrap_err().to_string();
        for (feature, url) in [
            (cfg!(feature = "redis"), "redis://host?on_runtime="),
            (cfg!(feature = "memcached"), "memcache://host?on_runtime="),
            (cfg!(feature = "postgres"), "postgres://host/shop?on_runtime="),
            (cfg!(feature = "mysql"), "mysql://me@host/shop?on_runtime="),
        ] {
            if feature {
                assert_ne!(
                    Url::parse(&format!("{url}yes")).unwrap(),
                    Url::parse(&format!("{url}no")).unwrap()
                );
                let said = error(&format!("{url}perhaps"));
                assert!(said.contains("on_runtime: \"perhaps\" is neither yes nor no"), "{said}");
            }
        }
        if cfg!(feature = "postgres") {
            let said = error("postgres://host/shop?mode=advisory&on_runtime=yes");
            assert!(said.contains("on_runtime: session locks") && said.contains("accepted is no"), "{said}");
        }
    }

    #[test]
    fn a_database_file_needs_its_feature_too() {
        let parsed = Url::parse("sqlite:///var/lib/app.db?table=locks");
        if cfg!(feature = "sqlite") {
            assert!(parsed.is_ok(), "{parsed:?}");
        } else {
            let error = parsed.unwrap_err().to_string();
            assert!(error.contains("\"sqlite\""), "{error}");
        }
    }

    #[test]
    fn a_memcached_is_one_server_and_needs_its_feature() {
        for url in ["memcache://host", "memcached://[::1]:7000/?prefix=app:&ttl=5s"] {
            let parsed = Url::parse(url);
            if cfg!(feature = "memcached") {
                assert!(parsed.is_ok(), "{parsed:?}");
            } else {
                let error = parsed.unwrap_err().to_string();
                assert!(error.contains("feature \"memcached\" of the crate lock"), "{error}");
            }
        }
        if cfg!(feature = "memcached") {
            let error = |url| Url::parse(url).unwrap_err().to_string();
            assert!(error("memcache://h1:1,h2:2").contains("several servers"));
            assert!(error("memcache://user:secret@host").contains("without authentication"));
            assert!(!error("memcache://user:secret@host").contains("secret"));
            assert!(error("memcache://host?db=1").contains("unknown setting"));
        }
    }

    #[test]
    fn what_is_shown_of_a_url() {
        for (text, shown) in [
            ("memory://jobs?ttl=1s", "memory://jobs"),
            ("redis://user:hunter2@host/0?db=1", "redis://***@host/0"),
            ("redis://user:hun@ter2@host", "redis://***@host"),
            ("redis://user:hun?ter2@host", "redis://***"),
            ("redis://host?password=hun@ter2", "redis://***"),
            ("user:hunter2@host", "***@host"),
            ("user:hun://ter2@host", "***@host"),
            ("redis://host:7000/0?prefix=a", "redis://host:7000/0"),
            ("redis://[::1]:7000", "redis://[::1]:7000"),
            ("redis+unix:///run/redis.sock", "redis+unix:///run/redis.sock"),
        ] {
            assert_eq!(format!("{:?}", Redacted(text)), format!("{shown:?}"), "{text}");
        }
    }
}
