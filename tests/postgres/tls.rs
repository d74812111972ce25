//! `sslmode=`: who the server is, is looked at as libpq looks at it.

use std::{path::Path, process::Command};

use tests::{
    scratch::Scratch,
    servers::{PostgresServer, give_to_postgres},
};

use crate::scene::{LONG, SIDES, Scene, acquire, client, release};

/// Certificates of an authority of the test's own: `ca.pem`, `server.pem`, `server.key`.
fn certify(directory: &Path) {
    for command in [
        "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=tests -addext keyUsage=keyCertSign",
        "req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=server \
         -addext subjectAltName=DNS:localhost -addext extendedKeyUsage=serverAuth",
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out server.pem -days 2 -copy_extensions copy",
    ] {
        let output = Command::new("openssl").args(command.split_whitespace()).current_dir(directory).output();
        let output = output.unwrap_or_else(|error| panic!("openssl: {error}; apt-get install -y openssl"));
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn a_server_without_tls_is_an_error_where_it_is_required_and_none_where_not() {
    let scene = Scene::new(LONG);
    for side in SIDES {
        for mode in ["require", "verify-ca", "verify-full"] {
            let url = format!("{}?sslmode={mode}", scene.server.url());
            let error = acquire(&client(&url, &scene.settings).lock("k"), side).unwrap_err();
            assert!(!error.is_retryable() && error.to_string().contains("TLS"), "{mode}: {error}");
        }
        for mode in ["disable", "allow", "prefer"] {
            let url = format!("{}?sslmode={mode}", scene.server.url());
            release(&acquire(&client(&url, &scene.settings).lock("k"), side).unwrap(), side).unwrap();
        }
    }
}

#[test]
fn a_server_is_spoken_to_if_its_certificate_is_trusted_and_only_then() {
    let scratch = Scratch::new("tls");
    certify(scratch.path());
    give_to_postgres(scratch.path());
    let file = |name: &str| scratch.path().join(name).to_str().unwrap().to_owned();
    let server = PostgresServer::with(&[
        "ssl=on",
        &format!("ssl_cert_file={}", file("server.pem")),
        &format!("ssl_key_file={}", file("server.key")),
    ]);
    let scene = Scene::on(server, LONG);
    let url = |host: &str, query: &str| scene.server.url().replace("127.0.0.1", host) + query;
    let trusted = format!("?sslmode=verify-full&sslrootcert={}", file("ca.pem"));
    let encrypted = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'lock'";
    for side in SIDES {
        let locker = client(&url("localhost", &trusted), &scene.settings);
        let held = acquire(&locker.lock("k"), side).unwrap();
        // One that listens, too.
        let waits = client(&url("localhost", &trusted), &scene.settings).lock("k").wait(LONG);
        std::thread::scope(|scope| {
            let waiter = scope.spawn(move || release(&acquire(&waits, side).unwrap(), side));
            scene.wait_in_line("k", 1);
            scene.wait_for_listeners(1);
            assert_eq!(scene.ask(encrypted), "t");
            release(&held, side).unwrap();
            waiter.join().unwrap().unwrap();
        });
        // Whoever it is, for the name that was asked; and whose it is, for nobody's authority.
        for (host, query, said) in [
            ("127.0.0.1", trusted.clone(), "certificate"),
            ("localhost", "?sslmode=verify-full".to_owned(), "certificate"),
        ] {
            let error = acquire(&client(&url(host, &query), &scene.settings).lock("k"), side).unwrap_err();
            assert!(error.to_string().to_lowercase().contains(said), "{host} {query}: {error}");
        }
        let ca = format!("?sslmode=verify-ca&sslrootcert={}", file("ca.pem"));
        release(&acquire(&client(&url("127.0.0.1", &ca), &scene.settings).lock("k"), side).unwrap(), side)
            .unwrap();
    }
}
