//! Which files it takes, and what it says of the others.

use std::{fs, process::Command};

use lock_core::conformance::Side;
use tests::subjects::holder_path;

use crate::scene::{LONG, Scene};

/// What a first acquire says that cannot work.
fn said_of(scene: &Scene, url: &str) -> String {
    let error = scene.client_of(url).lock("k").try_acquire().unwrap_err();
    assert!(!error.is_retryable(), "{error}");
    error.to_string()
}

#[test]
fn a_new_file_is_in_wal_mode_and_one_with_tables_stays_as_it_is() {
    let scene = Scene::new(LONG);
    scene.client().lock("k").acquire().unwrap().release().unwrap();
    assert_eq!(scene.ask("PRAGMA journal_mode"), "wal");
    let old = Scene::new(LONG);
    old.ask("CREATE TABLE orders (id INTEGER)");
    let guard = old.client().lock("k").acquire().unwrap();
    assert!(old.client().lock("k").try_acquire().unwrap().is_none());
    guard.release().unwrap();
    assert_eq!(old.ask("PRAGMA journal_mode"), "delete");
}

#[test]
fn what_cannot_be_a_database_is_named_with_the_reason() {
    let scene = Scene::new(LONG);
    let path = scene.scratch.path().display();
    fs::write(scene.scratch.path().join("text"), "no database at all, but longer than its header ".repeat(9))
        .unwrap();
    fs::create_dir(scene.scratch.path().join("directory")).unwrap();
    for (file, reason) in [
        ("missing/app.db", "its directory is not there"),
        ("text/app.db", "what should be its directory is none"),
        ("directory", "it is a directory"),
        ("text", "it is a file of another kind"),
    ] {
        let said = said_of(&scene, &format!("sqlite://{path}/{file}"));
        assert!(said.contains(reason) && said.contains(&format!("{path}/{file}")), "{file}: {said}");
    }
}

#[test]
fn a_file_with_two_names_is_refused_and_a_link_to_it_is_the_same_file() {
    let scene = Scene::new(LONG);
    let link = scene.scratch.path().join("link.db");
    std::os::unix::fs::symlink(scene.path(), &link).unwrap();
    let guard = scene.client_of(&format!("sqlite://{}", link.display())).lock("k").acquire().unwrap();
    assert!(scene.client().lock("k").try_acquire().unwrap().is_none());
    let second = scene.scratch.path().join("second.db");
    fs::hard_link(scene.path(), &second).unwrap();
    for url in [scene.url(), format!("sqlite://{}", second.display())] {
        assert!(said_of(&scene, &url).contains("accepted is a file with one name"));
    }
    fs::remove_file(second).unwrap();
    guard.release().unwrap();
    scene.client().lock("k").acquire().unwrap().release().unwrap();
}

/// Root may write everywhere, unless it gives that up.
fn without_privileges() -> Command {
    let mut command = Command::new("setpriv");
    if rustix::process::geteuid().is_root() {
        command.arg("--bounding-set=-dac_override,-dac_read_search");
    }
    command.arg("--").arg(holder_path());
    command
}

#[test]
fn a_file_that_is_not_to_be_written_is_named_with_what_it_takes() {
    use std::os::unix::fs::PermissionsExt;
    let scene = Scene::new(LONG);
    scene.client().lock("k").acquire().unwrap().release().unwrap();
    assert_eq!(scene.ask("PRAGMA journal_mode = delete"), "delete");
    fs::set_permissions(scene.path(), fs::Permissions::from_mode(0o444)).unwrap();
    let said = without_privileges().args(["open", &scene.url(), "1"]).output().unwrap();
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.contains("readonly database; the file and its directory have to be writable"), "{said}");
    fs::remove_file(scene.path()).unwrap();
    fs::set_permissions(scene.scratch.path(), fs::Permissions::from_mode(0o555)).unwrap();
    let said = without_privileges().args(["open", &scene.url(), "1"]).output().unwrap();
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    fs::set_permissions(scene.scratch.path(), fs::Permissions::from_mode(0o755)).unwrap();
    assert!(said.contains("the file and its directory have to be readable and writable"), "{said}");
}

#[test]
fn a_full_disk_is_an_error_that_says_so() {
    let scene = Scene::new(LONG);
    let directory = scene.scratch.path().display().to_string();
    let mut command = Command::new("unshare");
    let script = r#"mount -t tmpfs -o size=256k none "$1" && exec "$2" open "sqlite://$1/app.db" 10000"#;
    command.args(["--map-root-user", "--mount", "sh", "-c", script, "sh", &directory]).arg(holder_path());
    let said = command.output().unwrap();
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(text.contains("database or disk is full; there is no space left for it"), "{said:?}");
}

#[test]
fn a_relative_path_is_the_same_file() {
    let scene = Scene::new(LONG);
    let mut inside = scene.peer_inside();
    smol::block_on(inside.hold("g", "k", &[]));
    assert!(scene.client().lock("k").try_acquire().unwrap().is_none());
    assert_eq!(smol::block_on(inside.ask(&["release", "g"])), ["released"]);
    scene.client().lock("k").acquire().unwrap().release().unwrap();
    // A path that is refused when the URL is read needs no file.
    for url in ["sqlite://", "sqlite://:memory:", "sqlite:///tmp/"] {
        let error = lock::Locker::open(url).unwrap_err().to_string();
        assert!(error.contains("accepted is the path of a file"), "{url}: {error}");
    }
}

#[test]
fn a_table_of_a_migration_is_used_and_another_one_is_named() {
    let scene = Scene::new(LONG);
    scene.ask(&lock::backends::sqlite::CREATE_TABLE.replace("{table}", "app_locks"));
    let url = format!("{}?table=app_locks", scene.url());
    let guard = scene.client_of(&url).lock("k").acquire().unwrap();
    assert_eq!(
        scene.ask("SELECT key || ' ' || token FROM app_locks"),
        format!("lock:k {}", guard.fencing_token())
    );
    assert_eq!(scene.ask("SELECT count(*) FROM sqlite_master WHERE name = 'lock_leases'"), "0");
    scene.ask("CREATE TABLE other (id TEXT PRIMARY KEY, name TEXT)");
    let said = said_of(&scene, &format!("{}?table=other", scene.url()));
    assert!(said.contains("the table is another one than this version of the library makes"), "{said}");
}

#[test]
fn locks_in_tables_of_their_own_have_nothing_to_do_with_each_other() {
    let scene = Scene::new(LONG);
    let mut peer = scene.peer(Side::Async);
    smol::block_on(peer.hold("g", "k", &[]));
    let elsewhere = scene.client_of(&format!("{}?table=elsewhere", scene.url()));
    assert!(elsewhere.lock("k").try_acquire().unwrap().is_some());
    assert!(scene.client().lock("k").try_acquire().unwrap().is_none());
}
