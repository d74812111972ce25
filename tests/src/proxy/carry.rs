//! One connection through the proxy.

use std::{
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::watch,
    time::sleep,
};

use super::{Orders, Traffic, Trap, Way};

/// What of this connection has been swallowed, and therefore stays so.
#[derive(Clone, Copy, Default)]
struct Gone {
    requests: bool,
    replies: bool,
}

/// Carries bytes in both directions until one side ends, or the orders do it.
pub(super) async fn between(
    client: TcpStream,
    server: SocketAddr,
    orders: watch::Receiver<Orders>,
    traffic: Arc<Traffic>,
) {
    traffic.open.fetch_add(1, Ordering::SeqCst);
    match TcpStream::connect(server).await {
        Ok(server) => carry(client, server, orders, &traffic).await,
        Err(_) => reset(&client),
    }
    traffic.open.fetch_sub(1, Ordering::SeqCst);
}

async fn carry(
    mut client: TcpStream,
    mut server: TcpStream,
    mut orders: watch::Receiver<Orders>,
    traffic: &Traffic,
) {
    let (_, _) = (client.set_nodelay(true), server.set_nodelay(true));
    let resets = orders.borrow_and_update().resets;
    let mut gone = Gone::default();
    let (mut request, mut reply) = (vec![0; 65_536], vec![0; 65_536]);
    loop {
        let Orders { way, delay, resets: now, over, .. } = *orders.borrow_and_update();
        if over || now != resets {
            return reset_both(&client, &server);
        }
        let moving = way != Way::Held;
        tokio::select! {
            // An order that was given before the bytes were sent counts for them.
            biased;
            changed = orders.changed() => if changed.is_err() { return },
            read = client.read(&mut request), if moving => {
                let Some(bytes) = some(&request, read) else { return };
                gone.requests |= way == Way::Dark;
                gone.replies |= gone.requests;
                if !gone.requests {
                    sleep_for(delay).await;
                    if server.write_all(bytes).await.is_err() { return }
                }
            }
            read = server.read(&mut reply), if moving => {
                let Some(mut bytes) = some(&reply, read) else { return };
                gone.replies |= matches!(way, Way::Dark | Way::Deaf);
                let sprung = if gone.replies { None } else { spring(traffic, bytes.len()) };
                if let Some(Trap { after, deafens }) = sprung {
                    bytes = &bytes[..after];
                    gone.replies |= deafens;
                }
                if !gone.replies {
                    sleep_for(delay).await;
                    traffic.replied.fetch_add(bytes.len() as u64, Ordering::SeqCst);
                    if client.write_all(bytes).await.is_err() { return }
                }
                if sprung.is_some_and(|trap| !trap.deafens) {
                    // What was sent arrives before the reset does.
                    sleep_for(Duration::from_millis(1)).await;
                    return reset_both(&client, &server);
                }
            }
        }
    }
}

async fn sleep_for(time: Duration) {
    if !time.is_zero() {
        sleep(time).await;
    }
}

/// What was read; `None` at the end.
fn some(bytes: &[u8], read: std::io::Result<usize>) -> Option<&[u8]> {
    read.ok().filter(|length| *length > 0).map(|length| &bytes[..length])
}

/// The trap, if it is within so many bytes of a reply, which it is then gone with.
fn spring(traffic: &Traffic, length: usize) -> Option<Trap> {
    let mut trap = traffic.trap.lock().unwrap();
    if let Some(set) = trap.as_mut().filter(|set| set.after > length) {
        set.after -= length;
        return None;
    }
    let sprung = trap.take();
    if sprung.is_some() {
        traffic.sprung.fetch_add(1, Ordering::SeqCst);
    }
    sprung
}

fn reset_both(client: &TcpStream, server: &TcpStream) {
    reset(client);
    reset(server);
}

/// Its end will be a reset, and not an orderly one.
fn reset(stream: &TcpStream) {
    // It may have ended already.
    let _ = stream.set_zero_linger();
}
