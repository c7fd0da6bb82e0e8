//! `PUT /api/monitors/{id}`.

use axum::extract::State;
use http::{HeaderMap, header};
use model::{MonitorId, MonitorSpec};

use super::written;
use crate::api::{MonitorView, ProblemBody};
use crate::app::App;
use crate::auth::Editor;
use crate::error::{ApiError, ApiResult};
use crate::input::{Id, Json};

#[utoipa::path(
    put,
    path = "/api/monitors/{id}",
    tag = "monitors",
    operation_id = "updateMonitor",
    summary = "Replace a monitor's settings",
    params(
        ("id" = Uuid, Path, description = "The monitor's id"),
        ("if-match" = Option<i64>, Header, description = "The revision you saw; 412 if it has changed since"),
    ),
    request_body = MonitorSpec,
    responses(
        (status = 200, description = "Replaced", body = MonitorView),
        (status = 409, description = "The name is taken", body = ProblemBody, content_type = "application/problem+json"),
        (status = 412, description = "Somebody changed it since the revision of If-Match", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("cookie" = []), ("bearer" = [])),
)]
pub(crate) async fn update(
    State(app): State<App>,
    Editor(caller): Editor,
    Id(id): Id<MonitorId>,
    headers: HeaderMap,
    Json(spec): Json<MonitorSpec>,
) -> ApiResult<axum::Json<MonitorView>> {
    let revision = if_match(&headers)?;
    let monitor = app.client().update_monitor(caller.actor(), caller.workspace(), id, &spec, revision).await?;
    Ok(axum::Json(written::view(&app, monitor).await))
}

/// `If-Match: "7"` or `7`; `*` and absence mean any.
fn if_match(headers: &HeaderMap) -> ApiResult<Option<i64>> {
    let Some(value) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim().trim_matches('"');
    if text == "*" {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| ApiError::field("if-match", "is no revision: send the number you saw"))
}
