//! Connections on the [runtimes of async callers](crate::backends::on_runtime), one on each, for all who ask there.

use std::time::Duration;

use redis::{AsyncConnectionConfig, Client, aio::MultiplexedConnection};

use crate::backends::on_runtime::Keeper;

/// How long making one may take, and for how long nobody tries after that has failed.
const CONNECTING: Duration = Duration::from_secs(1);
/// Requests under way at once before callers wait to send theirs.
const UNDER_WAY: usize = 1024;

/// Makes the connection of a runtime, and keeps it for as long as that lasts.
pub(super) async fn keep(keeper: Keeper<MultiplexedConnection>, client: Client) {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECTING))
        .set_response_timeout(None)
        .set_pipeline_buffer_size(UNDER_WAY);
    match client.get_multiplexed_async_connection_with_config(&config).await {
        Ok(connection) => {
            if keeper.has(connection) {
                std::future::pending::<()>().await;
            }
        }
        Err(error) => {
            tracing::debug!(%error, "no connection on the caller's runtime");
            tokio::time::sleep(CONNECTING).await;
        }
    }
}
