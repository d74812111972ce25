//! What a statement can be given.

/// The name of a value, as it stands in the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::backends) enum Parameter {
    Id,
    Key,
    Owner,
    Entry,
    Ttl,
    Reserve,
    Window,
    Host,
    Pid,
    Prefix,
    Channel,
    Kept,
    Now,
    Wall,
    Boot,
}

impl Parameter {
    const ALL: [(&'static str, Self); 15] = [
        ("id", Self::Id),
        ("key", Self::Key),
        ("owner", Self::Owner),
        ("entry", Self::Entry),
        ("ttl", Self::Ttl),
        ("reserve", Self::Reserve),
        ("window", Self::Window),
        ("host", Self::Host),
        ("pid", Self::Pid),
        ("prefix", Self::Prefix),
        ("channel", Self::Channel),
        ("kept", Self::Kept),
        ("now", Self::Now),
        ("wall", Self::Wall),
        ("boot", Self::Boot),
    ];

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, parameter)| *parameter)
    }
}

/// A value to bind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::backends) enum Value<'a> {
    Text(&'a str),
    Number(i64),
}

/// All that the statements of one operation can ask for. Times are in microseconds.
#[derive(Clone, Debug, Default)]
pub struct Values<'a> {
    /// What the row is found by.
    pub(in crate::backends) id: &'a str,
    pub(in crate::backends) key: &'a str,
    pub(in crate::backends) owner: &'a str,
    /// The owner as it stands in line.
    pub(in crate::backends) entry: &'a str,
    pub(in crate::backends) ttl: i64,
    pub(in crate::backends) reserve: i64,
    /// How long a key that is free is kept for the first in line.
    pub(in crate::backends) window: i64,
    pub(in crate::backends) host: &'a str,
    pub(in crate::backends) pid: i64,
    pub(in crate::backends) prefix: &'a str,
    /// Where those who wait are told.
    pub(in crate::backends) channel: &'a str,
    /// How long a row is kept that nobody uses.
    pub(in crate::backends) kept: i64,
    /// For a database without a clock: the time since boot, the time of day, and which boot it was.
    pub(in crate::backends) now: i64,
    pub(in crate::backends) wall: i64,
    pub(in crate::backends) boot: &'a str,
}

impl<'a> Values<'a> {
    pub(in crate::backends) fn of(id: &'a str) -> Self {
        Self { id, ..Self::default() }
    }

    pub(in crate::backends) const fn get(&self, parameter: Parameter) -> Value<'a> {
        match parameter {
            Parameter::Id => Value::Text(self.id),
            Parameter::Key => Value::Text(self.key),
            Parameter::Owner => Value::Text(self.owner),
            Parameter::Entry => Value::Text(self.entry),
            Parameter::Ttl => Value::Number(self.ttl),
            Parameter::Reserve => Value::Number(self.reserve),
            Parameter::Window => Value::Number(self.window),
            Parameter::Host => Value::Text(self.host),
            Parameter::Pid => Value::Number(self.pid),
            Parameter::Prefix => Value::Text(self.prefix),
            Parameter::Channel => Value::Text(self.channel),
            Parameter::Kept => Value::Number(self.kept),
            Parameter::Now => Value::Number(self.now),
            Parameter::Wall => Value::Number(self.wall),
            Parameter::Boot => Value::Text(self.boot),
        }
    }
}
