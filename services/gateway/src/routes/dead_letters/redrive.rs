//! `POST /api/system/dead-letters/{topic}/{partition}/{offset}/redrive`.

use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use service::Problem;

use crate::api::DeadLetter;
use crate::app::App;
use crate::auth::Admin;
use crate::error::ApiResult;
use crate::mesh::{self, Redriven};

#[utoipa::path(
    post,
    path = "/api/system/dead-letters/{topic}/{partition}/{offset}/redrive",
    tag = "system",
    operation_id = "redriveDeadLetter",
    summary = "Put a dead letter back into its topic, once (admins only)",
    params(
        ("topic" = String, Path, description = "The topic it came from"),
        ("partition" = i32, Path, description = "Of the dead-letter topic"),
        ("offset" = i64, Path, description = "In that partition"),
    ),
    responses(
        (status = 200, description = "It is in its topic again", body = DeadLetter),
        (status = 409, description = "It was driven again before", body = crate::api::ProblemBody, content_type = "application/problem+json"),
    ),
    security(("cookie" = []), ("bearer" = [])),
)]
pub(crate) async fn redrive(
    State(app): State<App>,
    Admin(caller): Admin,
    Path((topic, partition, offset)): Path<(String, String, String)>,
) -> ApiResult<Json<DeadLetter>> {
    let log = super::log(&app)?;
    let gone = || Problem::not_found("there is no such dead letter; those older than 14 days are deleted");
    let topic = log.topic(&topic).ok_or_else(gone)?;
    let (Ok(partition), Ok(offset)) = (partition.parse(), offset.parse()) else { return Err(gone().into()) };
    match mesh::redrive(log, app.primary(), topic, (partition, offset), caller.actor(), app.now()).await? {
        Redriven::Done(letter) => Ok(Json(*letter)),
        Redriven::Before => Err(Problem::new(StatusCode::CONFLICT, "this dead letter was driven again before").into()),
        Redriven::Gone => Err(gone().into()),
    }
}
