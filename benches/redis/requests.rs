//! What the server was asked, as it counts itself: `MONITOR` shows each command and whether a script gave it.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, channel},
    },
    thread,
    time::Duration,
};

use benches::Result;
use redis::{Client, Connection};

use crate::server::Server;

const MARK: &str = "lock-bench-mark";
/// How long the server may take to show a command.
const SHOWN: Duration = Duration::from_secs(10);

/// A listener at the server. It slows everybody down: nothing is timed while one is there.
pub(crate) struct Requests {
    stream: TcpStream,
    marker: Marker,
    counts: Receiver<Count>,
}

/// Sets marks in the stream of commands, from wherever it is called.
#[derive(Clone)]
pub(crate) struct Marker(Arc<Mutex<Connection>>);

impl Marker {
    pub(crate) fn set(&self) -> Result {
        let mut connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(redis::cmd("ECHO").arg(MARK).exec(&mut *connection)?)
    }
}

/// The commands between two marks, by name, without those that came from within scripts.
#[derive(Default)]
pub(crate) struct Count(BTreeMap<String, u32>);

impl Count {
    pub(crate) fn total(&self) -> u32 {
        self.0.values().sum()
    }

    /// "EVALSHA 2, DEL": what there was, the number if it was more than one.
    pub(crate) fn describe(&self, sections: u32) -> String {
        let each = |(name, count): (&String, &u32)| match f64::from(*count) / f64::from(sections) {
            1.0 => name.to_uppercase(),
            several => format!("{several:.1} {}", name.to_uppercase()),
        };
        self.0.iter().map(each).collect::<Vec<_>>().join(", ")
    }

    pub(crate) fn add(&mut self, other: Self) {
        other.0.into_iter().for_each(|(name, count)| *self.0.entry(name).or_default() += count);
    }
}

impl Requests {
    pub(crate) fn listen(server: &Server) -> Result<Self> {
        let marker = Marker(Arc::new(Mutex::new(Client::open(server.url())?.get_connection()?)));
        let mut stream = TcpStream::connect(("127.0.0.1", server.port()))?;
        stream.write_all(b"MONITOR\r\n")?;
        let mut lines = BufReader::new(stream.try_clone()?).lines();
        lines.next().ok_or("the server does not show its commands")??;
        let (found, counts) = channel();
        thread::spawn(move || {
            let mut count = Count::default();
            for line in lines.map_while(std::io::Result::ok) {
                // +1339518083.107412 [0 127.0.0.1:60866] "keys" "*"
                let mut quoted = line.split('"').skip(1).step_by(2);
                match quoted.next() {
                    // Nobody to tell: the listener is closed, and with it the connection.
                    Some("ECHO") if quoted.next() == Some(MARK) => {
                        drop(found.send(std::mem::take(&mut count)));
                    }
                    Some(name) if !line.contains("lua] \"") => {
                        *count.0.entry(name.to_lowercase()).or_default() += 1;
                    }
                    _ => {}
                }
            }
        });
        Ok(Self { stream, marker, counts })
    }

    pub(crate) fn marker(&self) -> Marker {
        self.marker.clone()
    }

    /// What there was before the next mark, and since the one before it.
    pub(crate) fn next(&self) -> Result<Count> {
        Ok(self.counts.recv_timeout(SHOWN)?)
    }

    /// What there was since the last mark.
    pub(crate) fn until_now(&self) -> Result<Count> {
        self.marker.set()?;
        self.next()
    }
}

impl Drop for Requests {
    fn drop(&mut self) {
        // The thread ends with the connection.
        drop(self.stream.shutdown(std::net::Shutdown::Both));
    }
}
