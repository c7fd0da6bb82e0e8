//! `POST /api/incidents/{id}/acknowledge`.

use axum::Json;
use axum::extract::State;
use model::IncidentId;

use crate::api::{Incident, ProblemBody};
use crate::app::App;
use crate::auth::Editor;
use crate::error::ApiResult;
use crate::history;
use crate::input::Id;

#[utoipa::path(
    post,
    path = "/api/incidents/{id}/acknowledge",
    tag = "incidents",
    operation_id = "acknowledgeIncident",
    summary = "Say that somebody is on it",
    params(("id" = Uuid, Path, description = "The incident's id")),
    responses(
        (status = 200, description = "The incident", body = Incident),
        (status = 409, description = "It is resolved already", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("cookie" = []), ("bearer" = [])),
)]
pub(crate) async fn acknowledge(State(app): State<App>, Editor(caller): Editor, Id(id): Id<IncidentId>) -> ApiResult<Json<Incident>> {
    history::acknowledge(&app, caller.workspace(), id, caller.actor()).await.map(Json)
}
