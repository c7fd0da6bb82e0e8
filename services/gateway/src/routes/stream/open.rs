//! `GET /api/stream`.

use axum::extract::State;
use axum::response::Response;

use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiResult;
use crate::stream;

#[utoipa::path(
    get,
    path = "/api/stream",
    tag = "system",
    operation_id = "stream",
    summary = "Live updates (server-sent events)",
    description = "Events `hello` (Hello), `live` (LiveEvent), `results` (ResultsEvent), `verdicts` (VerdictsEvent), `config` (ConfigEvent) and `resync` (no data: something was missed, read everything again). A comment every 15 s keeps the connection open.",
    responses((status = 200, description = "The stream", body = String, content_type = "text/event-stream")),
    security(("cookie" = []), ("bearer" = [])),
)]
pub(crate) async fn open(State(app): State<App>, caller: Caller) -> ApiResult<Response> {
    stream::read(&app, caller)
}
