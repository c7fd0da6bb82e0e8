//! `GET /health`.

#[utoipa::path(
    get,
    path = "/health",
    tag = "system",
    operation_id = "health",
    summary = "Is the process alive",
    responses((status = 200, description = "Alive", body = String, content_type = "text/plain")),
    security(()),
)]
pub(crate) async fn health() -> &'static str {
    "ok\n"
}
