//! What cannot be: directories, files, limits, URLs and variables. Each is an error that names what was given, leaves
//! nothing held, and tells no secret.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails panics")]

use std::{
    ffi::OsStr,
    fs,
    os::unix::{
        ffi::OsStrExt,
        fs::{PermissionsExt, chown, symlink},
    },
    path::Path,
    process::{Command, Output},
};

use lock_core::{Error, Locker, backends::File};
use tests::{scratch::Scratch, subjects::holder_path};

/// Acquiring fails, names the directory, and says `said`.
fn assert_refused(locker: &Locker, directory: &Path, said: &str) {
    for result in [locker.lock("k").acquire(), smol::block_on(locker.lock("k").acquire_async())] {
        let error = result.unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, Error::Backend { .. }), "{text}");
        assert!(text.contains(said) && text.contains(directory.to_str().unwrap()), "{text}");
        assert!(text.contains("lock:k"), "{text}");
    }
    assert!(locker.ping().is_err() || said.contains("where the file"));
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A program run by a user that may do nothing; by us where we are such a user already.
fn as_nobody(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"]).arg(program);
    command
}

fn output(command: &mut Command) -> (bool, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    (status.success(), String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned())
}

/// A place that other users can get to, with the program in it.
fn public(name: &str) -> (Scratch, std::path::PathBuf) {
    let scratch = Scratch::new(name);
    set_mode(scratch.path(), 0o755);
    let program = scratch.path().join("holder");
    fs::copy(holder_path(), &program).unwrap();
    set_mode(&program, 0o755);
    (scratch, program)
}

#[test]
fn a_directory_that_belongs_to_somebody_else_is_refused() {
    if !is_root() {
        // `/` is root's, and not ours: enough for a user's own test run.
        let error = Locker::with_backend(File::private("/")).lock("k").acquire().unwrap_err();
        assert!(error.to_string().contains("belongs to user 0"), "{error}");
        return;
    }
    let scratch = Scratch::new("foreign");
    let directory = scratch.path().join("locks");
    fs::create_dir(&directory).unwrap();
    set_mode(&directory, 0o700);
    chown(&directory, Some(65534), Some(65534)).unwrap();
    for backend in [File::shared(&directory), File::private(&directory)] {
        assert_refused(&Locker::with_backend(backend), &directory, "belongs to user 65534");
    }
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 0);
}

#[test]
fn a_directory_that_cannot_be_written_to_is_refused() {
    let (scratch, program) = public("unwritable");
    let directory = scratch.path().join("locks");
    fs::create_dir(&directory).unwrap();
    set_mode(&directory, 0o555);
    let url = format!("file://{}", directory.display());
    let (worked, said) = output(as_nobody(&program).args(["open", &url, "1"]));
    assert!(
        !worked && said.contains("ermission denied") && said.contains(directory.to_str().unwrap()),
        "{said}"
    );
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 0);
    let below = directory.join("below");
    let (worked, said) =
        output(as_nobody(&program).args(["open", &format!("file://{}", below.display()), "1"]));
    assert!(!worked && said.contains("ermission denied") && said.contains(below.to_str().unwrap()), "{said}");
}

#[test]
fn a_directory_that_is_open_to_all_is_refused() {
    let scratch = Scratch::new("open");
    set_mode(scratch.path(), 0o777);
    assert_refused(&Locker::open(&scratch.url()).unwrap(), scratch.path(), "0777");
    set_mode(scratch.path(), 0o755);
    assert_refused(&Locker::with_backend(File::private(scratch.path())), scratch.path(), "0755");
    set_mode(scratch.path(), 0o700);
    drop(Locker::open(&scratch.url()).unwrap().lock("k").acquire().unwrap());
}

#[test]
fn a_symbolic_link_or_a_file_in_place_of_the_directory_is_refused() {
    let scratch = Scratch::new("link");
    let (real, link, file) =
        (scratch.path().join("real"), scratch.path().join("link"), scratch.path().join("file"));
    fs::create_dir(&real).unwrap();
    symlink(&real, &link).unwrap();
    fs::write(&file, "precious").unwrap();
    assert_refused(&Locker::with_backend(File::shared(&link)), &link, "symbolic link");
    assert_refused(&Locker::with_backend(File::shared(&file)), &file, "");
    assert_refused(&Locker::with_backend(File::shared(file.join("below"))), &file, "");
    assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
    assert_eq!(fs::read_dir(&real).unwrap().count(), 0);
}

