//! Channels: where alerts go. Settings come and go encrypted; this module never sees a secret.

use chrono::{DateTime, Utc};
use model::{ChannelId, Millis, WorkspaceId};
use uuid::Uuid;

use crate::{Store, StoreError, Transaction, from_millis};

/// A channel as it is kept.
#[derive(Debug)]
pub struct ChannelRow {
    pub id: Uuid,
    pub workspace_id: Uuid,
    pub name: String,
    pub kind: String,
    pub is_default: bool,
    pub settings: Vec<u8>,
    pub updated_at: DateTime<Utc>,
}

/// Every channel of every workspace.
pub async fn all(store: &Store) -> Result<Vec<ChannelRow>, StoreError> {
    Ok(sqlx::query_as!(
        ChannelRow,
        "SELECT id, workspace_id, name, kind, is_default, settings, updated_at FROM channels ORDER BY workspace_id, name"
    )
    .fetch_all(store.pool())
    .await?)
}

/// The names of a workspace's channels, in order.
pub async fn names(tx: &mut Transaction, workspace: WorkspaceId) -> Result<Vec<String>, StoreError> {
    Ok(sqlx::query_scalar!("SELECT name FROM channels WHERE workspace_id = $1 ORDER BY name", workspace.0).fetch_all(&mut **tx).await?)
}

/// The id of the environment's channel of this name, reserved before its settings are encrypted for it.
pub async fn id_of(store: &Store, workspace: WorkspaceId, name: &str) -> Result<ChannelId, StoreError> {
    let found = sqlx::query_scalar!("SELECT id FROM channels WHERE workspace_id = $1 AND name = $2", workspace.0, name)
        .fetch_optional(store.pool())
        .await?;
    Ok(ChannelId(found.unwrap_or_else(Uuid::now_v7)))
}

/// Writes a default channel that comes from the environment.
pub async fn put_from_env(
    store: &Store,
    workspace: WorkspaceId,
    id: ChannelId,
    name: &str,
    kind: &str,
    settings: &[u8],
    now: Millis,
) -> Result<(), StoreError> {
    sqlx::query!(
        r#"INSERT INTO channels (id, workspace_id, name, kind, is_default, from_env, settings, created_at, updated_at) VALUES ($1, $2, $3, $4, true, true, $5, $6, $6)
           ON CONFLICT (workspace_id, name) DO UPDATE SET kind = excluded.kind, settings = excluded.settings, from_env = true, is_default = true, updated_at = excluded.updated_at
           WHERE channels.id = excluded.id"#,
        id.0,
        workspace.0,
        name,
        kind,
        settings,
        from_millis(now)
    )
    .execute(store.pool())
    .await?;
    Ok(())
}

/// Settings that are sealed anew and otherwise the same: not a change that anybody is to hear of. False where they were
/// written meanwhile.
pub async fn reseal(store: &Store, id: ChannelId, before: &[u8], after: &[u8]) -> Result<bool, StoreError> {
    let updated = sqlx::query!("UPDATE channels SET settings = $3 WHERE id = $1 AND settings = $2", id.0, before, after)
        .execute(store.pool())
        .await?;
    Ok(updated.rows_affected() == 1)
}

/// Removes the environment's channels that the environment no longer names.
pub async fn keep_from_env(store: &Store, workspace: WorkspaceId, names: &[String]) -> Result<(), StoreError> {
    sqlx::query!("DELETE FROM channels WHERE workspace_id = $1 AND from_env AND NOT name = ANY ($2)", workspace.0, names)
        .execute(store.pool())
        .await?;
    Ok(())
}
