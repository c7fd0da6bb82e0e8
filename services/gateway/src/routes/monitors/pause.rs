//! `POST /api/monitors/{id}/pause`.

use http::StatusCode;

use crate::api::MonitorView;

#[utoipa::path(
    post,
    path = "/api/monitors/{id}/pause",
    tag = "monitors",
    operation_id = "pauseMonitor",
    summary = "Stop checking",
    params(("id" = Uuid, Path, description = "The monitor's id")),
    responses((status = 200, description = "The monitor", body = MonitorView)),
    security(("cookie" = []), ("bearer" = [])),
)]
pub(crate) async fn pause() -> StatusCode {
    StatusCode::NOT_IMPLEMENTED
}
