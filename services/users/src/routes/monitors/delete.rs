//! `DELETE /internal/workspaces/{workspace}/monitors/{id}`: leaves a tombstone for the replicas.

use axum::extract::State;
use events::ChangeKind;
use http::{HeaderMap, StatusCode};
use model::{MonitorId, WorkspaceId};
use store::monitors;

use crate::app::App;
use crate::change::Change;
use crate::error::RouteError;
use crate::routes::input::{Ids, actor, no_such_monitor};

pub(crate) async fn handle(
    State(app): State<App>,
    Ids((workspace, id)): Ids<(WorkspaceId, MonitorId)>,
    headers: HeaderMap,
) -> Result<StatusCode, RouteError> {
    let (actor, now) = (actor(&headers)?, app.now());
    let mut tx = app.store.begin().await?;
    // Without the key: what cannot be opened can be deleted.
    let before = monitors::get_locked(&mut tx, &monitors::Keyless, workspace, id).await?.ok_or_else(no_such_monitor)?;
    let revision = monitors::delete(&mut tx, workspace, id, now).await?.ok_or_else(no_such_monitor)?;
    Change { actor: &actor, workspace, monitor: id, kind: ChangeKind::Deleted, now }.record(&mut tx, revision, &before.spec.name).await?;
    tx.commit().await.map_err(store::StoreError::from)?;
    service::crash_point!("users::committed");
    app.changed.notify_one();
    Ok(StatusCode::NO_CONTENT)
}
