//! Removes what has expired: sessions, and what was counted of logins. Any number of replicas may do so at once.

use std::sync::Arc;
use std::time::Duration;

use model::{Clock, Millis};
use store::{Store, StoreError, accounts, sessions};
use tokio_util::sync::CancellationToken;

const EVERY: Duration = Duration::from_secs(3600);
/// After a failure: PostgreSQL may come up after us.
const AGAIN: Duration = Duration::from_secs(30);

pub(crate) async fn run(store: Store, clock: Arc<dyn Clock>, shutdown: CancellationToken) {
    loop {
        let wait = match sweep(&store, clock.now_ms()).await {
            Ok(()) => EVERY,
            Err(error) => {
                tracing::warn!(%error, "expired sessions could not be removed yet");
                AGAIN
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => break,
            () = tokio::time::sleep(wait) => {}
        }
    }
}

async fn sweep(store: &Store, now: Millis) -> Result<(), StoreError> {
    let sessions = sessions::purge(store, now).await?;
    let attempts = accounts::purge_attempts(store, now).await?;
    tracing::debug!(sessions, attempts, "what has expired is removed");
    Ok(())
}
