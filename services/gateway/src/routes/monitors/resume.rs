//! `POST /api/monitors/{id}/resume`.

use axum::Json;
use axum::extract::State;
use model::MonitorId;

use super::written;
use crate::api::MonitorView;
use crate::app::App;
use crate::auth::Editor;
use crate::error::ApiResult;
use crate::input::Id;

#[utoipa::path(
    post,
    path = "/api/monitors/{id}/resume",
    tag = "monitors",
    operation_id = "resumeMonitor",
    summary = "Check again",
    params(("id" = Uuid, Path, description = "The monitor's id")),
    responses((status = 200, description = "The monitor", body = MonitorView)),
    security(("cookie" = []), ("bearer" = [])),
)]
pub(crate) async fn resume(State(app): State<App>, Editor(caller): Editor, Id(id): Id<MonitorId>) -> ApiResult<Json<MonitorView>> {
    let monitor = app.client().resume_monitor(caller.actor(), caller.workspace(), id).await?;
    Ok(Json(written::view(&app, monitor).await))
}
