//! Where a server is and as whom to speak to it, as the URLs of all servers say it: `[user[:password]@]host[:port]`.

use std::fmt;

use percent_encoding::percent_decode_str;

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// A name, an address, or the path of a socket.
    pub(super) host: String,
    pub(super) port: u16,
}

/// As whom to speak to a server.
#[cfg(any(feature = "mysql", feature = "postgres", feature = "redis"))]
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct User {
    pub(super) name: Option<String>,
    pub(super) password: Option<String>,
}

impl Place {
    /// `host[:port]`; `socket` is what is meant where no host is named.
    ///
    /// # Errors
    /// What is wrong, and `accepted`.
    pub(super) fn parse(
        authority: &str,
        socket: Option<&str>,
        port: u16,
        accepted: &str,
    ) -> Result<Self, String> {
        let (host, given) = match authority.strip_prefix('[') {
            Some(rest) => {
                let (host, after) =
                    rest.split_once(']').ok_or_else(|| format!("a \"]\" is missing; {accepted}"))?;
                (host, after.strip_prefix(':').or_else(|| after.is_empty().then_some("")))
            }
            None => match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, Some("")),
            },
        };
        let host = socket.filter(|_| host.is_empty()).unwrap_or(host);
        let host = decoded(host, "the host").map_err(|error| format!("{error}; {accepted}"))?;
        if host.is_empty()
            || host.contains(|c: char| c.is_control() || c.is_whitespace() || ",@#".contains(c))
        {
            return Err(format!("it names no single host; {accepted}"));
        }
        let port = match given {
            Some("") => Some(port),
            Some(given) => given.parse().ok().filter(|port| *port > 0),
            None => None,
        };
        let port = port.ok_or_else(|| format!("the port is not a number from 1 to 65535; {accepted}"))?;
        Ok(Self { host, port })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

#[cfg(any(feature = "mysql", feature = "postgres", feature = "redis"))]
impl User {
    /// Takes the user from the front of what follows the scheme; also returns what is left.
    ///
    /// # Errors
    /// What is wrong, without any part of the text, which may be a secret.
    pub(super) fn split(rest: &str) -> Result<(Self, &str), String> {
        let Some((secret, place)) = rest.rsplit_once('@') else { return Ok((Self::default(), rest)) };
        let (name, password) = secret.split_once(':').unwrap_or((secret, ""));
        let given = |text: String| Some(text).filter(|text| !text.is_empty());
        let (name, password) = (decoded(name, "the user")?, decoded(password, "the password")?);
        Ok((Self { name: given(name), password: given(password) }, place))
    }
}

/// A part of a URL.
///
/// # Errors
/// What is wrong with it, without its text, which may be a secret.
pub(super) fn decoded(text: &str, what: &str) -> Result<String, String> {
    let text = percent_decode_str(text).decode_utf8();
    let text = text.map_err(|_| format!("{what} does not decode to UTF-8"))?;
    if text.contains('\0') { Err(format!("{what} contains a NUL")) } else { Ok(text.into_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_each_stands_for() {
        for (authority, expected) in [
            ("host", "host:7"),
            ("host:", "host:7"),
            ("host:7000", "host:7000"),
            ("h%6fst", "host:7"),
            ("127.0.0.1:1", "127.0.0.1:1"),
            ("[::1]", "[::1]:7"),
            ("[::1]:7000", "[::1]:7000"),
        ] {
            let place = Place::parse(authority, None, 7, "accepted").map(|place| place.to_string());
            assert_eq!(place.as_deref(), Ok(expected), "{authority}");
        }
        let socket = Place::parse("", Some("/run/socket"), 7, "accepted");
        assert_eq!(socket.map(|place| place.host).as_deref(), Ok("/run/socket"));
    }

    #[test]
    fn what_cannot_be_is_named_with_what_is_accepted() {
        for (authority, said) in [
            ("", "no single host"),
            (":7000", "no single host"),
            ("a,b", "no single host"),
            ("a b", "no single host"),
            ("a%40b", "no single host"),
            ("::1", "no single host"),
            ("[::1", "\"]\" is missing"),
            ("[::1]x", "the port"),
            ("host:port", "the port"),
            ("host:0", "the port"),
            ("host:70000", "the port"),
            ("%ff", "UTF-8"),
            ("a%00", "a NUL"),
        ] {
            let error = Place::parse(authority, None, 7, "accepted is this").unwrap_err();
            assert!(error.contains(said) && error.contains("accepted is this"), "{authority}: {error}");
        }
    }

    #[cfg(any(feature = "mysql", feature = "postgres", feature = "redis"))]
    #[test]
    fn a_user_is_taken_from_the_front_and_no_secret_is_shown() {
        for (rest, name, password, place) in [
            ("host", None, None, "host"),
            ("me@host", Some("me"), None, "host"),
            (":secret@host", None, Some("secret"), "host"),
            ("me:s%40:cret@host/a", Some("me"), Some("s@:cret"), "host/a"),
            ("me:secret@with@host", Some("me"), Some("secret@with"), "host"),
        ] {
            let (user, left) = User::split(rest).unwrap();
            assert_eq!(
                (user.name.as_deref(), user.password.as_deref(), left),
                (name, password, place),
                "{rest}"
            );
        }
        for (rest, said) in
            [("me:secret%ff@host", "the password does not"), ("secret%00@host", "the user contains")]
        {
            let error = User::split(rest).map(|_| ()).unwrap_err();
            assert!(error.contains(said) && !error.contains("secret"), "{rest}: {error}");
        }
    }
}
