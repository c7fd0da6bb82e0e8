//! Monitors and their schedule segments; every change draws the next revision of one stream.

mod feed;
mod keys;
mod sealed;
mod write;

pub use feed::{FeedPage, feed};
pub use keys::{Kept, Standing, forget, page, reseal, try_key};
pub use sealed::{Keyless, Opened, Seal};
pub use write::{create, delete, update};

use chrono::{DateTime, Utc};
use model::{Monitor, MonitorId, Region, ScheduleSegment, WorkspaceId};
use serde::Deserialize;
use uuid::Uuid;

use crate::{Connection, Store, StoreError, to_millis};

/// How long segments are kept: as long as the roll-ups they explain.
const SEGMENTS_KEPT_DAYS: i32 = 400;

/// One monitor of a workspace; `None` when it is not there or deleted.
pub async fn get(store: &Store, seal: &dyn Seal, workspace: WorkspaceId, id: MonitorId) -> Result<Option<Monitor>, StoreError> {
    let mut connection = store.pool().acquire().await?;
    load(&mut connection, seal, workspace, id).await
}

/// A page of a workspace's monitors in order of id, after `after`.
pub async fn list(
    store: &Store,
    seal: &dyn Seal,
    workspace: WorkspaceId,
    after: Option<MonitorId>,
    limit: i64,
) -> Result<Vec<Monitor>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT m.id, m.workspace_id, m.revision, m.spec, m.created_at, m.updated_at, m.deleted_at,
                  (SELECT coalesce(jsonb_agg(jsonb_build_object('from', (extract(epoch FROM s.starts_at) * 1000)::bigint,
                          'interval_ms', s.interval_ms, 'regions', s.regions, 'active', s.active) ORDER BY s.starts_at), '[]')
                   FROM monitor_segments s WHERE s.monitor_id = m.id) AS "segments!"
           FROM monitors m
           WHERE m.workspace_id = $1 AND m.deleted_at IS NULL AND ($2::uuid IS NULL OR m.id > $2)
           ORDER BY m.id LIMIT $3"#,
        workspace.0,
        after.map(|id| id.0),
        limit
    )
    .fetch_all(store.pool())
    .await?;
    rows.into_iter().map(|row| row.into_monitor(seal)).collect()
}

/// How many monitors the workspace has, and how many it may have.
pub async fn quota(connection: &mut Connection, workspace: WorkspaceId) -> Result<Option<(i64, i64)>, StoreError> {
    let row = sqlx::query!(
        r#"SELECT w.monitor_quota, (SELECT count(*) FROM monitors m WHERE m.workspace_id = w.id AND m.deleted_at IS NULL) AS "count!"
           FROM workspaces w WHERE w.id = $1"#,
        workspace.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| (row.count, i64::from(row.monitor_quota))))
}

/// As [`get`], inside a transaction, after every other change of monitors has committed.
pub async fn get_locked(
    connection: &mut Connection,
    seal: &dyn Seal,
    workspace: WorkspaceId,
    id: MonitorId,
) -> Result<Option<Monitor>, StoreError> {
    write::lock_revisions(connection).await?;
    load(connection, seal, workspace, id).await
}

async fn load(connection: &mut Connection, seal: &dyn Seal, workspace: WorkspaceId, id: MonitorId) -> Result<Option<Monitor>, StoreError> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT m.id, m.workspace_id, m.revision, m.spec, m.created_at, m.updated_at, m.deleted_at,
                  (SELECT coalesce(jsonb_agg(jsonb_build_object('from', (extract(epoch FROM s.starts_at) * 1000)::bigint,
                          'interval_ms', s.interval_ms, 'regions', s.regions, 'active', s.active) ORDER BY s.starts_at), '[]')
                   FROM monitor_segments s WHERE s.monitor_id = m.id) AS "segments!"
           FROM monitors m WHERE m.workspace_id = $1 AND m.id = $2 AND m.deleted_at IS NULL"#,
        workspace.0,
        id.0
    )
    .fetch_optional(connection)
    .await?;
    row.map(|row| row.into_monitor(seal)).transpose()
}

/// A row with its segments as JSON.
pub(crate) struct Row {
    pub id: Uuid,
    pub workspace_id: Uuid,
    pub revision: i64,
    pub spec: serde_json::Value,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub deleted_at: Option<DateTime<Utc>>,
    pub segments: serde_json::Value,
}

impl Row {
    pub fn into_monitor(self, seal: &dyn Seal) -> Result<Monitor, StoreError> {
        let spec = sealed::decode(seal, self.workspace_id.into(), self.id.into(), self.spec)?;
        Ok(Monitor {
            id: self.id.into(),
            workspace: self.workspace_id.into(),
            revision: self.revision,
            created_at: to_millis(self.created_at),
            updated_at: to_millis(self.updated_at),
            spec,
            segments: Vec::<ScheduleSegment>::deserialize(self.segments).map_err(|error| StoreError::corrupt("monitor_segments", error))?,
        })
    }
}

fn names(regions: &[Region]) -> Vec<String> {
    regions.iter().map(|region| region.as_str().to_owned()).collect()
}
