//! The servers that everybody is measured against: started for this run, gone with it.

use std::{any::Any, fmt::Display, process::Command};

use tests::{
    scratch::Scratch,
    servers::{MariaDbServer, MemcachedServer, PostgresServer},
};

/// One of them, or the directory of a file.
pub(crate) struct Server {
    pub(crate) url: String,
    /// Where it listens, if it does.
    pub(crate) port: Option<u16>,
    /// Which one it is, for the page.
    pub(crate) version: String,
    /// Ends with this.
    _running: Box<dyn Any>,
}

impl Server {
    /// Its URL by way of another port.
    pub(crate) fn url_by(&self, port: u16) -> String {
        let own = self.port.map(|port| format!(":{port}")).unwrap_or_default();
        self.url.replacen(&own, &format!(":{port}"), 1)
    }
}

pub(crate) fn postgres() -> Server {
    let server = PostgresServer::start();
    let version = server.ask("SHOW server_version");
    Server {
        url: server.url(),
        port: Some(server.port()),
        version: told(format!("PostgreSQL {version}"), "its default settings, but `fsync=off`"),
        _running: Box::new(server),
    }
}

pub(crate) fn mariadb() -> Server {
    let server = MariaDbServer::start();
    let version = server.ask("SELECT VERSION()");
    Server {
        url: server.url(),
        port: Some(server.port()),
        version: told(&version, "as its tests start it: nothing waits for the disk"),
        _running: Box::new(server),
    }
}

pub(crate) fn memcached() -> Server {
    let server = MemcachedServer::start();
    let version = Command::new("memcached").arg("--version").output();
    let version = version.map(|told| String::from_utf8_lossy(&told.stdout).trim().to_owned());
    Server {
        url: server.url(),
        port: Some(server.port()),
        version: told(version.unwrap_or_else(|_| "memcached".into()), "its default settings"),
        _running: Box::new(server),
    }
}

pub(crate) fn sqlite() -> Server {
    let directory = Scratch::new("bench-sqlite");
    Server {
        url: format!("sqlite://{}/locks.db", directory.path().display()),
        port: None,
        version: told("SQLite as in sqlx", "a new file in WAL mode, `synchronous=NORMAL`"),
        _running: Box::new(directory),
    }
}

fn told(version: impl Display, settings: &str) -> String {
    format!("server: {version}, on this machine, {settings}")
}
