//! `GET /api/monitors/{id}`.

use http::StatusCode;

use crate::api::MonitorView;

#[utoipa::path(
    get,
    path = "/api/monitors/{id}",
    tag = "monitors",
    operation_id = "getMonitor",
    summary = "One monitor",
    params(("id" = Uuid, Path, description = "The monitor's id")),
    responses((status = 200, description = "The monitor", body = MonitorView)),
    security(("cookie" = []), ("bearer" = [])),
)]
pub(crate) async fn get() -> StatusCode {
    StatusCode::NOT_IMPLEMENTED
}
