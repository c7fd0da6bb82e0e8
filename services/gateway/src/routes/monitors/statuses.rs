//! `GET /api/status`.

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;

use super::list::ListMonitors;
use crate::api::StatusPage;
use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiResult;
use crate::input::Asked;
use crate::live;

#[utoipa::path(
    get,
    path = "/api/status",
    tag = "monitors",
    operation_id = "listStatuses",
    summary = "States alone, for boards and scripts",
    params(ListMonitors),
    responses((status = 200, description = "A page of states, by name", body = StatusPage)),
    security(("cookie" = []), ("bearer" = [])),
)]
pub(crate) async fn statuses(
    State(app): State<App>,
    caller: Caller,
    Asked(query): Asked<ListMonitors>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    Ok(live::statuses(&app, caller.workspace(), query.selection(caller.secrets())).await?.respond(&headers))
}
