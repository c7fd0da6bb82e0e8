//! `POST /api/incidents/{id}/acknowledge`.

use http::StatusCode;

use crate::api::{Incident, ProblemBody};

#[utoipa::path(
    post,
    path = "/api/incidents/{id}/acknowledge",
    tag = "incidents",
    operation_id = "acknowledgeIncident",
    summary = "Say that somebody is on it",
    params(("id" = Uuid, Path, description = "The incident's id")),
    responses(
        (status = 200, description = "The incident", body = Incident),
        (status = 409, description = "It is resolved already", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("cookie" = []), ("bearer" = [])),
)]
pub(crate) async fn acknowledge() -> StatusCode {
    StatusCode::NOT_IMPLEMENTED
}
