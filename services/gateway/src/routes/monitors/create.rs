//! `POST /api/monitors`.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use model::MonitorSpec;

use super::written;
use crate::api::{MonitorView, ProblemBody};
use crate::app::App;
use crate::auth::Editor;
use crate::error::ApiResult;
use crate::input::Json;

#[utoipa::path(
    post,
    path = "/api/monitors",
    tag = "monitors",
    operation_id = "createMonitor",
    summary = "Create a monitor",
    description = "It is checked for the first time within a second.",
    request_body = MonitorSpec,
    responses(
        (status = 201, description = "Created", body = MonitorView),
        (status = 409, description = "The name is taken", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("cookie" = []), ("bearer" = [])),
)]
pub(crate) async fn create(State(app): State<App>, Editor(caller): Editor, Json(spec): Json<MonitorSpec>) -> ApiResult<Response> {
    let monitor = app.client().create_monitor(caller.actor(), caller.workspace(), &spec).await?;
    let location = format!("/api/monitors/{}", monitor.id);
    let view = written::view(&app, monitor).await;
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], axum::Json(view)).into_response())
}
