//! `GET /internal/workspaces/{workspace}/monitors`: a page in order of id.

use axum::Json;
use axum::extract::State;
use directory::wire::{MonitorList, PAGE_LIMIT};
use model::{MonitorId, WorkspaceId};
use serde::Deserialize;
use store::monitors;

use crate::app::App;
use crate::error::RouteError;
use crate::routes::input::{Ids, Params};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Query {
    after: Option<MonitorId>,
    limit: Option<u32>,
}

pub(crate) async fn handle(
    State(app): State<App>,
    Ids(workspace): Ids<WorkspaceId>,
    Params(query): Params<Query>,
) -> Result<Json<MonitorList>, RouteError> {
    let limit = query.limit.unwrap_or(PAGE_LIMIT).clamp(1, PAGE_LIMIT);
    let monitors = monitors::list(&app.store, &app.cipher, workspace, query.after, i64::from(limit)).await?;
    let next =
        if u32::try_from(monitors.len()).is_ok_and(|count| count == limit) { monitors.last().map(|monitor| monitor.id) } else { None };
    Ok(Json(MonitorList { monitors, next }))
}
