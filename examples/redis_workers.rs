//! Workers that ship orders, one at a time per order, over Redis; and what becomes of them when the server is gone.
//!
//! ```sh
//! cargo run --example redis_workers --features redis
//! ```
//!
//! Starts a `redis-server` of its own, on a free port of this machine, and stops it in the middle.

use std::{
    collections::BTreeMap,
    error::Error,
    io,
    net::TcpListener,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use lock::lock;
use tokio::{sync::mpsc, task::JoinSet, time};

type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

/// What is going on, by order: how many ship it now, at most at once, and in all.
type Desk = Arc<Mutex<BTreeMap<u64, (u32, u32, u32)>>>;

#[lock("order:{id}", ttl = "1s")]
async fn ship(id: u64, desk: Desk, takes: Duration) -> Result<(), lock::Error> {
    let _at_work = AtWork::begin(id, desk);
    time::sleep(takes).await; // cancelled here when the lease is lost
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    let server = Server::start().await?;
    lock::install(lock::Config::new().url(format!("redis://127.0.0.1:{}?prefix=shop:", server.port)))?;
    a_pool_of_workers().await?;
    a_server_that_stops(&server).await
}

/// Eight workers, 40 jobs for 5 orders: each order is in the hands of one worker at a time.
async fn a_pool_of_workers() -> Result<()> {
    let (desk, begun) = (Desk::default(), Instant::now());
    let (jobs, next) = mpsc::unbounded_channel();
    for job in 0..40 {
        jobs.send(job % 5)?;
    }
    drop(jobs);
    let (next, mut workers) = (Arc::new(tokio::sync::Mutex::new(next)), JoinSet::new());
    for _ in 0..8 {
        let (next, desk) = (Arc::clone(&next), Arc::clone(&desk));
        workers.spawn(async move {
            loop {
                let job = next.lock().await.recv().await;
                let Some(order) = job else { return Ok::<(), lock::Error>(()) };
                ship(order, Arc::clone(&desk), Duration::from_millis(5)).await?;
            }
        });
    }
    while let Some(worker) = workers.join_next().await {
        worker??;
    }
    let desk = desk.lock().map_err(|_| "a worker panicked")?;
    let most = desk.values().map(|(_, most, _)| *most).max().unwrap_or_default();
    let shipped: u32 = desk.values().map(|(.., all)| *all).sum();
    println!(
        "8 workers shipped {shipped} times, never more than {most} at once per order, in {:?}",
        begun.elapsed()
    );
    ensure(most == 1 && shipped == 40)
}

/// The lease of a running body cannot be renewed: the body is cancelled, and the caller told, before it ends.
async fn a_server_that_stops(server: &Server) -> Result<()> {
    let (desk, begun) = (Desk::default(), Instant::now());
    let shipping = tokio::spawn(ship(7, Arc::clone(&desk), Duration::from_secs(30)));
    time::sleep(Duration::from_millis(300)).await;
    server.signal("STOP")?;
    let outcome = shipping.await?;
    println!("the server stopped after 300 ms; after {:?}: {}", begun.elapsed(), told(&outcome));
    let at_work = desk.lock().map_err(|_| "a worker panicked")?.get(&7).map(|(now, ..)| *now);
    ensure(outcome.is_err_and(|error| error.is_lost()) && at_work == Some(0))?;

    server.signal("CONT")?;
    let begun = Instant::now();
    ship(7, desk, Duration::ZERO).await?;
    println!("it goes on; the same order was shipped {:?} later", begun.elapsed());
    Ok(())
}

/// Somebody at work on an order, also if that is cancelled.
struct AtWork {
    id: u64,
    desk: Desk,
}

impl AtWork {
    fn begin(id: u64, desk: Desk) -> Self {
        if let Ok(mut orders) = desk.lock() {
            let (now, most, _) = orders.entry(id).or_default();
            *now += 1;
            *most = (*most).max(*now);
        }
        Self { id, desk }
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        if let Ok(mut orders) = self.desk.lock() {
            let (now, _, all) = orders.entry(self.id).or_default();
            *now -= 1;
            *all += 1;
        }
    }
}

/// A server for this example alone.
struct Server {
    process: Child,
    port: u16,
}

impl Server {
    async fn start() -> Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let process = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port", &port.to_string()])
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| format!("redis-server: {error}; apt-get install -y redis-server"))?;
        let server = Self { process, port };
        let begun = Instant::now();
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            ensure(begun.elapsed() < Duration::from_secs(10))?;
            time::sleep(Duration::from_millis(10)).await;
        }
        Ok(server)
    }

    fn signal(&self, signal: &str) -> io::Result<()> {
        let pid = self.process.id().to_string();
        Command::new("kill").args([&format!("-{signal}"), &pid]).status().map(drop)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Also one that is stopped.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn told(outcome: &Result<(), lock::Error>) -> String {
    outcome.as_ref().map_or_else(ToString::to_string, |()| "done".to_owned())
}

fn ensure(shown: bool) -> Result<()> {
    if shown { Ok(()) } else { Err("that is not what this example claims".into()) }
}
