//! What the scripts answer, as the engine understands it.

use std::time::{Duration, SystemTime};

use redis::Value;

use super::address::Address;
use crate::{
    backend::{Attempt, Fault, Request},
    key::Key,
    lease::{Holder, Lease, Owner},
};

/// The answer to `acquire` and `adopt`; `None`: nobody has it.
pub(super) fn attempt(value: &Value, request: &Request, address: &Address) -> Result<Option<Attempt>, Fault> {
    let granted = |token: u64, reserved| {
        let mut lease = Lease::new(request.key.clone(), request.owner.clone(), token, request.ttl);
        lease.reserved = reserved;
        Ok(Some(Attempt::Granted(lease)))
    };
    let pair = match value {
        Value::Array(parts) => match parts[..] {
            [Value::Int(token), Value::Int(reserved)] => {
                Some((token.unsigned_abs(), u32::try_from(reserved).unwrap_or(0)))
            }
            _ => None,
        },
        _ => None,
    };
    match (value, pair) {
        (Value::BulkString(token), _) => match std::str::from_utf8(token).map(str::parse) {
            Ok(Ok(token @ 1..)) => granted(token, request.reserve.max(1)),
            _ => Err(unexpected(value, address)),
        },
        // It was granted before, when another number was asked for.
        (_, Some((token, reserved))) if token > 0 && reserved > 0 => granted(token, reserved),
        (Value::Nil, _) => Ok(None),
        (other, _) => {
            let holder = holder(other, &request.key).ok_or_else(|| unexpected(other, address))?;
            let free_in = holder.expires_in;
            Ok(Some(Attempt::Held { holder: Some(Box::new(holder)), free_in }))
        }
    }
}

/// `{ ms left, value, record }`
pub(super) fn holder(value: &Value, key: &Key) -> Option<Holder> {
    let Value::Array(parts) = value else { return None };
    let [Value::Int(left), Value::BulkString(owner), Value::BulkString(record)] = &parts[..] else {
        return None;
    };
    let owner = String::from_utf8_lossy(owner);
    let mut holder = Holder::new(key.clone(), name(&owner));
    holder.expires_in = u64::try_from(*left).ok().map(Duration::from_millis);
    let record = String::from_utf8_lossy(record);
    let mut fields = record.splitn(5, ' ');
    if let (Some(last), Some(reserved), Some(pid), Some(host), Some(of)) =
        (fields.next(), fields.next(), fields.next(), fields.next(), fields.next())
        && of == owner
        && let (Ok(last), Ok(reserved)) = (last.parse::<u64>(), reserved.parse::<u64>())
    {
        let token = (last + 1).saturating_sub(reserved);
        holder.fencing_token = Some(token);
        holder.pid = pid.parse().ok();
        holder.host = Some(host.to_owned()).filter(|host| host != "-");
        // The token is the server's time in microseconds, unless that had not gone on since the last one.
        if reserved > 0 {
            holder.acquired_at = SystemTime::UNIX_EPOCH.checked_add(Duration::from_micros(token));
        }
    }
    Some(holder)
}

/// Who has a key that is no lock.
pub(super) fn not_a_lock() -> Owner {
    Owner::from_bits(0)
}

/// The owner that a foreign client wrote, which may be anything.
fn name(text: &str) -> Owner {
    let printable: String = text.chars().filter(|c| !c.is_control()).take(60).collect();
    text.parse().or_else(|_| printable.parse()).unwrap_or_else(|_| not_a_lock())
}

pub(super) fn unexpected(value: &Value, address: &Address) -> Fault {
    let kind = match value {
        Value::Nil => "nothing",
        Value::Int(_) => "a number",
        Value::BulkString(_) | Value::SimpleString(_) => "a text",
        Value::Array(_) => "a list of another form",
        _ => "something else",
    };
    let told = format!("{address}: the server answered {kind}; accepted are a token, or who has the lock");
    Fault::failed(told).maybe_executed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lease::Ttl;

    fn told(left: i64, owner: &str, record: &str) -> Value {
        let text = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        Value::Array(vec![Value::Int(left), text(owner), text(record)])
    }

    #[test]
    fn a_record_of_the_same_owner_tells_who_he_is() {
        let holder = holder(&told(1500, "me too", "1000016 17 42 web-1 me too"), &Key::from("k")).unwrap();
        assert_eq!(
            (holder.fencing_token, holder.pid, holder.host.as_deref()),
            (Some(1_000_000), Some(42), Some("web-1"))
        );
        assert_eq!(holder.acquired_at, Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1)));
        assert_eq!(holder.expires_in, Some(Duration::from_millis(1500)));
    }

    #[test]
    fn a_foreign_holder_has_no_token() {
        for record in ["", "7", "7 1 42 web-1 somebody else", "x 1 42 web-1 me", "7 y 42 web-1 me"] {
            let holder = holder(&told(-1, "me", record), &Key::from("k")).unwrap();
            assert_eq!((holder.fencing_token, holder.pid, holder.expires_in), (None, None, None), "{record}");
        }
        let odd = holder(&told(1, "line\nbreak", ""), &Key::from("k")).unwrap();
        assert_eq!(odd.owner.to_string(), "linebreak");
    }

    #[test]
    fn an_answer_that_is_none_is_an_error_and_ambiguous() {
        let request = Request::exclusive(Key::from("k"), Owner::from_bits(1), Ttl::DEFAULT);
        let address = Address::parse("redis", "host", None).unwrap();
        let text = |text: &str| Value::BulkString(text.into());
        for answer in [text("0"), text("-5"), text("x"), Value::Int(7), Value::Okay, Value::Array(vec![])] {
            let fault = attempt(&answer, &request, &address).unwrap_err();
            assert!(fault.may_have_executed(), "{fault}");
        }
        assert_eq!(attempt(&Value::Nil, &request, &address).unwrap(), None);
    }
}
