//! `GET /api/me`.

use http::StatusCode;

use crate::api::Me;

#[utoipa::path(
    get,
    path = "/api/me",
    tag = "session",
    operation_id = "me",
    summary = "Who am I",
    responses((status = 200, description = "The session in use", body = Me)),
    security(("cookie" = []), ("bearer" = [])),
)]
pub(crate) async fn me() -> StatusCode {
    StatusCode::NOT_IMPLEMENTED
}
