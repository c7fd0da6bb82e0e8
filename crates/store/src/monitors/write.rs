//! Changes of monitors. Each draws a revision, appends a segment where the schedule changed, and is
//! part of the caller's transaction, beside its audit row and its outbox record.

use model::{Millis, Monitor, MonitorId, MonitorSpec, WorkspaceId};

use super::{SEGMENTS_KEPT_DAYS, Seal, load, names, sealed};
use crate::{Connection, StoreError, from_millis};

/// Advisory lock that orders revisions; the number is arbitrary and never reused.
const REVISION_LOCK: i64 = 0x7570_6d65_7368_0001;

/// Held until commit, so revisions become visible in their order. Taking it twice is fine.
pub(super) async fn lock_revisions(connection: &mut Connection) -> Result<(), StoreError> {
    sqlx::query!("SELECT pg_advisory_xact_lock($1)", REVISION_LOCK).execute(connection).await?;
    Ok(())
}

async fn next_revision(connection: &mut Connection) -> Result<i64, StoreError> {
    lock_revisions(connection).await?;
    Ok(sqlx::query_scalar!(r#"SELECT nextval('monitor_revision') AS "revision!""#).fetch_one(connection).await?)
}

/// A new monitor. `Duplicate { constraint: "monitors_name" }` when the name is taken.
pub async fn create(
    connection: &mut Connection,
    seal: &dyn Seal,
    workspace: WorkspaceId,
    id: MonitorId,
    spec: &MonitorSpec,
    now: Millis,
) -> Result<Monitor, StoreError> {
    let revision = next_revision(connection).await?;
    let json = sealed::encode(seal, workspace, id, spec)?;
    sqlx::query!(
        "INSERT INTO monitors (id, workspace_id, revision, name, spec, known_regions, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $7)",
        id.0,
        workspace.0,
        revision,
        spec.name,
        json,
        &names(&spec.regions),
        from_millis(now)
    )
    .execute(&mut *connection)
    .await?;
    segment(connection, id, spec, now).await?;
    reload(connection, seal, workspace, id).await
}

/// New settings. `None` when the monitor is not there.
pub async fn update(
    connection: &mut Connection,
    seal: &dyn Seal,
    workspace: WorkspaceId,
    id: MonitorId,
    spec: &MonitorSpec,
    now: Millis,
) -> Result<Option<Monitor>, StoreError> {
    let revision = next_revision(connection).await?;
    let Some(before) = load(connection, seal, workspace, id).await? else { return Ok(None) };
    let json = sealed::encode(seal, workspace, id, spec)?;
    sqlx::query!(
        r#"UPDATE monitors SET revision = $3, name = $4, spec = $5, updated_at = $7,
                  known_regions = (SELECT array_agg(DISTINCT region) FROM unnest(known_regions || $6::text[]) region)
           WHERE workspace_id = $1 AND id = $2"#,
        workspace.0,
        id.0,
        revision,
        spec.name,
        json,
        &names(&spec.regions),
        from_millis(now)
    )
    .execute(&mut *connection)
    .await?;
    let schedule = |spec: &MonitorSpec| (spec.interval_seconds, spec.regions.clone(), spec.paused);
    if schedule(&before.spec) != schedule(spec) {
        segment(connection, id, spec, now).await?;
    }
    reload(connection, seal, workspace, id).await.map(Some)
}

/// Leaves a tombstone, so that replicas hear of it. False when the monitor is not there.
pub async fn delete(connection: &mut Connection, workspace: WorkspaceId, id: MonitorId, now: Millis) -> Result<Option<i64>, StoreError> {
    let revision = next_revision(connection).await?;
    let deleted = sqlx::query!(
        "UPDATE monitors SET revision = $3, deleted_at = $4, updated_at = $4 WHERE workspace_id = $1 AND id = $2 AND deleted_at IS NULL",
        workspace.0,
        id.0,
        revision,
        from_millis(now)
    )
    .execute(connection)
    .await?;
    Ok((deleted.rows_affected() == 1).then_some(revision))
}

/// The schedule in force from `now` on; a second change within the same millisecond replaces the first.
async fn segment(connection: &mut Connection, id: MonitorId, spec: &MonitorSpec, now: Millis) -> Result<(), StoreError> {
    sqlx::query!(
        r#"INSERT INTO monitor_segments (monitor_id, starts_at, interval_ms, regions, active) VALUES ($1, $2, $3, $4, $5)
           ON CONFLICT (monitor_id, starts_at) DO UPDATE SET interval_ms = excluded.interval_ms, regions = excluded.regions, active = excluded.active"#,
        id.0,
        from_millis(now),
        i64::from(spec.interval_seconds) * 1000,
        &names(&spec.regions),
        !spec.paused
    )
    .execute(&mut *connection)
    .await?;
    // The last segment before the horizon still rules what comes after it.
    sqlx::query!(
        r#"DELETE FROM monitor_segments s WHERE s.monitor_id = $1 AND s.starts_at < (
               SELECT max(k.starts_at) FROM monitor_segments k WHERE k.monitor_id = $1 AND k.starts_at < $2::timestamptz - make_interval(days => $3))"#,
        id.0,
        from_millis(now),
        SEGMENTS_KEPT_DAYS
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn reload(connection: &mut Connection, seal: &dyn Seal, workspace: WorkspaceId, id: MonitorId) -> Result<Monitor, StoreError> {
    load(connection, seal, workspace, id).await?.ok_or_else(|| StoreError::corrupt("monitors", "the row just written is gone"))
}
