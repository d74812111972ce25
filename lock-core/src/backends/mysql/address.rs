//! The URL of a MySQL or MariaDB, as its client takes it.

use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};

use crate::backends::sql::{Address, Form};

/// What the query of a URL may say beside the settings of every locker.
pub(crate) const QUERY: &[&str] =
    &["table", "on_runtime", "socket", "ssl-mode", "ssl-ca", "ssl-cert", "ssl-key"];

const FORM: Form = Form {
    scheme: "mysql",
    port: 3306,
    socket: "socket",
    tls: &["ssl-mode", "ssl-ca", "ssl-cert", "ssl-key"],
    quote: '`',
};

/// `user[:password]@host[:port]/database`; `own` gives what stands in the query.
///
/// # Errors
/// What is wrong and what is accepted.
pub(crate) fn parse<'a>(rest: &str, own: impl Fn(&str) -> Option<&'a str>) -> Result<Address, String> {
    let address = Address::parse(&FORM, rest, own)?;
    if address.user.is_none() {
        return Err("it names no user; accepted is mysql://user[:password]@host[:port]/database".into());
    }
    if let Some(mode) = address.tls("ssl-mode") {
        mode.parse::<MySqlSslMode>().map_err(|_| {
            format!(
                "ssl-mode: {:?} is none; accepted are disabled, preferred, required, verify_ca and verify_identity",
                crate::error::excerpt(mode)
            )
        })?;
    }
    Ok(address)
}

pub(super) fn to_options(address: &Address) -> MySqlConnectOptions {
    let mut options = MySqlConnectOptions::new().database(&address.database);
    options = if address.place.host.starts_with('/') {
        options.socket(&address.place.host)
    } else {
        options.host(&address.place.host).port(address.place.port)
    };
    if let Some(user) = &address.user {
        options = options.username(user);
    }
    if let Some(password) = &address.password {
        options = options.password(password);
    }
    for (name, value) in &address.tls {
        options = match *name {
            "ssl-mode" => match value.parse() {
                Ok(mode) => options.ssl_mode(mode),
                Err(_) => options,
            },
            "ssl-ca" => options.ssl_ca(value),
            "ssl-cert" => options.ssl_client_cert(value),
            _ => options.ssl_client_key(value),
        };
    }
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(rest: &str, name: &str, value: &'static str) -> Result<Address, String> {
        parse(rest, |asked| (asked == name).then_some(value))
    }

    #[test]
    fn what_each_url_stands_for() {
        let address = parsed("me:secret@host/shop", "table", "app.locks").unwrap();
        assert_eq!(
            (address.to_string().as_str(), &*address.table.quoted),
            ("mysql://host:3306/shop", "`app`.`locks`")
        );
        let address = parsed("me@/shop", "socket", "/run/mysqld/mysqld.sock").unwrap();
        assert_eq!(
            to_options(&address).get_socket().and_then(|path| path.to_str()),
            Some("/run/mysqld/mysqld.sock")
        );
    }

    #[test]
    fn what_cannot_be_is_named() {
        for (rest, name, value, said) in [
            ("host/shop", "", "", "no user"),
            (":secret@host/shop", "", "", "no user"),
            ("me@host/shop", "ssl-mode", "maybe", "ssl-mode: \"maybe\" is none; accepted are"),
            ("me@host/shop", "table", "a`b", "table:"),
        ] {
            let error = parsed(rest, name, value).unwrap_err();
            assert!(error.contains(said) && !error.contains("secret"), "{error}");
        }
    }
}
