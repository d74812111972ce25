//! Where a server is, and as whom to speak to it.

use std::{fmt, path::PathBuf, time::Duration};

use redis::{
    ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, RedisConnectionInfo,
    io::tcp::{TcpSettings, socket2::TcpKeepalive},
};

use crate::backends::authority::{Place, User, decoded};

const PORT: u16 = 6379;
const ACCEPTED: &str = "accepted is redis://[user:password@]host[:port][/database]";

/// How long the kernel may wait for an answer to what was sent before it gives a connection up.
const UNANSWERED: Duration = Duration::from_secs(10);

/// A server, a database of it, and a user.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Address {
    endpoint: Endpoint,
    user: Option<String>,
    password: Option<String>,
    database: i64,
    /// Async callers get a connection on their own tokio runtime.
    pub(super) on_runtime: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Endpoint {
    Tcp { host: String, port: u16, tls: bool },
    Unix(PathBuf),
}

impl Address {
    /// `[user[:password]@]host[:port][/database]`, or for a socket `[user[:password]@]/path`.
    ///
    /// # Errors
    /// What is wrong and what is accepted, without any part of the text that may be a secret.
    pub(crate) fn parse(scheme: &str, rest: &str, database: Option<&str>) -> Result<Self, String> {
        let (User { name: user, password }, place) = User::split(rest)?;
        let (endpoint, in_path) = if scheme == "redis+unix" {
            (Endpoint::Unix(socket(place)?), None)
        } else {
            let (authority, database) = place.split_once('/').unwrap_or((place, ""));
            let Place { host, port } = Place::parse(authority, None, PORT, ACCEPTED)?;
            let in_path = Some(database).filter(|database| !database.is_empty());
            (Endpoint::Tcp { host, port, tls: scheme == "rediss" }, in_path)
        };
        let database = match database.or(in_path) {
            None => 0,
            Some(text) => text.parse().ok().filter(|number| *number >= 0).ok_or_else(|| {
                "the database is not a number; accepted are 0, 1 and so on, as in redis://host/0".to_owned()
            })?,
        };
        Ok(Self { endpoint, user, password, database, on_runtime: false })
    }

    /// Whether async callers get a connection on their own tokio runtime, which then needs input and output, and timers.
    pub(crate) fn on_runtime(self, on_runtime: bool) -> Self {
        Self { on_runtime, ..self }
    }

    /// How to connect to it, speaking `protocol`.
    pub(super) fn to_info(&self, protocol: ProtocolVersion) -> redis::RedisResult<ConnectionInfo> {
        let endpoint = match &self.endpoint {
            Endpoint::Tcp { host, port, tls: false } => ConnectionAddr::Tcp(host.clone(), *port),
            Endpoint::Tcp { host, port, tls: true } => {
                ConnectionAddr::TcpTls { host: host.clone(), port: *port, insecure: false, tls_params: None }
            }
            Endpoint::Unix(path) => ConnectionAddr::Unix(path.clone()),
        };
        let mut settings = RedisConnectionInfo::default()
            .set_protocol(protocol)
            .set_db(self.database)
            .set_lib_name("lock", env!("CARGO_PKG_VERSION"));
        if let Some(user) = &self.user {
            // Without a password, the client would not even say who it is.
            settings = settings.set_username(user).set_password("");
        }
        if let Some(password) = &self.password {
            settings = settings.set_password(password);
        }
        // A half-open connection would otherwise live until the kernel gives up, after a quarter of an hour.
        let keepalive = TcpKeepalive::new().with_time(UNANSWERED).with_interval(UNANSWERED / 5);
        let tcp = TcpSettings::default().set_nodelay(true).set_keepalive(keepalive);
        #[cfg(any(target_os = "linux", target_os = "android"))]
        let tcp = tcp.set_user_timeout(UNANSWERED);
        Ok(endpoint.into_connection_info()?.set_redis_settings(settings).set_tcp_settings(tcp))
    }

    pub(super) const fn is_tls(&self) -> bool {
        matches!(self.endpoint, Endpoint::Tcp { tls: true, .. })
    }

    /// What tells it from every other, secrets included: never to be shown.
    pub(super) fn identity(&self) -> String {
        format!("{:?}", (&self.endpoint, &self.user, &self.password, self.database, self.on_runtime))
    }
}

fn socket(path: &str) -> Result<PathBuf, String> {
    let path = decoded(path, "the socket")?;
    if path.len() < 2 || !path.starts_with('/') {
        return Err(
            "it names no socket; accepted is an absolute path, as in redis+unix:///run/redis/redis.sock?db=0"
                .into(),
        );
    }
    Ok(PathBuf::from(path))
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.endpoint {
            Endpoint::Tcp { host, port, tls } => {
                let scheme = if *tls { "rediss" } else { "redis" };
                let place = Place { host: host.clone(), port: *port };
                write!(f, "{scheme}://{place}/{}", self.database)
            }
            Endpoint::Unix(path) => write!(f, "redis+unix://{}?db={}", path.display(), self.database),
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

    fn shown(scheme: &str, rest: &str, database: Option<&str>) -> Result<String, String> {
        Address::parse(scheme, rest, database).map(|address| address.to_string())
    }

    #[test]
    fn what_each_url_stands_for() {
        for (scheme, rest, database, expected) in [
            ("redis", "host", None, "redis://host:6379/0"),
            ("redis", "host/", None, "redis://host:6379/0"),
            ("rediss", "user:secret@host:7000/3", None, "rediss://host:7000/3"),
            ("redis", ":s%40cret@[::1]:7000", None, "redis://[::1]:7000/0"),
            ("redis", "[::1]", None, "redis://[::1]:6379/0"),
            ("redis+unix", "/run/redis.sock", Some("2"), "redis+unix:///run/redis.sock?db=2"),
            ("redis+unix", "user:secret@/run/redis.sock", None, "redis+unix:///run/redis.sock?db=0"),
        ] {
            assert_eq!(shown(scheme, rest, database).as_deref(), Ok(expected), "{rest}");
        }
    }

    #[test]
    fn secrets_are_decoded_and_kept() {
        let address = Address::parse("redis", "me:p%40ss:w/rd@host", None).unwrap();
        assert_eq!((address.user.as_deref(), address.password.as_deref()), (Some("me"), Some("p@ss:w/rd")));
        let address = Address::parse("redis", ":only@host", None).unwrap();
        assert_eq!((address.user, address.password.as_deref()), (None, Some("only")));
    }

    #[test]
    fn what_cannot_be_is_named_and_no_secret_is_shown() {
        for (scheme, rest, said) in [
            ("redis", "", "no single host"),
            ("redis", "u:secret@", "no single host"),
            ("redis", "a,b", "no single host"),
            ("redis", "u:secret@host:port", "the port"),
            ("redis", "host:0", "the port"),
            ("redis", "host:70000", "the port"),
            ("redis", "[::1", "\"]\" is missing"),
            ("redis", "[::1]x", "the port"),
            ("redis", "::1", "no single host"),
            ("redis", "user:secret%40host:9", "the port"),
            ("redis", "secret%40host", "no single host"),
            ("redis", "secret#host", "no single host"),
            ("redis", "host/first", "the database"),
            ("redis", "host/-1", "the database"),
            ("redis", "u:secret%ff@host", "the password does not decode"),
            ("redis+unix", "", "no socket"),
            ("redis+unix", "relative", "no socket"),
        ] {
            let error = shown(scheme, rest, None).unwrap_err();
            assert!(error.contains(said) && !error.contains("secret"), "{rest}: {error}");
        }
    }
}
