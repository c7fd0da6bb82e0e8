//! `PUT /api/monitors/{id}`.

use http::StatusCode;
use model::MonitorSpec;

use crate::api::{MonitorView, ProblemBody};

#[utoipa::path(
    put,
    path = "/api/monitors/{id}",
    tag = "monitors",
    operation_id = "updateMonitor",
    summary = "Replace a monitor's settings",
    params(
        ("id" = Uuid, Path, description = "The monitor's id"),
        ("if-match" = Option<i64>, Header, description = "The revision you saw; 409 if it has changed since"),
    ),
    request_body = MonitorSpec,
    responses(
        (status = 200, description = "Replaced", body = MonitorView),
        (status = 409, description = "The name is taken, or the monitor has changed since", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("cookie" = []), ("bearer" = [])),
)]
pub(crate) async fn update() -> StatusCode {
    StatusCode::NOT_IMPLEMENTED
}