#[test]
fn something_else_in_place_of_a_locks_file_is_refused_and_left_alone() {
    let scratch = Scratch::new("instead");
    let locker = Locker::open(&scratch.url()).unwrap();
    let name = scratch.path().join("lock%3ak");
    drop(locker.lock("k").acquire().unwrap());
    assert!(name.is_file(), "the name of the file is as this test thinks");
    let fresh = || Locker::with_backend(File::shared(scratch.path()));
    fs::remove_file(&name).unwrap();
    fs::create_dir(&name).unwrap();
    assert_refused(&fresh(), scratch.path(), "where the file of a lock is to be");
    fs::remove_dir(&name).unwrap();
    let precious = scratch.path().join("precious");
    fs::write(&precious, "precious").unwrap();
    symlink(&precious, &name).unwrap();
    let error = fresh().lock("k").acquire().unwrap_err().to_string();
    assert!(error.contains("symbolic link") && error.contains("lock%3ak"), "{error}");
    assert_eq!(fs::read_to_string(&precious).unwrap(), "precious");
    fs::remove_file(&name).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, &name, rustix::fs::Mode::RWXU).unwrap();
    let error = fresh().lock("k").acquire().unwrap_err().to_string();
    assert!(error.contains("not a file"), "{error}");
    fs::remove_file(&name).unwrap();
    drop(fresh().lock("k").acquire().unwrap());
}

#[test]
fn what_stands_in_a_locks_file_is_never_trusted() {
    let scratch = Scratch::new("content");
    let url = scratch.url();
    let name = scratch.path().join("lock%3ak");
    let locker = Locker::open(&url).unwrap();
    let mut last = locker.lock("k").acquire().unwrap().fencing_token();
    for content in
        [&b""[..], b"garbage\n", b"#lock/1 18446744073709551615 x", b"\xff\xfe\0\0\n", &vec![b'x'; 100_000]]
    {
        fs::write(&name, content).unwrap();
        let guard = Locker::open(&url).unwrap().lock("k").acquire().unwrap();
        assert!(guard.fencing_token() > last, "{content:?}");
        last = guard.fencing_token();
    }
}

/// A shell that sets a limit and then runs the program.
fn limited(limit: &str, url: &str, count: &str) -> (bool, String) {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{limit}; exec \"$0\" open \"$1\" {count}")]).arg(holder_path()).arg(url);
    output(&mut command)
}

#[test]
fn too_many_open_files_are_an_error_and_locks_work_again_afterwards() {
    let scratch = Scratch::new("files");
    let (worked, said) = limited("ulimit -n 40", &scratch.url(), "100");
    assert!(worked && said.contains("too many files open"), "{said}");
    assert!(said.contains(scratch.path().to_str().unwrap()) && said.contains("lock:many-"), "{said}");
}

#[test]
fn a_full_disk_is_an_error_and_leaves_nothing_held() {
    // Files may not grow: what a full disk is to a lock, in every container.
    let scratch = Scratch::new("full");
    let (worked, said) = limited("trap '' XFSZ; ulimit -f 0", &scratch.url(), "1");
    assert!(
        !worked && said.contains("too large") && said.contains(scratch.path().to_str().unwrap()),
        "{said}"
    );
    assert!(Locker::open(&scratch.url()).unwrap().lock("many-0").try_acquire().unwrap().is_some());
}

#[test]
fn a_file_system_without_space_is_an_error_where_one_can_be_mounted() {
    let scratch = Scratch::new("tmpfs");
    let script = "mount -t tmpfs -o size=16k,mode=700 none \"$1\" && echo mounted || exit 0; \
                  head -c 100000 /dev/zero > \"$1/~fill\" 2>/dev/null; exec \"$0\" open \"file://$1\" 1";
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", script]).arg(holder_path()).arg(scratch.path());
    let (_, said) = output(&mut command);
    if said.contains("mounted") {
        assert!(said.contains("No space left") && said.contains(scratch.path().to_str().unwrap()), "{said}");
    } else {
        println!("no mounting here: {said}");
    }
}

#[test]
fn a_directory_that_is_removed_while_locks_are_in_use_is_made_again() {
    let scratch = Scratch::new("removed");
    let directory = scratch.path().join("locks");
    let locker = Locker::with_backend(File::shared(&directory));
    let token = locker.lock("k").acquire().unwrap().fencing_token();
    fs::remove_dir_all(&directory).unwrap();
    let guard = locker.lock("k").acquire().unwrap();
    assert!(guard.fencing_token() > token && guard.is_held());
    let other = Locker::with_backend(File::shared(&directory));
    assert!(other.lock("k").try_acquire().unwrap().is_none());
}

#[test]
fn unknown_schemes_and_broken_urls_are_named_with_what_is_accepted() {
    for (url, said) in [
        ("", "accepted are"),
        ("ftp://host", "\"ftp\""),
        ("file://", "absolute path"),
        ("file://relative", "absolute path"),
        ("file:///a%00b", "absolute path"),
        ("file:///a%ff", "UTF-8"),
        ("memory://?ttl=0", "ttl"),
        ("memory://?ttl=-1s", "\"-1s\""),
        ("memory://?ttl=1s&ttl=2s", "twice"),
        ("memory://?sleep=1", "\"sleep\""),
        ("memory://?prefix=%0a", "control characters"),
        ("redis+unknown://:secret@host", "unknown scheme"),
        ("ftp://user:secret@host/?token=secret", "\"ftp\""),
        ("://user:secret@host", "accepted are"),
        ("memory://?password=secret", "\"password\""),
    ] {
        let error = Locker::open(url).unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(matches!(error, Error::Config { .. }) && text.contains(said), "{url}: {text}");
        assert!(!text.contains("secret"), "{text}");
    }
    let long = format!("ftp://{}", "x".repeat(1 << 20));
    assert!(Locker::open(&long).unwrap_err().to_string().len() < 1000);
}

