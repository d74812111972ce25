//! Where a server is.

use std::fmt;

use percent_encoding::percent_decode_str;

const PORT: u16 = 11211;
const ACCEPTED: &str = "accepted is memcache://host[:port]";

/// One memcached.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Address {
    host: String,
    port: u16,
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
        let host = percent_decode_str(host)
            .decode_utf8()
            .map_err(|_| format!("the host does not decode to UTF-8; {ACCEPTED}"))?;
        if host.is_empty()
            || host.contains(|c: char| c.is_control() || c.is_whitespace() || ",@#".contains(c))
        {
            return Err(format!("it names no host; {ACCEPTED}"));
        }
        let port = match port {
            Some("") => Some(PORT),
            Some(port) => port.parse().ok().filter(|port| *port > 0),
            None => None,
        };
        let port = port.ok_or_else(|| format!("the port is not a number from 1 to 65535; {ACCEPTED}"))?;
        Ok(Self { host: host.into_owned(), port, on_runtime: false })
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
        &self.host
    }

    pub(super) const fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "memcache://[{}]:{}", self.host, self.port)
        } else {
            write!(f, "memcache://{}:{}", self.host, self.port)
        }
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
            ("", "no host"),
            ("/", "no host"),
            ("h1,h2", "several servers"),
            ("h1:11211,h2:11211", "several servers"),
            ("user:secret@host", "without authentication"),
            ("secret%40host", "no host"),
            ("host/secret", "a path"),
            ("host:port", "the port"),
            ("host:0", "the port"),
            ("host:70000", "the port"),
            ("[::1", "\"]\" is missing"),
            ("[::1]x", "the port"),
            ("::1", "no host"),
            ("%ff", "UTF-8"),
        ] {
            let error = Address::parse(rest).unwrap_err();
            assert!(
                error.contains(said) && error.contains(ACCEPTED) && !error.contains("secret"),
                "{rest}: {error}"
            );
        }
    }
}
