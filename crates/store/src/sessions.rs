//! Sessions: the truth, of which Redis holds copies. Only the digest of a token is ever stored.

use model::{Millis, Session, UserInfo, WorkspaceId, WorkspaceInfo};

use crate::{Store, StoreError, from_millis, to_millis};

/// Opens a session under the SHA-256 of its token.
pub async fn create(store: &Store, digest: &[u8; 32], session: &Session, address: &str, now: Millis) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO sessions (token_sha256, user_id, workspace_id, address, created_at, used_at, expires_at) VALUES ($1, $2, $3, $4, $5, $5, $6)",
        digest.as_slice(),
        session.user.id.0,
        session.workspace.id.0,
        address,
        from_millis(now),
        from_millis(session.expires_at)
    )
    .execute(store.pool())
    .await?;
    Ok(())
}

/// The session in force under this digest, its person enabled and still a member.
pub async fn find(store: &Store, digest: &[u8; 32], now: Millis) -> Result<Option<Session>, StoreError> {
    let row = sqlx::query!(
        r#"SELECT u.id AS user_id, u.email, u.name, w.id AS workspace_id, w.name AS workspace, m.role, s.expires_at
           FROM sessions s JOIN users u ON u.id = s.user_id JOIN workspaces w ON w.id = s.workspace_id
           JOIN memberships m ON m.user_id = u.id AND m.workspace_id = w.id
           WHERE s.token_sha256 = $1 AND s.expires_at > $2 AND u.disabled_at IS NULL"#,
        digest.as_slice(),
        from_millis(now)
    )
    .fetch_optional(store.pool())
    .await?;
    let Some(row) = row else { return Ok(None) };
    sqlx::query!(
        "UPDATE sessions SET used_at = $2 WHERE token_sha256 = $1 AND used_at < $2::timestamptz - interval '1 hour'",
        digest.as_slice(),
        from_millis(now)
    )
    .execute(store.pool())
    .await?;
    Ok(Some(Session {
        user: UserInfo { id: row.user_id.into(), email: row.email, name: row.name },
        workspace: WorkspaceInfo { id: WorkspaceId(row.workspace_id), name: row.workspace },
        role: row.role.parse().map_err(|error| StoreError::corrupt("memberships", error))?,
        expires_at: to_millis(row.expires_at),
    }))
}

/// Ends a session; ending one that is not there is fine.
pub async fn delete(store: &Store, digest: &[u8; 32]) -> Result<(), StoreError> {
    sqlx::query!("DELETE FROM sessions WHERE token_sha256 = $1", digest.as_slice()).execute(store.pool()).await?;
    Ok(())
}

/// Sessions removed by one statement, so that none runs into its limit.
const BATCH: i64 = 10_000;

/// Removes what has expired; returns how many.
pub async fn purge(store: &Store, now: Millis) -> Result<u64, StoreError> {
    let mut removed = 0;
    loop {
        let batch = sqlx::query!(
            r#"DELETE FROM sessions WHERE token_sha256 IN
               (SELECT token_sha256 FROM sessions WHERE expires_at <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED)"#,
            from_millis(now),
            BATCH
        );
        let gone = batch.execute(store.pool()).await?.rows_affected();
        removed += gone;
        if gone < BATCH.unsigned_abs() {
            return Ok(removed);
        }
    }
}
