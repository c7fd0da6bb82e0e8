//! Removes what has expired: sessions, and what was counted of logins; seals anew what an older key sealed. Any number of replicas may do so at once.

use std::time::Duration;

use store::{StoreError, accounts, monitors, sessions};
use tokio_util::sync::CancellationToken;

use crate::app::App;

const EVERY: Duration = Duration::from_secs(3600);
/// After a failure: PostgreSQL may come up after us.
const AGAIN: Duration = Duration::from_secs(30);

pub(crate) async fn run(app: App, shutdown: CancellationToken) {
    loop {
        let wait = match sweep(&app).await {
            Ok(()) => EVERY,
            Err(error) => {
                tracing::warn!(%error, "what has expired could not be removed, or what is sealed not looked at, yet");
                AGAIN
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => break,
            () = tokio::time::sleep(wait) => {}
        }
    }
}

async fn sweep(app: &App) -> Result<(), StoreError> {
    let (store, now) = (&app.store, app.now());
    let sessions = sessions::purge(store, now).await?;
    let attempts = accounts::purge_attempts(store, now).await?;
    // While SECRET_KEY is changed, a replica that is on its way out may seal under the old one after we looked.
    monitors::try_key(store, &app.cipher).await?;
    tracing::debug!(sessions, attempts, "what has expired is removed");
    Ok(())
}
