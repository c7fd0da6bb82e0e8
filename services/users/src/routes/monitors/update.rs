//! `PUT /internal/workspaces/{workspace}/monitors/{id}`: replaces the settings.

use axum::Json;
use axum::extract::State;
use events::ChangeKind;
use http::HeaderMap;
use model::{Monitor, MonitorId, MonitorSpec, WorkspaceId};
use store::monitors;

use crate::app::App;
use crate::change::{Change, check, known_channels};
use crate::error::RouteError;
use crate::routes::input::{Body, Ids, actor, changed_since, if_match, no_such_monitor};

pub(crate) async fn handle(
    State(app): State<App>,
    Ids((workspace, id)): Ids<(WorkspaceId, MonitorId)>,
    headers: HeaderMap,
    Body(mut spec): Body<MonitorSpec>,
) -> Result<Json<Monitor>, RouteError> {
    let (actor, expected) = (actor(&headers)?, if_match(&headers)?);
    check(&spec)?;
    let now = app.now();
    let mut tx = app.store.begin().await?;
    let before = monitors::get_locked(&mut tx, &app.cipher, workspace, id).await?.ok_or_else(no_such_monitor)?;
    if expected.is_some_and(|revision| revision != before.revision) {
        return Err(changed_since().into());
    }
    if spec.regions.is_empty() {
        // The defaults are for what is new: whoever changes those moves no monitor that is there.
        spec.regions.clone_from(&before.spec.regions);
        check(&spec)?;
    }
    if before.spec == spec {
        return Ok(Json(before));
    }
    known_channels(&mut tx, workspace, &spec, &before.spec.alert.channels).await?;
    let monitor = monitors::update(&mut tx, &app.cipher, workspace, id, &spec, now).await?.ok_or_else(no_such_monitor)?;
    Change { actor: &actor, workspace, monitor: id, kind: ChangeKind::Updated, now }.record(&mut tx, monitor.revision, &spec.name).await?;
    tx.commit().await.map_err(store::StoreError::from)?;
    service::crash_point!("users::committed");
    app.changed.notify_one();
    Ok(Json(monitor))
}
