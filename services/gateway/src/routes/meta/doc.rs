//! `GET /doc`: this document.

use axum::response::{IntoResponse, Response};
use http::header;
use std::sync::LazyLock;

static DOCUMENT: LazyLock<String> = LazyLock::new(|| crate::openapi::openapi_json().unwrap_or_default());

#[utoipa::path(
    get,
    path = "/doc",
    tag = "system",
    operation_id = "doc",
    summary = "This document",
    responses((status = 200, description = "OpenAPI 3.1", body = Object, content_type = "application/json")),
    security(()),
)]
pub(crate) async fn doc() -> Response {
    ([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-cache")], DOCUMENT.as_str()).into_response()
}
