//! `POST /internal/workspaces/{workspace}/monitors`.

use axum::Json;
use axum::extract::State;
use events::ChangeKind;
use http::{HeaderMap, StatusCode};
use model::{Monitor, MonitorId, MonitorSpec, WorkspaceId};
use service::Problem;
use store::monitors;
use uuid::Uuid;

use crate::app::App;
use crate::change::{Change, check, known_channels};
use crate::error::RouteError;
use crate::routes::input::{Body, Ids, actor};

pub(crate) async fn handle(
    State(app): State<App>,
    Ids(workspace): Ids<WorkspaceId>,
    headers: HeaderMap,
    Body(mut spec): Body<MonitorSpec>,
) -> Result<(StatusCode, Json<Monitor>), RouteError> {
    let actor = actor(&headers)?;
    if spec.regions.is_empty() {
        spec.regions.clone_from(&app.default_regions);
    }
    check(&spec)?;
    let (id, now) = (MonitorId(Uuid::now_v7()), app.now());
    let mut tx = app.store.begin().await?;
    let (count, quota) = monitors::quota(&mut tx, workspace).await?.ok_or_else(|| Problem::not_found("there is no such workspace"))?;
    if count >= quota {
        return Err(Problem::forbidden(format!("the workspace has {count} monitors, as many as it may")).with_type("quota").into());
    }
    known_channels(&mut tx, workspace, &spec, &[]).await?;
    let monitor = monitors::create(&mut tx, &app.cipher, workspace, id, &spec, now).await?;
    Change { actor: &actor, workspace, monitor: id, kind: ChangeKind::Created, now }.record(&mut tx, monitor.revision, &spec.name).await?;
    tx.commit().await.map_err(store::StoreError::from)?;
    service::crash_point!("users::committed");
    app.changed.notify_one();
    Ok((StatusCode::CREATED, Json(monitor)))
}
