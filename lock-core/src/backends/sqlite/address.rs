//! Which file, and which table in it.

use std::{
    fmt,
    path::{Path, PathBuf, absolute},
};

use percent_encoding::percent_decode_str;

use crate::backends::sql::{DEFAULT, Table};

const ACCEPTED: &str = "accepted is the path of a file, absolute as in sqlite:///var/lib/app.db or relative as in sqlite://app.db";

/// What the query of a URL may say beside the settings of every locker.
pub(crate) const QUERY: &[&str] = &["table"];

/// A database file, and a table in it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Address {
    /// Absolute: a working directory that changes makes no other file of it, and SQLite takes it for nothing but a path.
    path: PathBuf,
    pub(super) table: Table,
}

impl Address {
    /// A path, percent-encoded; `own` gives what stands in the query.
    ///
    /// # Errors
    /// What is wrong and what is accepted.
    pub(crate) fn parse<'a>(rest: &str, own: impl Fn(&str) -> Option<&'a str>) -> Result<Self, String> {
        let decoded = percent_decode_str(rest).decode_utf8();
        let path = decoded.map_err(|_| "the path does not decode to UTF-8".to_owned())?;
        if path.is_empty() || path.ends_with('/') || path.contains('\0') {
            return Err(format!("it names no file; {ACCEPTED}"));
        }
        if path.starts_with(":memory:") {
            return Err(format!("nobody else sees a database in memory, use memory://; {ACCEPTED}"));
        }
        let path = absolute(&*path).map_err(|error| format!("no path to {path:?}: {error}; {ACCEPTED}"))?;
        let name = own("table").unwrap_or(DEFAULT);
        // A schema would be a database that only one connection has attached, or its own temporary tables.
        if name.contains('.') || name.to_ascii_lowercase().starts_with("sqlite_") {
            return Err(format!(
                "table: {:?} cannot be; accepted is a name without a schema that does not begin with sqlite_",
                crate::error::excerpt(name)
            ));
        }
        Ok(Self { path, table: Table::parse(name, '"')? })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What tells it from every other.
    pub(super) fn identity(&self) -> String {
        format!("{:?}", (&self.path, &self.table))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sqlite://{}", self.path.display())
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
        let here = std::env::current_dir().unwrap();
        let shown = |rest: &str| Address::parse(rest, |_| None).map(|address| address.path);
        assert_eq!(shown("/var/lib/app.db"), Ok("/var/lib/app.db".into()));
        assert_eq!(shown("/with%20space%3F.db"), Ok("/with space?.db".into()));
        assert_eq!(shown("app.db"), Ok(here.join("app.db")));
        // To SQLite, this would be another kind of name.
        assert_eq!(shown("file:app.db"), Ok(here.join("file:app.db")));
    }

    #[test]
    fn what_cannot_be_is_named_with_what_is_accepted() {
        for rest in ["", "/", "/dir/", ":memory:", "/a%00b"] {
            let error = Address::parse(rest, |_| None).unwrap_err();
            assert!(error.contains("accepted is the path"), "{rest}: {error}");
        }
        for table in ["temp.locks", "main.locks", "sqlite_locks", "SQLite_x", "a;b", "ä"] {
            let error = Address::parse("/x.db", |_| Some(table)).unwrap_err();
            assert!(error.contains("table:") && error.contains("accepted"), "{table}: {error}");
        }
    }
}
