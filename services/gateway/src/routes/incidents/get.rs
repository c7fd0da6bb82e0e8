//! `GET /api/incidents/{id}`.

use http::StatusCode;

use crate::api::Incident;

#[utoipa::path(
    get,
    path = "/api/incidents/{id}",
    tag = "incidents",
    operation_id = "getIncident",
    summary = "One incident",
    params(("id" = Uuid, Path, description = "The incident's id")),
    responses((status = 200, description = "The incident", body = Incident)),
    security(("cookie" = []), ("bearer" = [])),
)]
pub(crate) async fn get() -> StatusCode {
    StatusCode::NOT_IMPLEMENTED
}
