//! `GET /internal/monitors`: what changed since a revision, for the replicas.

use axum::Json;
use axum::extract::State;
use directory::wire::{Deleted, MonitorPage, PAGE_LIMIT};
use model::Region;
use serde::Deserialize;
use store::monitors;

use crate::app::App;
use crate::error::RouteError;
use crate::routes::input::Params;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Query {
    #[serde(default)]
    since: i64,
    region: Option<Region>,
    limit: Option<u32>,
}

pub(crate) async fn handle(State(app): State<App>, Params(query): Params<Query>) -> Result<Json<MonitorPage>, RouteError> {
    let limit = query.limit.unwrap_or(PAGE_LIMIT).clamp(1, PAGE_LIMIT);
    app.key_fits().await?;
    let page = monitors::feed(&app.store, &app.cipher, query.since.max(0), query.region.as_ref(), i64::from(limit)).await?;
    let deleted = page.deleted.into_iter().map(|(id, revision)| Deleted { id, revision }).collect();
    let (source, revision, monitors, more) = (page.source, page.revision, page.monitors, page.more);
    Ok(Json(MonitorPage { source, revision, monitors, deleted, more, now: Some(app.now()) }))
}
