//! `POST …/pause` and `…/resume`: the switch. Setting it as it is changes nothing and succeeds.

use axum::Json;
use axum::extract::State;
use events::ChangeKind;
use http::HeaderMap;
use model::{Monitor, MonitorId, MonitorSpec, WorkspaceId};
use store::monitors;

use crate::app::App;
use crate::change::{Change, check};
use crate::error::RouteError;
use crate::routes::input::{Ids, actor, no_such_monitor};

type Path = Ids<(WorkspaceId, MonitorId)>;

pub(crate) async fn pause(State(app): State<App>, Ids(ids): Path, headers: HeaderMap) -> Result<Json<Monitor>, RouteError> {
    switch(&app, ids, &headers, true).await
}

pub(crate) async fn resume(State(app): State<App>, Ids(ids): Path, headers: HeaderMap) -> Result<Json<Monitor>, RouteError> {
    switch(&app, ids, &headers, false).await
}

async fn switch(
    app: &App,
    (workspace, id): (WorkspaceId, MonitorId),
    headers: &HeaderMap,
    paused: bool,
) -> Result<Json<Monitor>, RouteError> {
    let (actor, now) = (actor(headers)?, app.now());
    let mut tx = app.store.begin().await?;
    let before = monitors::get_locked(&mut tx, &app.cipher, workspace, id).await?.ok_or_else(no_such_monitor)?;
    if before.spec.paused == paused {
        return Ok(Json(before));
    }
    let spec = MonitorSpec { paused, ..before.spec };
    if !paused {
        // What must not be checked as it stands: a mask, for one, in the place of a key that was lost.
        check(&spec)?;
    }
    let monitor = monitors::update(&mut tx, &app.cipher, workspace, id, &spec, now).await?.ok_or_else(no_such_monitor)?;
    let kind = if paused { ChangeKind::Paused } else { ChangeKind::Resumed };
    Change { actor: &actor, workspace, monitor: id, kind, now }.record(&mut tx, monitor.revision, &spec.name).await?;
    tx.commit().await.map_err(store::StoreError::from)?;
    service::crash_point!("users::committed");
    app.changed.notify_one();
    Ok(Json(monitor))
}
