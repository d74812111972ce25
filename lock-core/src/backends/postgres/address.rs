//! The URL of a PostgreSQL, as its client takes it.

use sqlx::postgres::{PgConnectOptions, PgSslMode};

use crate::backends::sql::{Address, Form};

/// What the query of a URL may say beside the settings of every locker.
pub(crate) const QUERY: &[&str] =
    &["table", "mode", "on_runtime", "host", "sslmode", "sslrootcert", "sslcert", "sslkey"];

const FORM: Form = Form {
    scheme: "postgres",
    port: 5432,
    socket: "host",
    tls: &["sslmode", "sslrootcert", "sslcert", "sslkey"],
    quote: '"',
};

/// `[user[:password]@]host[:port]/database`; `own` gives what stands in the query.
///
/// # Errors
/// What is wrong and what is accepted.
pub(crate) fn parse<'a>(rest: &str, own: impl Fn(&str) -> Option<&'a str>) -> Result<Address, String> {
    let address = Address::parse(&FORM, rest, own)?;
    if let Some(mode) = address.tls("sslmode") {
        mode.parse::<PgSslMode>().map_err(|_| {
            format!(
                "sslmode: {:?} is none; accepted are disable, allow, prefer, require, verify-ca and verify-full",
                crate::error::excerpt(mode)
            )
        })?;
    }
    Ok(address)
}

/// Whether session locks are wanted instead of leases.
///
/// # Errors
/// What is wrong and what is accepted.
pub(crate) fn is_advisory(mode: Option<&str>) -> Result<bool, String> {
    match mode {
        None | Some("lease") => Ok(false),
        Some("advisory") => Ok(true),
        Some(other) => {
            let shown = crate::error::excerpt(other);
            Err(format!("mode: {shown:?} is none; accepted are lease and advisory"))
        }
    }
}

pub(super) fn to_options(address: &Address) -> PgConnectOptions {
    let mut options = PgConnectOptions::new()
        .host(&address.place.host)
        .port(address.place.port)
        .database(&address.database);
    if let Some(user) = &address.user {
        options = options.username(user);
    }
    if let Some(password) = &address.password {
        options = options.password(password);
    }
    for (name, value) in &address.tls {
        options = match *name {
            "sslmode" => match value.parse() {
                Ok(mode) => options.ssl_mode(mode),
                Err(_) => options,
            },
            "sslrootcert" => options.ssl_root_cert(value),
            "sslcert" => options.ssl_client_cert(value),
            _ => options.ssl_client_key(value),
        };
    }
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_of_tls_that_is_none_is_named() {
        let error = parse("host/shop", |asked| (asked == "sslmode").then_some("maybe")).unwrap_err();
        assert!(error.contains("sslmode:") && error.contains("accepted are"), "{error}");
        let error = is_advisory(Some("both")).unwrap_err();
        assert!(error.contains("mode:") && error.contains("accepted are"), "{error}");
        let address = parse("me:secret@host:6000/shop", |_| None);
        assert_eq!(address.map(|address| address.to_string()).as_deref(), Ok("postgres://host:6000/shop"));
    }
}
