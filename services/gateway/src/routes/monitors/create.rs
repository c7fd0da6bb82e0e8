//! `POST /api/monitors`.

use http::StatusCode;
use model::MonitorSpec;

use crate::api::{MonitorView, ProblemBody};

#[utoipa::path(
    post,
    path = "/api/monitors",
    tag = "monitors",
    operation_id = "createMonitor",
    summary = "Create a monitor",
    description = "It is checked for the first time within a second.",
    request_body = MonitorSpec,
    responses(
        (status = 201, description = "Created", body = MonitorView),
        (status = 409, description = "The name is taken", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("cookie" = []), ("bearer" = [])),
)]
pub(crate) async fn create() -> StatusCode {
    StatusCode::NOT_IMPLEMENTED
}
