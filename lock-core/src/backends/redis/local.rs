//! Connections on the [runtimes of async callers](crate::backends::on_runtime), one on each, for all who ask there.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use redis::{AsyncConnectionConfig, aio::MultiplexedConnection};
use tokio::{
    runtime::{Handle, RuntimeFlavor},
    sync::Mutex,
};

use super::{
    crowd::{self, Crowds},
    link::Link,
};
use crate::backends::on_runtime::{Keeper, Place};

/// How long making one may take, and for how long nobody tries after that has failed.
const CONNECTING: Duration = Duration::from_secs(1);
/// Requests under way at once before callers wait to send theirs.
const UNDER_WAY: usize = 1024;

/// The connection of a runtime, and those who ask on it.
#[derive(Clone)]
pub(super) struct Local {
    pub(super) place: Place,
    pub(super) process: u32,
    pub(super) connection: MultiplexedConnection,
    pub(super) crowds: Arc<Crowds>,
    /// Whose turn it is to be told, where one thread does everything: though answers come together, those who were told first
    /// ask for more before the next are told, for the server to have work meanwhile.
    pub(super) telling: Option<Arc<Mutex<()>>>,
}

/// Makes the connection of a runtime, and keeps it for as long as that lasts.
pub(super) async fn keep(keeper: Keeper<Local>, link: Weak<Link>) {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECTING))
        .set_response_timeout(None)
        .set_pipeline_buffer_size(UNDER_WAY);
    let Some(client) = link.upgrade().map(|link| link.plain.clone()) else { return };
    match client.get_multiplexed_async_connection_with_config(&config).await {
        Ok(connection) => {
            let one_thread = Handle::current().runtime_flavor() == RuntimeFlavor::CurrentThread;
            let local = Local {
                place: keeper.place(),
                process: std::process::id(),
                connection,
                crowds: Arc::default(),
                telling: one_thread.then(Arc::default),
            };
            if keeper.has(local.clone()) {
                crowd::attend(&local, &link).await;
            }
        }
        Err(error) => {
            tracing::debug!(%error, "no connection on the caller's runtime");
            tokio::time::sleep(CONNECTING).await;
        }
    }
}
