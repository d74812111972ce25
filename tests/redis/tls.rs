//! `rediss://`: who the server is, is looked at.

use std::{path::Path, process::Command};

use lock::Locker;
use lock_core::conformance::Peer;
use tests::{
    scratch::Scratch,
    servers::{RedisServer, free_port},
    subjects::holder,
};

use crate::scene::{LONG, SIDES, Scene, acquire, ms};

/// Certificates of an authority of the test's own: `ca.pem`, `server.pem`, `server.key`.
fn certify(directory: &Path) {
    for command in [
        "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=tests -addext keyUsage=keyCertSign",
        "req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=server \
         -addext subjectAltName=IP:127.0.0.1 -addext extendedKeyUsage=serverAuth",
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out server.pem -days 2 -copy_extensions copy",
    ] {
        let output = Command::new("openssl").args(command.split_whitespace()).current_dir(directory).output();
        let output = output.unwrap_or_else(|error| panic!("openssl: {error}; apt-get install -y openssl"));
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn a_server_is_spoken_to_if_its_certificate_is_trusted_and_only_then() {
    let scratch = Scratch::new("tls");
    certify(scratch.path());
    let file = |name: &str| scratch.path().join(name).to_str().unwrap().to_owned();
    let port = free_port().to_string();
    let scene = Scene::on(
        RedisServer::with(
            &[
                &["--tls-port", &port, "--tls-auth-clients", "no"][..],
                &["--tls-cert-file", &file("server.pem"), "--tls-key-file", &file("server.key")],
                &["--tls-ca-cert-file", &file("ca.pem")],
            ]
            .concat(),
        ),
        ms(600),
    );
    let url = format!("rediss://127.0.0.1:{port}/0");
    let untrusted = Locker::open(&url).unwrap();
    for side in SIDES {
        let error = acquire(&untrusted.lock("k"), side).unwrap_err();
        assert!(error.to_string().to_lowercase().contains("certificate"), "{error}");
        let mut command = holder(&url);
        command.env("SSL_CERT_FILE", file("ca.pem"));
        let mut trusting = Peer::start(command, &scene.settings, side).unwrap();
        smol::block_on(trusting.hold("g", "k", &[]));
        let waiting = scene.far().lock("k").wait(LONG);
        assert!(waiting.try_acquire().unwrap().is_none());
        assert_eq!(smol::block_on(trusting.ask(&["release", "g"])), ["released"]);
        let guard = waiting.acquire().unwrap();
        trusting.tell(&["acquire", "g", "k"]);
        scene.wait_in_line("k", 1);
        guard.release().unwrap();
        assert_eq!(smol::block_on(trusting.answer())[0], "granted");
    }
}
