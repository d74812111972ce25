//! What a connection says by itself: that a lock was passed on, and that it is alive.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use redis::{FromRedisValue, PushInfo, PushKind};
use tokio::sync::mpsc;

use super::{
    fault,
    link::{Link, Up},
    requests::Way,
};
use crate::race::{Either, race};

/// How often a connection is asked whether it is still alive.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// How long the answer to that may take.
const ALIVE_WITHIN: Duration = Duration::from_secs(1);

/// Tells waiters what the server says, and ends the connection when it does not answer any more.
pub(super) async fn attend(link: Weak<Link>, up: Arc<Up>, mut pushes: mpsc::UnboundedReceiver<PushInfo>) {
    let Some(suspected) = link.upgrade().map(|link| Arc::clone(&link.suspected)) else { return };
    let number = up.number;
    loop {
        let beat = tokio::time::timeout(HEARTBEAT, suspected.notified());
        match race(pushes.recv(), beat).await {
            Either::First(Some(push)) => {
                let Some(link) = link.upgrade() else { return };
                match push.kind {
                    PushKind::Disconnection => return link.down(number),
                    PushKind::Message => link.told(&up, &push),
                    _ => {}
                }
            }
            Either::First(None) => {
                let Some(link) = link.upgrade() else { return };
                return link.down(number);
            }
            Either::Second(_) if link.strong_count() == 0 => return,
            Either::Second(_) => {
                let mut connection = up.connection.clone();
                let command = redis::cmd("PING");
                let ping = command.query_async::<redis::Value>(&mut connection);
                let alive = tokio::time::timeout(ALIVE_WITHIN, ping).await;
                let Some(link) = link.upgrade() else { return };
                match alive {
                    Ok(Ok(_)) => {}
                    // A server that is busy or loading is alive.
                    Ok(Err(error)) if !fault::ends_connection(&error) => {}
                    Ok(Err(_)) | Err(_) => return link.down(number),
                }
            }
        }
    }
}

impl Link {
    fn told(self: &Arc<Self>, up: &Arc<Up>, push: &PushInfo) {
        let message = push.data.last().and_then(|value| String::from_redis_value_ref(value).ok());
        let Some((key, owner)) = message.and_then(|message| self.waiters.deliver(&message)) else { return };
        let (link, way) = (Arc::clone(self), Way::Shared(Arc::clone(up)));
        drop(tokio::spawn(async move {
            if let Err(error) = link.give_up(&way, &key, &owner, "").await {
                tracing::debug!(%key, %error, "could not give a lock back that came too late");
            }
        }));
    }
}
