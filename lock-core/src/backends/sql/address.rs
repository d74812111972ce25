//! Where a database server is, and as whom to speak to it: what stands in a URL.

use std::fmt;

use super::{DEFAULT, Table};
use crate::backends::authority::{Place, User, decoded};

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
    pub(in crate::backends) place: Place,
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
        let (User { name: user, password }, rest) = User::split(rest)?;
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        let database = decoded(database, "the database")?;
        if database.is_empty() || database.contains('/') || database.chars().any(char::is_control) {
            return Err(format!("it names no database; {}", form.accepted()));
        }
        let place = Place::parse(authority, own(form.socket), form.port, &form.accepted())?;
        let tls = form.tls.iter().filter_map(|name| Some((*name, own(name)?.to_owned()))).collect();
        let table = Table::parse(own("table").unwrap_or(DEFAULT), form.quote)?;
        Ok(Self { scheme: form.scheme, place, database, user, password, tls, table, on_runtime: false })
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
                (&self.place, &self.database, &self.user, &self.password),
                (&self.tls, &self.table, self.on_runtime),
            )
        )
    }
}

impl Form {
    pub(in crate::backends) fn accepted(&self) -> String {
        format!("accepted is {}://[user[:password]@]host[:port]/database", self.scheme)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}/{}", self.scheme, self.place, self.database)
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
        assert_eq!(socket.map(|address| address.place.host).as_deref(), Ok("/run/base"));
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
