//! Where a database server is, and as whom to speak to it: what stands in a URL.

use std::fmt;

use percent_encoding::percent_decode_str;

use super::{DEFAULT, Table};

/// How the URLs of one kind of server differ from those of another.
pub(in crate::backends) struct Form {
    pub(in crate::backends) scheme: &'static str,
    pub(in crate::backends) port: u16,
    /// The name in the query of a socket of this machine, where the URL has no host.
    pub(in crate::backends) socket: &'static str,
    /// The names in the query of what is said about TLS.
    pub(in crate::backends) tls: &'static [&'static str],
    /// The sign around the names of tables.
    pub(in crate::backends) quote: char,
}

/// A database, a table of it, and a user.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Address {
    scheme: &'static str,
    /// Or the path of a socket.
    pub(in crate::backends) host: String,
    pub(in crate::backends) port: u16,
    pub(in crate::backends) database: String,
    pub(in crate::backends) user: Option<String>,
    pub(in crate::backends) password: Option<String>,
    pub(in crate::backends) tls: Vec<(&'static str, String)>,
    pub(in crate::backends) table: Table,
    /// Async callers get connections on their own tokio runtime.
    pub(in crate::backends) on_runtime: bool,
}

impl Address {
    /// `[user[:password]@]host[:port]/database`; `own` gives what stands in the query.
    ///
    /// # Errors
    /// What is wrong and what is accepted, without any part of the text that may be a secret.
    pub(in crate::backends) fn parse<'a>(
        form: &Form,
        rest: &str,
        own: impl Fn(&str) -> Option<&'a str>,
    ) -> Result<Self, String> {
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
            return Err(format!("it names no database; {}", form.accepted()));
        }
        let (host, port) = form.host_and_port(authority, own(form.socket))?;
        let tls = form.tls.iter().filter_map(|name| Some((*name, own(name)?.to_owned()))).collect();
        let table = Table::parse(own("table").unwrap_or(DEFAULT), form.quote)?;
        let given = |text: String| Some(text).filter(|text| !text.is_empty());
        let (user, password) = (given(user), given(password));
        Ok(Self { scheme: form.scheme, host, port, database, user, password, tls, table, on_runtime: false })
    }

    /// Whether async callers get connections on their own tokio runtime, which then needs input and output, and timers.
    pub(crate) fn on_runtime(self, on_runtime: bool) -> Self {
        Self { on_runtime, ..self }
    }

    /// What is said about TLS under a name.
    pub(in crate::backends) fn tls(&self, name: &str) -> Option<&str> {
        self.tls.iter().find(|(known, _)| *known == name).map(|(_, value)| &**value)
    }

    /// What tells it from every other, secrets included: never to be shown.
    pub(in crate::backends) fn identity(&self) -> String {
        format!(
            "{:?}",
            (
                (&self.host, self.port, &self.database, &self.user, &self.password),
                (&self.tls, &self.table, self.on_runtime),
            )
        )
    }
}

impl Form {
    pub(in crate::backends) fn accepted(&self) -> String {
        format!("accepted is {}://[user[:password]@]host[:port]/database", self.scheme)
    }

    fn host_and_port(&self, authority: &str, socket: Option<&str>) -> Result<(String, u16), String> {
        let accepted = || self.accepted();
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => {
                let (host, after) =
                    rest.split_once(']').ok_or_else(|| format!("a \"]\" is missing; {}", accepted()))?;
                (host, after.strip_prefix(':').or_else(|| after.is_empty().then_some("")))
            }
            None => match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, Some("")),
            },
        };
        let host = decoded(socket.filter(|_| host.is_empty()).unwrap_or(host), "the host")?;
        if host.is_empty()
            || host.contains(|c: char| c.is_control() || c.is_whitespace() || ",@#".contains(c))
        {
            return Err(format!("it names no single host; {}", accepted()));
        }
        let port = match port {
            Some("") => Some(self.port),
            Some(port) => port.parse().ok().filter(|port| *port > 0),
            None => None,
        };
        let port = port.ok_or_else(|| format!("the port is not a number from 1 to 65535; {}", accepted()))?;
        Ok((host, port))
    }
}

fn decoded(text: &str, what: &str) -> Result<String, String> {
    let text = percent_decode_str(text).decode_utf8();
    let text = text.map_err(|_| format!("{what} does not decode to UTF-8"))?;
    if text.contains('\0') { Err(format!("{what} contains a NUL")) } else { Ok(text.into_owned()) }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bracketed = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        write!(f, "{}://{bracketed}:{}/{}", self.scheme, self.port, self.database)
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

    const FORM: Form = Form { scheme: "base", port: 5432, socket: "host", tls: &[], quote: '"' };

    fn shown(rest: &str) -> Result<String, String> {
        Address::parse(&FORM, rest, |_| None).map(|address| address.to_string())
    }

    #[test]
    fn what_each_url_stands_for() {
        for (rest, expected) in [
            ("host/shop", "base://host:5432/shop"),
            ("me:secret@host:6000/shop", "base://host:6000/shop"),
            ("me:s%40cret@[::1]:7000/shop", "base://[::1]:7000/shop"),
        ] {
            assert_eq!(shown(rest).as_deref(), Ok(expected), "{rest}");
        }
        let socket = Address::parse(&FORM, "/shop", |name| (name == "host").then_some("/run/base"));
        assert_eq!(socket.map(|address| address.host).as_deref(), Ok("/run/base"));
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
            ("u:secret%00@host/shop", "the password contains a NUL"),
        ] {
            let error = shown(rest).unwrap_err();
            assert!(error.contains(said) && !error.contains("secret"), "{rest}: {error}");
        }
        let error =
            Address::parse(&FORM, "host/shop", |name| (name == "table").then_some("a;b")).unwrap_err();
        assert!(error.contains("table:") && error.contains("accepted are"), "{error}");
    }
}