fn text(text: &str) -> &OsStr {
    OsStr::new(text)
}

/// What the facade says under these variables; everything else in the environment is kept from it.
fn facade(variables: &[(&str, &OsStr)], arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new(holder_path());
    command.env_clear().envs(variables.iter().copied()).arg("facade").args(arguments);
    output(&mut command)
}

#[test]
fn variables_of_the_environment_set_up_the_global_locker() {
    let scratch = Scratch::new("variables");
    let url = scratch.url();
    let variables = [
        ("LOCK_URL", text(&url)),
        ("LOCK_PREFIX", text("shop:")),
        ("LOCK_TTL", text("2.5")),
        ("LOCK_RETRY", text("70ms")),
        ("LOCK_RELEASE_ON_DROP", text("no")),
    ];
    let (worked, said) = facade(&variables, &["k"]);
    let fields: Vec<&str> = said.split('\t').collect();
    assert!(worked && fields[0] == "shop:k", "{said}");
    let remaining: u32 = fields[1].parse().unwrap();
    assert!((2000..=2475).contains(&remaining), "{said}");
    assert_eq!(fields[2], "true", "it was not to be released on drop");
    assert!(fields[3].contains("70ms"), "{said}");
    assert!(scratch.path().join("shop%3ak").is_file());
    // An empty variable counts as not set, and a URL's query goes before the environment.
    let over = format!("{url}?prefix=query:&ttl=1s");
    let variables = [("LOCK_URL", text(&over)), ("LOCK_PREFIX", text("shop:")), ("LOCK_TTL", text(""))];
    let (worked, said) = facade(&variables, &["k"]);
    assert!(worked && said.starts_with("query:k\t9"), "{said}");
    let variables = [("LOCK_URL", text("memory://")), ("LOCK_JOBS_URL", text(&url))];
    let (worked, said) = facade(&variables, &["nightly", "jobs"]);
    assert!(worked && said.starts_with("lock:nightly"), "{said}");
    assert!(scratch.path().join("lock%3anightly").is_file());
}

#[test]
fn variables_that_cannot_be_are_named_without_secrets() {
    for (name, value, said) in [
        ("LOCK_URL", text("nonsense"), "not a URL"),
        ("LOCK_URL", text("ftp://user:secret@host"), "unknown scheme"),
        ("LOCK_URL", text("file://x"), "absolute path"),
        ("LOCK_URL", OsStr::from_bytes(b"\xff"), "LOCK_URL"),
        ("LOCK_TTL", text("soon"), "LOCK_TTL"),
        ("LOCK_TTL", text("0"), "100ms to 10 years"),
        ("LOCK_TTL", text("-5s"), "LOCK_TTL"),
        ("LOCK_TTL", text("1e300"), "LOCK_TTL"),
        ("LOCK_RETRY", text("0"), "LOCK_RETRY"),
        ("LOCK_RELEASE_ON_DROP", text("perhaps"), "LOCK_RELEASE_ON_DROP"),
        ("LOCK_PREFIX", text("a\nb"), "LOCK_PREFIX"),
        ("LOCK_PREFIX", OsStr::from_bytes(b"\xff"), "LOCK_PREFIX"),
    ] {
        let (worked, answer) = facade(&[(name, value)], &["k"]);
        assert!(!worked && answer.contains(said), "{name}={value:?}: {answer}");
        assert!(!answer.contains("secret") && !answer.contains("panicked"), "{answer}");
    }
    let (worked, answer) = facade(&[("LOCK_URL", text("memory://"))], &["k", "jobs"]);
    assert!(!worked && answer.contains("LOCK_JOBS_URL"), "{answer}");
    let (worked, answer) =
        facade(&[("LOCK_URL", text("memory://")), ("LOCK_JOBS_URL", text("x://u:secret@h"))], &["k", "jobs"]);
    assert!(!worked && !answer.contains("secret"), "{answer}");
}

#[test]
fn keys_that_cannot_be_leave_no_files() {
    let scratch = Scratch::new("keys");
    let locker = Locker::open(&scratch.url()).unwrap();
    for key in ["", "two\nlines", "nul\0", &"x".repeat(1 << 20)] {
        let error = locker.lock(key).acquire().unwrap_err();
        assert!(matches!(error, Error::InvalidKey { .. }), "{error}");
        assert!(error.to_string().len() < 1000);
    }
    assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0);
    for key in ["../../escape", "/etc/passwd", ".", "..", "a/b", "~new-1"] {
        drop(locker.lock(key).acquire().unwrap());
    }
    let files = fs::read_dir(scratch.path()).unwrap().count();
    assert_eq!(files, 6, "each has a file of its own, in the directory");
}
