//! The proxy, in front of a server that says what it is told.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::Proxy;

/// Nothing came within this time.
const SILENCE: Duration = Duration::from_millis(60);

/// An echo that counts the bytes which reach it, and a proxy before it.
fn echo() -> (Proxy, Arc<AtomicUsize>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let reached = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&reached);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, counter) = (stream.unwrap(), Arc::clone(&counter));
            thread::spawn(move || {
                let mut bytes = [0; 64];
                while let Ok(length @ 1..) = stream.read(&mut bytes) {
                    counter.fetch_add(length, Ordering::SeqCst);
                    if stream.write_all(&bytes[..length]).is_err() {
                        return;
                    }
                }
            });
        }
    });
    (Proxy::before(port), reached)
}

fn connect(proxy: &Proxy) -> TcpStream {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port())).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Says `text`, and what comes back within some time.
fn say(stream: &mut TcpStream, text: &str, limit: Duration) -> Result<String, ErrorKind> {
    stream.write_all(text.as_bytes()).map_err(|error| error.kind())?;
    hear(stream, text.len(), limit)
}

fn hear(stream: &mut TcpStream, length: usize, limit: Duration) -> Result<String, ErrorKind> {
    stream.set_read_timeout(Some(limit)).unwrap();
    let mut heard = String::new();
    while heard.len() < length {
        let mut bytes = [0; 64];
        match stream.read(&mut bytes) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof),
            Ok(length) => heard.push_str(std::str::from_utf8(&bytes[..length]).unwrap()),
            Err(error) if heard.is_empty() => return Err(error.kind()),
            Err(_) => return Ok(heard),
        }
    }
    Ok(heard)
}

const LONG: Duration = Duration::from_secs(10);

#[test]
fn what_goes_in_comes_out() {
    let (proxy, reached) = echo();
    let mut streams = [connect(&proxy), connect(&proxy)];
    for stream in &mut streams {
        assert_eq!(say(stream, "hello", LONG).as_deref(), Ok("hello"));
    }
    assert_eq!((proxy.open(), proxy.accepted(), proxy.replied()), (2, 2, 10));
    assert_eq!(reached.load(Ordering::SeqCst), 10);
}

#[test]
fn a_black_hole_swallows_both_directions_and_a_connection_never_recovers_from_it() {
    let (proxy, reached) = echo();
    let (mut used, mut idle) = (connect(&proxy), connect(&proxy));
    say(&mut used, "hello", LONG).unwrap();
    proxy.black_hole();
    assert_eq!(say(&mut used, "lost", SILENCE), Err(ErrorKind::WouldBlock));
    proxy.pass();
    assert_eq!(say(&mut used, "dark", SILENCE), Err(ErrorKind::WouldBlock));
    assert_eq!(reached.load(Ordering::SeqCst), 5);
    assert_eq!(say(&mut idle, "there", LONG).as_deref(), Ok("there"));
}

#[test]
fn dropped_replies_were_asked_for() {
    let (proxy, reached) = echo();
    let mut stream = connect(&proxy);
    proxy.drop_replies();
    assert_eq!(say(&mut stream, "hello", SILENCE), Err(ErrorKind::WouldBlock));
    assert_eq!(reached.load(Ordering::SeqCst), 5);
    proxy.pass();
    assert_eq!(say(&mut connect(&proxy), "again", LONG).as_deref(), Ok("again"));
}

#[test]
fn what_is_held_arrives_late_and_whole() {
    let (proxy, reached) = echo();
    let mut stream = connect(&proxy);
    say(&mut stream, "hello", LONG).unwrap();
    proxy.hold();
    assert_eq!(say(&mut stream, "later", SILENCE), Err(ErrorKind::WouldBlock));
    assert_eq!(reached.load(Ordering::SeqCst), 5);
    proxy.pass();
    assert_eq!(hear(&mut stream, 5, LONG).as_deref(), Ok("later"));
}

#[test]
fn a_delay_is_kept_in_both_directions() {
    let (proxy, _) = echo();
    let mut stream = connect(&proxy);
    proxy.delay(SILENCE);
    let begin = Instant::now();
    assert_eq!(say(&mut stream, "hello", LONG).as_deref(), Ok("hello"));
    assert!(begin.elapsed() >= SILENCE * 2, "{:?}", begin.elapsed());
}

#[test]
fn who_is_refused_is_told_and_who_is_connected_stays() {
    let (proxy, _) = echo();
    let mut stream = connect(&proxy);
    say(&mut stream, "hello", LONG).unwrap();
    proxy.refuse();
    let address = (Ipv4Addr::LOCALHOST, proxy.port());
    let begin = Instant::now();
    while TcpStream::connect(address).is_ok() {
        assert!(begin.elapsed() < LONG, "still accepted");
    }
    assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    assert_eq!(say(&mut stream, "still", LONG).as_deref(), Ok("still"));
    proxy.pass();
    while TcpStream::connect(address).is_err() {
        assert!(begin.elapsed() < LONG, "still refused");
    }
}

#[test]
fn a_reset_reaches_every_connection() {
    let (proxy, _) = echo();
    let mut streams = [connect(&proxy), connect(&proxy)];
    for stream in &mut streams {
        say(stream, "hello", LONG).unwrap();
    }
    proxy.reset_all();
    for stream in &mut streams {
        assert_eq!(hear(stream, 1, LONG), Err(ErrorKind::ConnectionReset));
    }
    assert_eq!(say(&mut connect(&proxy), "again", LONG).as_deref(), Ok("again"));
}

#[test]
fn a_reply_is_cut_after_each_of_its_bytes() {
    let (proxy, reached) = echo();
    for after in 0..5 {
        let (mut other, mut stream) = (connect(&proxy), connect(&proxy));
        say(&mut other, "other", LONG).unwrap();
        proxy.cut_next_reply(after);
        stream.write_all(b"hello").unwrap();
        let heard = if after == 0 { String::new() } else { hear(&mut stream, after, LONG).unwrap() };
        assert_eq!(heard, "hello"[..after]);
        assert_eq!(hear(&mut stream, 1, LONG), Err(ErrorKind::ConnectionReset));
        assert_eq!(proxy.sprung(), after as u64 + 1);
        assert_eq!(say(&mut other, "other", LONG).as_deref(), Ok("other"));
    }
    assert_eq!(reached.load(Ordering::SeqCst), 5 * 15);
}

#[test]
fn a_lost_reply_is_that_of_one_connection() {
    let (proxy, reached) = echo();
    let (mut other, mut stream) = (connect(&proxy), connect(&proxy));
    proxy.lose_next_reply();
    assert_eq!(say(&mut stream, "hello", SILENCE), Err(ErrorKind::WouldBlock));
    assert_eq!(say(&mut stream, "hello", SILENCE), Err(ErrorKind::WouldBlock));
    assert_eq!(say(&mut other, "other", LONG).as_deref(), Ok("other"));
    assert_eq!((reached.load(Ordering::SeqCst), proxy.sprung()), (15, 1));
}
