//! `GET /doc`: this document.

use http::StatusCode;

#[utoipa::path(
    get,
    path = "/doc",
    tag = "system",
    operation_id = "doc",
    summary = "This document",
    responses((status = 200, description = "OpenAPI 3.1", body = Object, content_type = "application/json")),
    security(()),
)]
pub(crate) async fn doc() -> StatusCode {
    StatusCode::NOT_IMPLEMENTED
}
