//! `GET /api/system`.

use axum::Json;
use axum::extract::State;

use crate::api::System;
use crate::app::App;
use crate::auth::Caller;
use crate::system;

#[utoipa::path(
    get,
    path = "/api/system",
    tag = "system",
    operation_id = "getSystem",
    summary = "The state of the mesh as this gateway sees it",
    responses((status = 200, description = "Facts", body = System)),
    security(("cookie" = []), ("bearer" = [])),
)]
pub(crate) async fn get(State(app): State<App>, caller: Caller) -> Json<System> {
    Json(system::facts(&app, caller.workspace()).await)
}
