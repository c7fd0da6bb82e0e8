//! `GET /api/channels`.

use axum::Json;
use axum::extract::State;
use service::Problem;

use crate::api::ChannelList;
use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiResult;

#[utoipa::path(
    get,
    path = "/api/channels",
    tag = "incidents",
    operation_id = "listChannels",
    summary = "Where alerts go, by name and kind",
    responses((status = 200, description = "Every channel of the workspace", body = ChannelList)),
    security(("cookie" = []), ("bearer" = [])),
)]
pub(crate) async fn list(State(app): State<App>, caller: Caller) -> ApiResult<Json<ChannelList>> {
    let away = || Problem::unavailable("accounts and settings are not available at the moment");
    let channels = app.channels().of(app.client(), caller.workspace()).await.ok_or_else(away)?;
    Ok(Json(ChannelList { channels }))
}
