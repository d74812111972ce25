//! Round trips, counted between the clients and the server.

use std::{
    collections::BTreeMap,
    io::{ErrorKind, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
};

use benches::Result;

/// A way to a server that counts what goes along it. It slows everybody down: nothing is timed there.
pub(crate) struct Counter {
    port: u16,
    count: Arc<Mutex<Count>>,
}

/// What was asked.
#[derive(Clone, Default)]
pub(crate) struct Count {
    /// How often somebody asked anything, whose last answer he had.
    pub(crate) trips: u32,
    /// The commands by name, of a server that is spoken to in words.
    pub(crate) words: BTreeMap<String, u32>,
}

impl Counter {
    /// In front of a server on a port of this machine.
    pub(crate) fn before(server: u16) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let (port, count) = (listener.local_addr()?.port(), Arc::<Mutex<Count>>::default());
        let counted = Arc::clone(&count);
        thread::spawn(move || {
            for client in listener.incoming().map_while(std::io::Result::ok) {
                // Who cannot be connected sees the end of his connection.
                drop(carry(client, server, &counted));
            }
        });
        Ok(Self { port, count })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// What was asked since it is there.
    pub(crate) fn now(&self) -> Count {
        self.count.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The same, for a section.
    pub(crate) fn look(&self) -> impl Fn() -> Count + Send + Sync + use<> {
        let count = Arc::clone(&self.count);
        move || count.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Count {
    pub(crate) fn since(mut self, before: &Self) -> Self {
        self.trips -= before.trips;
        for (word, count) in &mut self.words {
            *count -= before.words.get(word).copied().unwrap_or_default();
        }
        self
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.trips += other.trips;
        other.words.into_iter().for_each(|(word, count)| *self.words.entry(word).or_default() += count);
    }

    /// "ma, 4 mg": what there was for each of so many.
    pub(crate) fn describe(&self, times: u32) -> String {
        let each = |(word, count): (&String, &u32)| match f64::from(*count) / f64::from(times) {
            0.0 => None,
            1.0 => Some(word.clone()),
            several => Some(format!("{several:.0} {word}")),
        };
        self.words.iter().filter_map(each).collect::<Vec<_>>().join(", ")
    }
}

fn carry(client: TcpStream, server: u16, count: &Arc<Mutex<Count>>) -> Result {
    let server = TcpStream::connect(("127.0.0.1", server))?;
    for stream in [&client, &server] {
        stream.set_nodelay(true)?;
    }
    let answered = Arc::new(AtomicBool::new(true));
    let (from, to) = (server.try_clone()?, client.try_clone()?);
    let told = Arc::clone(&answered);
    thread::spawn(move || pass(from, to, |_| told.store(true, SeqCst)));
    let count = Arc::clone(count);
    thread::spawn(move || {
        pass(client, server, |bytes| {
            let mut count = count.lock().unwrap_or_else(PoisonError::into_inner);
            count.trips += u32::from(answered.swap(false, SeqCst));
            for word in words(bytes) {
                *count.words.entry(word).or_default() += 1;
            }
        });
    });
    Ok(())
}

/// Until one side ends.
fn pass(mut from: TcpStream, mut to: TcpStream, mut seen: impl FnMut(&[u8])) {
    let mut bytes = vec![0; 1 << 16];
    loop {
        match from.read(&mut bytes) {
            Ok(0) => break,
            Err(error) if error.kind() != ErrorKind::Interrupted => break,
            Err(_) => {}
            Ok(length) => {
                seen(&bytes[..length]);
                if to.write_all(&bytes[..length]).is_err() {
                    break;
                }
            }
        }
    }
    for stream in [&from, &to] {
        // The other side may be gone already.
        stream.shutdown(Shutdown::Both).ok();
    }
}

/// The commands of the meta protocol: two letters, a space and more. A request is a whole piece here.
fn words(bytes: &[u8]) -> Vec<String> {
    let lines = bytes.split(|byte| *byte == b'\n');
    let word = |line: &[u8]| match line {
        [b'm', letter @ b'a'..=b'z', b' ', ..] => Some(format!("m{}", char::from(*letter))),
        _ => None,
    };
    lines.filter_map(word).collect()
}
