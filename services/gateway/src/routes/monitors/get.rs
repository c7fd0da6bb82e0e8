//! `GET /api/monitors/{id}`.

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use model::MonitorId;

use super::written;
use crate::api::MonitorView;
use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiResult;
use crate::input::Id;
use crate::live;

#[utoipa::path(
    get,
    path = "/api/monitors/{id}",
    tag = "monitors",
    operation_id = "getMonitor",
    summary = "One monitor",
    description = "Request headers, body, `send` and what the URL may hold of keys are `__masked__` for those who may only read.",
    params(("id" = Uuid, Path, description = "The monitor's id")),
    responses((status = 200, description = "The monitor", body = MonitorView)),
    security(("cookie" = []), ("bearer" = [])),
)]
pub(crate) async fn get(State(app): State<App>, caller: Caller, Id(id): Id<MonitorId>, headers: HeaderMap) -> ApiResult<Response> {
    let monitor = written::find(&app, caller.workspace(), id).await?;
    Ok(live::shared_one(&app, &monitor, caller.secrets()).await?.respond(&headers))
}
