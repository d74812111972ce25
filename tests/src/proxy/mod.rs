//! A network that does what it is told: stands in front of a server, and breaks what goes through it.

mod carry;
#[cfg(test)]
mod tests;

use std::{
    future::pending,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpStream},
    runtime::Builder,
    sync::watch,
};

use crate::servers::free_port;

/// What happens to all that goes through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Way {
    /// It arrives.
    #[default]
    Open,
    /// It is swallowed.
    Dark,
    /// Requests arrive, replies are swallowed.
    Deaf,
    /// It arrives when the way is open again.
    Held,
}

/// The orders that every connection follows.
#[derive(Clone, Copy, Debug, Default)]
struct Orders {
    way: Way,
    delay: Duration,
    refusing: bool,
    /// How often everything was reset.
    resets: u64,
    over: bool,
}

/// What is done to one connection, once so many bytes of replies have gone through.
#[derive(Clone, Copy, Debug)]
struct Trap {
    after: usize,
    deafens: bool,
}

#[derive(Debug, Default)]
struct Traffic {
    open: AtomicUsize,
    accepted: AtomicU64,
    replied: AtomicU64,
    sprung: AtomicU64,
    trap: Mutex<Option<Trap>>,
}

/// A proxy; it ends, with all its connections, when this is dropped.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    orders: watch::Sender<Orders>,
    traffic: Arc<Traffic>,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    /// In front of a server on a port of this machine.
    ///
    /// # Panics
    /// If it cannot listen.
    pub fn before(server: u16) -> Self {
        // Not of those that the kernel gives to others: it is let go and taken again.
        let listener = std::iter::repeat_with(free_port)
            .find_map(|port| std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok());
        Self::on(listener.unwrap(), server)
    }

    /// The same, on a port that somebody has just left.
    ///
    /// # Panics
    /// If it cannot listen.
    pub fn at(port: u16, server: u16) -> Self {
        Self::on(std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap(), server)
    }

    fn on(listener: std::net::TcpListener, server: u16) -> Self {
        let (orders, followed) = watch::channel(Orders::default());
        let traffic = Arc::new(Traffic::default());
        let server = SocketAddr::from((Ipv4Addr::LOCALHOST, server));
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::clone(&traffic);
        let thread = thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                listen(listener, port, server, followed, shared).await;
            });
        });
        Self { port, orders, traffic, thread: Some(thread) }
    }

    /// The port to connect to instead of the server's.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// From now on, what goes in comes out. Connections on which something was swallowed stay dark: no network
    /// takes bytes out of the middle of one.
    pub fn pass(&self) {
        self.order(|orders| *orders = Orders { resets: orders.resets, ..Orders::default() });
    }

    /// Swallows everything; connections stay open.
    pub fn black_hole(&self) {
        self.order(|orders| orders.way = Way::Dark);
    }

    /// Requests go through, replies are swallowed.
    pub fn drop_replies(&self) {
        self.order(|orders| orders.way = Way::Deaf);
    }

    /// Keeps everything until [`pass`](Self::pass), and delivers it then.
    pub fn hold(&self) {
        self.order(|orders| orders.way = Way::Held);
    }

    /// Everything takes so much longer.
    pub fn delay(&self, by: Duration) {
        self.order(|orders| orders.delay = by);
    }

    /// Nobody listens any more; connections stay open.
    pub fn refuse(&self) {
        self.order(|orders| orders.refusing = true);
    }

    /// Resets all connections.
    pub fn reset_all(&self) {
        self.order(|orders| orders.resets += 1);
    }

    /// Resets the connection of the next reply once so many bytes of it have gone through.
    pub fn cut_next_reply(&self, after: usize) {
        *self.traffic.trap.lock().unwrap() = Some(Trap { after, deafens: false });
    }

    /// Swallows the next reply, and all that follow on its connection.
    pub fn lose_next_reply(&self) {
        *self.traffic.trap.lock().unwrap() = Some(Trap { after: 0, deafens: true });
    }

    /// How many of the replies that were to be cut or lost have been so far.
    pub fn sprung(&self) -> u64 {
        self.traffic.sprung.load(Ordering::SeqCst)
    }

    /// How many bytes of replies have gone through.
    pub fn replied(&self) -> u64 {
        self.traffic.replied.load(Ordering::SeqCst)
    }

    /// How many connections are open.
    pub fn open(&self) -> usize {
        self.traffic.open.load(Ordering::SeqCst)
    }

    /// How many connections there have been.
    pub fn accepted(&self) -> u64 {
        self.traffic.accepted.load(Ordering::SeqCst)
    }

    fn order(&self, change: impl FnOnce(&mut Orders)) {
        self.orders.send_modify(change);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.order(|orders| orders.over = true);
        if let Some(thread) = self.thread.take() {
            // Its panic has been told.
            let _ = thread.join();
        }
    }
}

async fn listen(
    listener: TcpListener,
    port: u16,
    server: SocketAddr,
    mut orders: watch::Receiver<Orders>,
    traffic: Arc<Traffic>,
) {
    let mut listener = Some(listener);
    loop {
        let Orders { refusing, over, .. } = *orders.borrow_and_update();
        if over {
            return;
        }
        if refusing {
            listener = None;
        } else if listener.is_none() {
            listener = Some(TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.unwrap());
        }
        tokio::select! {
            biased;
            changed = orders.changed() => if changed.is_err() { return },
            accepted = accepted(listener.as_ref()) => if let Ok((client, _)) = accepted {
                traffic.accepted.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(carry::between(client, server, orders.clone(), Arc::clone(&traffic)));
            },
        }
    }
}

async fn accepted(listener: Option<&TcpListener>) -> std::io::Result<(TcpStream, SocketAddr)> {
    match listener {
        Some(listener) => listener.accept().await,
        None => pending().await,
    }
}
