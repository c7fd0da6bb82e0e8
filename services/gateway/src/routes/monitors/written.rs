//! After a write: this gateway shows it at once, the others look at users at once.

use std::sync::Arc;

use model::{Monitor, MonitorId, WorkspaceId};

use crate::api::MonitorView;
use crate::app::App;
use crate::auth::Secrets;
use crate::error::{ApiError, ApiResult};
use crate::live;

/// What the other gateways hear; they ask users for what changed.
const LOOK: &[u8] = br#"{"kind":"config","items":[]}"#;

/// The monitor as it is now, after users accepted a change of it.
pub(crate) async fn view(app: &App, monitor: Monitor) -> MonitorView {
    let monitor = Arc::new(monitor);
    app.catalog().upsert(Arc::clone(&monitor));
    tell(app).await;
    // Only those who may write come here.
    live::one(app, &monitor, Secrets::Shown).await
}

/// It is gone.
pub(crate) async fn deleted(app: &App, id: MonitorId) {
    // The directory tells of it once more; by then nobody here knows the monitor any longer.
    if let Some(workspace) = app.catalog().workspace_of(id) {
        app.hub().configured(workspace, id, app.directory().status().revision, true);
    }
    app.catalog().remove(id);
    tell(app).await;
}

/// The monitor of this workspace. One that another gateway created a moment ago is asked for at users.
pub(crate) async fn find(app: &App, workspace: WorkspaceId, id: MonitorId) -> ApiResult<Arc<Monitor>> {
    if let Some(monitor) = app.catalog().get(workspace, id) {
        return Ok(monitor);
    }
    match app.client().monitor(workspace, id).await {
        Ok(monitor) => Ok(Arc::new(monitor)),
        Err(error) if error.refusal().is_some_and(|refusal| refusal.status == 404) => Err(ApiError::no_monitor()),
        Err(error) => Err(error.into()),
    }
}

async fn tell(app: &App) {
    app.directory().wake();
    // Others find out within the period of reconciliation if this is lost.
    if let Err(error) = app.cache().publish(LOOK).await {
        tracing::debug!(%error, "the other gateways could not be told of a change");
    }
}
