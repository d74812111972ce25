//! The record of a grant, written at each of them: what never changes in it is encoded once.

use std::io::Write as _;

use percent_encoding::utf8_percent_encode;

use super::{AWAITED, FIELD, NOT_AWAITED, NOTHING, VERSION, machine};
use crate::lease::Lease;

/// Who takes the locks of a client: its process, in two pieces of a line.
pub(crate) struct Holding {
    /// Between the owner and the time.
    process: String,
    /// Between the time and the key: not parked, and where the process runs.
    place: String,
}

impl Holding {
    pub(crate) fn of(process: u32) -> Self {
        let field = |text: &str| match text {
            "" => NOTHING.to_owned(),
            text => utf8_percent_encode(text, FIELD).to_string(),
        };
        let (host, space) = (field(&machine().host), field(&machine().space));
        Self { process: format!(" {process} "), place: format!(" 0 {NOTHING} {host} {space} ") }
    }

    /// The line of a lease that was taken at `since`, in microseconds since 1970.
    pub(crate) fn line(&self, lease: &Lease, since: u64, awaited: bool) -> Vec<u8> {
        let key = lease.key.as_str();
        let mut line = Vec::with_capacity(128 + self.place.len() + key.len());
        line.push(if awaited { AWAITED } else { NOT_AWAITED });
        line.extend_from_slice(VERSION.as_bytes());
        line.push(b' ');
        let token = line.len();
        // Writing to a vector does not fail.
        let _ = write!(line, "{}", lease.fencing_token);
        let token = token..line.len();
        line.push(b' ');
        let mut digits = [0; 32];
        let owner = utf8_percent_encode(lease.owner.text(&mut digits), FIELD);
        owner.for_each(|part| line.extend_from_slice(part.as_bytes()));
        line.extend_from_slice(self.process.as_bytes());
        if since == lease.fencing_token {
            line.extend_from_within(token);
        } else {
            let _ = write!(line, "{since}");
        }
        line.extend_from_slice(self.place.as_bytes());
        line.extend_from_slice(key.as_bytes());
        line.push(b'\n');
        line
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Record, *};
    use crate::{
        key::Key,
        lease::{Owner, Ttl},
    };

    #[test]
    fn the_line_of_a_grant_is_that_of_its_record() {
        let owners = [Owner::from_bits(0x0123_4567_89ab_cdef), "worker 7 - %41".parse().unwrap()];
        let tokens = [(1, 1), (7, 1_700_000_000_000_000), (u64::MAX, 0), (10, 9)];
        for owner in owners {
            for (token, since) in tokens {
                for awaited in [false, true] {
                    let lease =
                        Lease::new(Key::from("a key: with spaces"), owner.clone(), token, Ttl::DEFAULT);
                    let line = Holding::of(7).line(&lease, since, awaited);
                    let record = Record::from_bytes(&line).unwrap();
                    assert_eq!(record.to_line().as_bytes(), line);
                    assert_eq!((record.token, record.since, record.pid()), (token, since, 7));
                    assert_eq!((record.owner.as_ref(), record.awaited), (Some(&owner), awaited));
                    assert!(record.parked_for().is_none() && record.host == machine().host);
                }
            }
        }
    }
}
