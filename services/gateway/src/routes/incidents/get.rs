//! `GET /api/incidents/{id}`.

use axum::Json;
use axum::extract::State;
use model::IncidentId;

use crate::api::Incident;
use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiResult;
use crate::history;
use crate::input::Id;

#[utoipa::path(
    get,
    path = "/api/incidents/{id}",
    tag = "incidents",
    operation_id = "getIncident",
    summary = "One incident",
    params(("id" = Uuid, Path, description = "The incident's id")),
    responses((status = 200, description = "The incident", body = Incident)),
    security(("cookie" = []), ("bearer" = [])),
)]
pub(crate) async fn get(State(app): State<App>, caller: Caller, Id(id): Id<IncidentId>) -> ApiResult<Json<Incident>> {
    history::incident(&app, caller.workspace(), id).await.map(Json)
}
