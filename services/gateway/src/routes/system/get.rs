//! `GET /api/system`.

use http::StatusCode;

use crate::api::System;

#[utoipa::path(
    get,
    path = "/api/system",
    tag = "system",
    operation_id = "getSystem",
    summary = "The state of the mesh as this gateway sees it",
    responses((status = 200, description = "Facts", body = System)),
    security(("cookie" = []), ("bearer" = [])),
)]
pub(crate) async fn get() -> StatusCode {
    StatusCode::NOT_IMPLEMENTED
}
