//! Where a database is, and as whom to speak to it.

use std::fmt;

use percent_encoding::percent_decode_str;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use crate::backends::sql::{DEFAULT, Table};

const PORT: u16 = 5432;
const ACCEPTED: &str = "accepted is postgres://[user[:password]@]host[:port]/database";

/// What the query of a URL may say beside the settings of every locker.
pub(crate) const QUERY: &[&str] = &["table", "host", "sslmode", "sslrootcert", "sslcert", "sslkey"];

/// A database, a table of it, and a user.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Address {
    host: String,
    port: u16,
    database: String,
    user: Option<String>,
    password: Option<String>,
    tls: Vec<(&'static str, String)>,
    pub(super) table: Table,
}

impl Address {
    /// `[user[:password]@]host[:port]/database`; `own` gives what stands in the query.
    ///
    /// # Errors
    /// What is wrong and what is accepted, without any part of the text that may be a secret.
    pub(crate) fn parse<'a>(rest: &str, own: impl Fn(&str) -> Option<&'a str>) -> Result<Self, String> {
        let (secret, place) = match rest.rsplit_once('@') {
            Some((secret, place)) => (Some(secret), place),
            None => (None, rest),
        };
        let (user, password) = match secret.map(|secret| secret.split_once(':').unwrap_or((secret, ""))) {
            Some((user, password)) => (decoded(user, "the user")?, decoded(password, "the password")?),
            None => (String::new(), String::new()),
        };
        let (authority, database) = place.split_once('/').unwrap_or((place, ""));
        let database = decoded(database, "the database")?;
        if database.is_empty() || database.contains('/') || database.chars().any(char::is_control) {
            return Err(format!("it names no database; {ACCEPTED}"));
        }
        let (host, port) = host_and_port(authority, own("host"))?;
        let mut tls = Vec::new();
        for name in ["sslmode", "sslrootcert", "sslcert", "sslkey"] {
            tls.extend(own(name).map(|value| (name, value.to_owned())));
        }
        if let Some((_, mode)) = tls.iter().find(|(name, _)| *name == "sslmode") {
            mode.parse::<PgSslMode>().map_err(|_| {
                format!(
                    "sslmode: {:?} is none; accepted are disable, allow, prefer, require, verify-ca and verify-full",
                    crate::error::excerpt(mode)
                )
            })?;
        }
        let table = Table::parse(own("table").unwrap_or(DEFAULT), '"')?;
        let given = |text: String| Some(text).filter(|text| !text.is_empty());
        Ok(Self { host, port, database, user: given(user), password: given(password), tls, table })
    }

    pub(super) fn to_options(&self) -> PgConnectOptions {
        let mut options =
            PgConnectOptions::new().host(&self.host).port(self.port).database(&self.database);
        if let Some(user) = &self.user {
            options = options.username(user);
        }
        if let Some(password) = &self.password {
            options = options.password(password);
        }
        for (name, value) in &self.tls {
            options = match *name {
                "sslmode" => match value.parse() {
                    Ok(mode) => options.ssl_mode(mode),
                    Err(_) => options,
                },
                "sslrootcert" => options.ssl_root_cert(value),
                "sslcert" => options.ssl_client_cert(value),
                _ => options.ssl_client_key(value),
            };
        }
        options
    }

    /// What tells it from every other, secrets included: never to be shown.
    pub(super) fn identity(&self) -> String {
        format!(
            "{:?}",
            (&self.host, self.port, &self.database, &self.user, &self.password, &self.tls, &self.table)
        )
    }
}

fn host_and_port(authority: &str, in_query: Option<&str>) -> Result<(String, u16), String> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, after) =
                rest.split_once(']').ok_or_else(|| format!("a \"]\" is missing; {ACCEPTED}"))?;
            (host, after.strip_prefix(':').or_else(|| after.is_empty().then_some("")))
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, Some("")),
        },
    };
    let host = decoded(in_query.filter(|_| host.is_empty()).unwrap_or(host), "the host")?;
    if host.is_empty() || host.contains(|c: char| c.is_control() || c.is_whitespace() || ",@#".contains(c)) {
        return Err(format!("it names no single host; {ACCEPTED}"));
    }
    let port = match port {
        Some("") => Some(PORT),
        Some(port) => port.parse().ok().filter(|port| *port > 0),
        None => None,
    };
    Ok((host, port.ok_or_else(|| format!("the port is not a number from 1 to 65535; {ACCEPTED}"))?))
}

fn decoded(text: &str, what: &str) -> Result<String, String> {
    let text = percent_decode_str(text).decode_utf8();
    text.map(Into::into).map_err(|_| format!("{what} does not decode to UTF-8"))
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bracketed = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        write!(f, "postgres://{bracketed}:{}/{}", self.port, self.database)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(rest: &str) -> Result<String, String> {
        Address::parse(rest, |_| None).map(|address| address.to_string())
    }

    #[test]
    fn what_each_url_stands_for() {
        for (rest, expected) in [
            ("host/shop", "postgres://host:5432/shop"),
            ("me:secret@host:6000/shop", "postgres://host:6000/shop"),
            ("me:s%40cret@[::1]:7000/shop", "postgres://[::1]:7000/shop"),
        ] {
            assert_eq!(shown(rest).as_deref(), Ok(expected), "{rest}");
        }
        let socket = Address::parse("/shop", |name| (name == "host").then_some("/run/postgresql"));
        assert_eq!(socket.map(|address| address.host).as_deref(), Ok("/run/postgresql"));
    }

    #[test]
    fn what_cannot_be_is_named_and_no_secret_is_shown() {
        for (rest, said) in [
            ("", "no database"),
            ("host", "no database"),
            ("u:secret@/shop", "no single host"),
            ("a,b/shop", "no single host"),
            ("u:secret@host:port/shop", "the port"),
            ("host:0/shop", "the port"),
            ("[::1/shop", "\"]\" is missing"),
            ("u:secret%ff@host/shop", "the password does not decode"),
        ] {
            let error = shown(rest).unwrap_err();
            assert!(error.contains(said) && !error.contains("secret"), "{rest}: {error}");
        }
        for (name, value, said) in [("table", "a;b", "table:"), ("sslmode", "maybe", "sslmode:")] {
            let error = Address::parse("host/shop", |asked| (asked == name).then_some(value)).unwrap_err();
            assert!(error.contains(said) && error.contains("accepted are"), "{error}");
        }
    }
}
