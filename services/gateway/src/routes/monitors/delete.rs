//! `DELETE /api/monitors/{id}`.

use http::StatusCode;

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
pub(crate) async fn delete() -> StatusCode {
    StatusCode::NOT_IMPLEMENTED
}
