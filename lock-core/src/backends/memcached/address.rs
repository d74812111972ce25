//! Where a server is.

use std::fmt;

use crate::backends::authority::Place;

const PORT: u16 = 11211;
const ACCEPTED: &str = "accepted is memcache://host[:port]";

/// One memcached.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Address {
    place: Place,
    /// Async callers get connections on their own tokio runtime.
    pub(super) on_runtime: bool,
}

impl Address {
    /// `host[:port]`, with a slash at the end or without.
    ///
    /// # Errors
    /// What is wrong and what is accepted, without any part of the text that may be a secret.
    pub(crate) fn parse(rest: &str) -> Result<Self, String> {
        if rest.contains('@') {
            return Err(format!(
                "it has a user or a password, which is not supported: the client speaks to memcached without authentication; {ACCEPTED}"
            ));
        }
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        if !path.is_empty() {
            return Err(format!("it has a path, which memcached does not know; {ACCEPTED}"));
        }
        if authority.contains(',') {
            return Err(format!(
                "it names several servers, among which keys would be spread: a server that comes or goes would give a lock \
                 that is held on one to somebody else on another; {ACCEPTED}"
            ));
        }
        let place = Place::parse(authority, None, PORT, ACCEPTED)?;
        Ok(Self { place, on_runtime: false })
    }

    /// Whether async callers get connections on their own tokio runtime, which then needs input and output, and timers.
    pub(crate) fn on_runtime(self, on_runtime: bool) -> Self {
        Self { on_runtime, ..self }
    }

    /// What tells it from every other.
    pub(super) fn identity(&self) -> String {
        format!("{self} {}", self.on_runtime)
    }

    pub(super) fn host(&self) -> &str {
        &self.place.host
    }

    pub(super) const fn port(&self) -> u16 {
        self.place.port
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "memcache://{}", self.place)
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

    #[test]
    fn what_each_url_stands_for() {
        for (rest, shown) in [
            ("host", "memcache://host:11211"),
            ("host/", "memcache://host:11211"),
            ("host:7000", "memcache://host:7000"),
            ("[::1]", "memcache://[::1]:11211"),
            ("[::1]:7000/", "memcache://[::1]:7000"),
        ] {
            assert_eq!(
                Address::parse(rest).map(|address| address.to_string()).as_deref(),
                Ok(shown),
                "{rest}"
            );
        }
    }

    #[test]
    fn what_cannot_be_is_named_and_no_secret_is_shown() {
        for (rest, said) in [
            ("", "no single host"),
            ("/", "no single host"),
            ("h1,h2", "several servers"),
            ("h1:11211,h2:11211", "several servers"),
            ("user:secret@host", "without authentication"),
            ("secret%40host", "no single host"),
            ("host/secret", "a path"),
            ("host:port", "the port"),
        ] {
            let error = Address::parse(rest).unwrap_err();
            assert!(
                error.contains(said) && error.contains(ACCEPTED) && !error.contains("secret"),
                "{rest}: {error}"
            );
        }
    }
}
