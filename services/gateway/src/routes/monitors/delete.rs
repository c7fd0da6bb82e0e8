//! `DELETE /api/monitors/{id}`.

use axum::extract::State;
use http::StatusCode;
use model::MonitorId;

use super::written;
use crate::app::App;
use crate::auth::Editor;
use crate::error::ApiResult;
use crate::input::Id;

#[utoipa::path(
    delete,
    path = "/api/monitors/{id}",
    tag = "monitors",
    operation_id = "deleteMonitor",
    summary = "Delete a monitor",
    params(("id" = Uuid, Path, description = "The monitor's id")),
    responses((status = 204, description = "Deleted")),
    security(("cookie" = []), ("bearer" = [])),
)]
pub(crate) async fn delete(State(app): State<App>, Editor(caller): Editor, Id(id): Id<MonitorId>) -> ApiResult<StatusCode> {
    app.client().delete_monitor(caller.actor(), caller.workspace(), id).await?;
    written::deleted(&app, id).await;
    Ok(StatusCode::NO_CONTENT)
}
