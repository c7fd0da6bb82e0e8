//! `GET /api/me`.

use axum::Json;

use crate::api::Me;
use crate::auth::Caller;

#[utoipa::path(
    get,
    path = "/api/me",
    tag = "session",
    operation_id = "me",
    summary = "Who am I",
    responses((status = 200, description = "The session in use", body = Me)),
    security(("cookie" = []), ("bearer" = [])),
)]
pub(crate) async fn me(caller: Caller) -> Json<Me> {
    Json(Me::from(caller.session.as_ref()))
}
