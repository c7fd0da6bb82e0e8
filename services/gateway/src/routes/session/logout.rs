//! `POST /api/logout`.

use http::StatusCode;

#[utoipa::path(
    post,
    path = "/api/logout",
    tag = "session",
    operation_id = "logout",
    summary = "End the session",
    responses((status = 204, description = "Ended")),
    security(("cookie" = []), ("bearer" = [])),
)]
pub(crate) async fn logout() -> StatusCode {
    StatusCode::NOT_IMPLEMENTED
}
