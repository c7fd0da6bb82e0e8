//! Pages of monitors, from Redis. Of monitors checked less often than every six minutes or so the sparkline's older points are
//! PostgreSQL's, kept for an hour and done without where it is slow (`history::older_samples`). Where Redis is away, history from
//! PostgreSQL, and the page says so.

use std::sync::Arc;

use model::{Millis, Monitor, WorkspaceId};

use super::catalog::Selection;
use super::flight::{Answer, FlightKey};
use super::read::{LiveRow, With, rows};
use super::unserved::unserved;
use super::view::{LIST_BEATS, VIEW_BEATS, monitor_state, monitor_view};
use crate::api::{MonitorPage, MonitorView, StatusPage};
use crate::app::App;
use crate::auth::Secrets;
use crate::error::ApiResult;
use crate::history;
use crate::input::Cursor;

/// Live rows, and whether they come from PostgreSQL for want of Redis.
struct Rows {
    each: Vec<LiveRow>,
    stale: bool,
}

impl Rows {
    /// How old a page of them is, its counts included.
    fn as_of(&self, app: &App, workspace: WorkspaceId, now: Millis) -> Option<Millis> {
        if self.stale { app.catalog().as_of(workspace, now) } else { Some(now) }
    }
}

async fn live_rows(app: &App, monitors: &[Arc<Monitor>], with: With, now: Millis) -> Rows {
    let found = match monitors {
        // The counts beside it may be old all the same.
        [] => app.cache().ping().await.map(|()| Vec::new()),
        _ => rows(app, monitors, with, now).await,
    };
    match found {
        Ok(rows) => Rows { each: rows, stale: false },
        Err(error) => {
            tracing::warn!(%error, "live state cannot be read; answering from history");
            let rows = history::recent_rows(app, monitors, with, now).await;
            for (monitor, row) in monitors.iter().zip(&rows) {
                // What is counted and filtered by must not contradict what is shown.
                app.catalog().refresh(monitor.id, None, row.seen());
            }
            Rows { each: rows, stale: true }
        }
    }
}

/// The workspace's monitors with all that is shown of them.
pub(crate) async fn list(app: &App, workspace: WorkspaceId, selection: Selection) -> ApiResult<Arc<Answer>> {
    let secrets = selection.secrets;
    let key = FlightKey { workspace, secrets, edition: app.catalog().edition(), question: format!("monitors {selection:?}") };
    let compute = || async {
        let now = app.now();
        let selected = app.catalog().select(workspace, &selection, now);
        let rows = live_rows(app, &selected.monitors, With::Samples, now).await;
        let views = selected.monitors.iter().zip(&rows.each).map(|(monitor, row)| monitor_view(monitor, row, LIST_BEATS, secrets, now));
        let monitors = views.filter(|view| selection.shows(view.status.state)).collect();
        let next_cursor = selected.next.as_ref().and_then(Cursor::encode);
        let (counts, as_of) = (app.catalog().counts(workspace, now), rows.as_of(app, workspace, now));
        Answer::json(&MonitorPage { monitors, next_cursor, counts, as_of, stale: rows.stale })
    };
    app.pages().get(key, compute).await
}

/// The workspace's monitors with their states alone.
pub(crate) async fn statuses(app: &App, workspace: WorkspaceId, selection: Selection) -> ApiResult<Arc<Answer>> {
    let secrets = selection.secrets;
    let key = FlightKey { workspace, secrets, edition: app.catalog().edition(), question: format!("status {selection:?}") };
    let compute = || async {
        let now = app.now();
        let selected = app.catalog().select(workspace, &selection, now);
        let rows = live_rows(app, &selected.monitors, With::Day, now).await;
        let states = selected.monitors.iter().zip(&rows.each).map(|(monitor, row)| monitor_state(monitor, row, now));
        let monitors = states.filter(|one| selection.shows(one.status.state)).collect();
        let next_cursor = selected.next.as_ref().and_then(Cursor::encode);
        let (counts, as_of) = (app.catalog().counts(workspace, now), rows.as_of(app, workspace, now));
        Answer::json(&StatusPage { monitors, next_cursor, counts, as_of, stale: rows.stale })
    };
    app.pages().get(key, compute).await
}

/// One monitor as an answer that others may share.
pub(crate) async fn shared_one(app: &App, monitor: &Arc<Monitor>, secrets: Secrets) -> ApiResult<Arc<Answer>> {
    let question = format!("{} {}", monitor.id, monitor.revision);
    let key = FlightKey { workspace: monitor.workspace, secrets, edition: app.catalog().edition(), question };
    app.singles().get(key, || async { Answer::json(&one(app, monitor, secrets).await) }).await
}

/// One monitor with all that is shown of it.
pub(crate) async fn one(app: &App, monitor: &Arc<Monitor>, secrets: Secrets) -> MonitorView {
    let now = app.now();
    let (rows, warnings) = tokio::join!(live_rows(app, std::slice::from_ref(monitor), With::Samples, now), unserved(app, monitor, now));
    let view = monitor_view(monitor, &rows.each.into_iter().next().unwrap_or_default(), VIEW_BEATS, secrets, now);
    MonitorView { warnings, ..view }
}
