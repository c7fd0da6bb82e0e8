//! `POST /api/monitors/{id}/resume`.

use http::StatusCode;

use crate::api::MonitorView;

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
pub(crate) async fn resume() -> StatusCode {
    StatusCode::NOT_IMPLEMENTED
}
