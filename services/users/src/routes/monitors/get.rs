//! `GET /internal/workspaces/{workspace}/monitors/{id}`.

use axum::Json;
use axum::extract::State;
use model::{Monitor, MonitorId, WorkspaceId};
use store::monitors;

use crate::app::App;
use crate::error::RouteError;
use crate::routes::input::{Ids, no_such_monitor};

pub(crate) async fn handle(
    State(app): State<App>,
    Ids((workspace, id)): Ids<(WorkspaceId, MonitorId)>,
) -> Result<Json<Monitor>, RouteError> {
    let monitor = monitors::get(&app.store, &app.cipher, workspace, id).await?;
    Ok(Json(monitor.ok_or_else(no_such_monitor)?))
}
