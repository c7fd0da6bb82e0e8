//! Keeps the catalog true: configuration as it changes, states as they are published and, now and then,
//! as Redis holds them.

use std::sync::Arc;
use std::time::Duration;

use directory::Change;
use model::Monitor;

use super::read::states;
use crate::app::App;
use crate::history;

/// Monitors read in one round trip.
const CHUNK: usize = 500;
/// Every state is compared with Redis this often, whatever was published.
const COMPARE: Duration = Duration::from_mins(1);
/// And with PostgreSQL this often: it is half a minute behind itself.
const COMPARE_AWAY: Duration = Duration::from_secs(15);

/// Follows the directory. Ends with the directory, which is the process's end.
pub(crate) async fn follow_configuration(app: App) {
    let mut changes = app.directory().subscribe();
    app.catalog().replace(&app.directory().monitors());
    loop {
        let change = tokio::select! {
            () = app.shutdown().cancelled() => return,
            change = changes.next() => change,
        };
        match change {
            Some(Change::Upserted(monitor)) => {
                app.hub().configured(monitor.workspace, monitor.id, monitor.revision, false);
                app.catalog().upsert(monitor);
            }
            Some(Change::Deleted { id, revision }) => {
                if let Some(workspace) = app.catalog().workspace_of(id) {
                    app.hub().configured(workspace, id, revision, true);
                }
                app.catalog().remove(id);
            }
            Some(Change::Everything) => {
                app.catalog().replace(&app.directory().monitors());
                app.hub().resync();
            }
            None => return,
        }
    }
}

/// Compares every state with Redis once a minute, and at once when the subscription came back; while Redis is away, more often with
/// PostgreSQL, so that what is counted and filtered by rests on the same as what is listed.
pub(crate) async fn refresh_states(app: App) {
    tokio::select! {
        // Users may never come.
        () = app.shutdown().cancelled() => return,
        () = app.directory().loaded() => {}
    }
    loop {
        let all: Arc<[Arc<Monitor>]> = app.directory().monitors();
        let mut pause = COMPARE;
        for chunk in all.chunks(CHUNK) {
            match states(&app, chunk).await {
                Ok(states) => {
                    for (monitor, (verdict, seen)) in chunk.iter().zip(states) {
                        app.catalog().refresh(monitor.id, verdict, seen);
                    }
                }
                Err(error) => {
                    tracing::debug!(%error, "states could not be compared with Redis");
                    pause = COMPARE_AWAY;
                    let Some(newest) = history::recent_states(&app, chunk, app.now()).await else { break };
                    for (monitor, seen) in newest {
                        app.catalog().fall_back(monitor, seen);
                    }
                }
            }
            // A hundred thousand monitors must not hold the connection in one go.
            tokio::task::yield_now().await;
        }
        tokio::select! {
            () = app.shutdown().cancelled() => return,
            () = tokio::time::sleep(pause) => {}
            () = app.hub().turned() => {}
        }
    }
}
