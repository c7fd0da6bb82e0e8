//! Workspaces, people and their memberships; failed logins.

use model::{Millis, Role, UserId, UserInfo, WorkspaceId, WorkspaceInfo};
use uuid::Uuid;

use crate::{Store, StoreError, from_millis, to_millis};

/// What a login needs to know of an account.
#[derive(Debug)]
pub struct Account {
    pub user: UserInfo,
    /// PHC string.
    pub password_hash: String,
    pub disabled: bool,
}

/// The workspace of this name, made if it is not there.
pub async fn ensure_workspace(store: &Store, name: &str, now: Millis) -> Result<WorkspaceInfo, StoreError> {
    let id = sqlx::query_scalar!(
        "INSERT INTO workspaces (id, name, created_at) VALUES ($1, $2, $3) ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING id",
        Uuid::now_v7(),
        name,
        from_millis(now)
    )
    .fetch_one(store.pool())
    .await?;
    Ok(WorkspaceInfo { id: id.into(), name: name.to_owned() })
}

/// Makes the account with a membership, or gives the existing one this password; all its sessions
/// end when the password changes. Returns the digests of their tokens: copies of them are to go, too.
pub async fn put_account(
    store: &Store,
    workspace: WorkspaceId,
    email: &str,
    name: &str,
    role: Role,
    hash: &str,
    now: Millis,
) -> Result<Vec<Vec<u8>>, StoreError> {
    let mut tx = store.begin().await?;
    let id = sqlx::query_scalar!(
        r#"INSERT INTO users (id, email, name, password_hash, password_changed_at, created_at) VALUES ($1, $2, $3, $4, $5, $5)
           ON CONFLICT (email) DO UPDATE SET password_hash = excluded.password_hash, password_changed_at = excluded.password_changed_at
           RETURNING id"#,
        Uuid::now_v7(),
        email,
        name,
        hash,
        from_millis(now)
    )
    .fetch_one(&mut *tx)
    .await?;
    let ended = sqlx::query_scalar!("DELETE FROM sessions WHERE user_id = $1 RETURNING token_sha256", id).fetch_all(&mut *tx).await?;
    sqlx::query!(
        "INSERT INTO memberships (workspace_id, user_id, role, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT (workspace_id, user_id) DO NOTHING",
        workspace.0,
        id,
        role.as_str(),
        from_millis(now)
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(ended)
}

/// The account of an address (lower case).
pub async fn find(store: &Store, email: &str) -> Result<Option<Account>, StoreError> {
    let row = sqlx::query!("SELECT id, email, name, password_hash, disabled_at FROM users WHERE email = $1", email)
        .fetch_optional(store.pool())
        .await?;
    Ok(row.map(|row| Account {
        user: UserInfo { id: row.id.into(), email: row.email, name: row.name },
        password_hash: row.password_hash,
        disabled: row.disabled_at.is_some(),
    }))
}

/// The workspace a person lands in: the oldest membership.
pub async fn home(store: &Store, user: UserId) -> Result<Option<(WorkspaceInfo, Role)>, StoreError> {
    let row = sqlx::query!(
        "SELECT w.id, w.name, m.role FROM memberships m JOIN workspaces w ON w.id = m.workspace_id WHERE m.user_id = $1 ORDER BY m.created_at, w.id LIMIT 1",
        user.0
    )
    .fetch_optional(store.pool())
    .await?;
    row.map(|row| {
        Ok((
            WorkspaceInfo { id: row.id.into(), name: row.name },
            row.role.parse().map_err(|error| StoreError::corrupt("memberships", error))?,
        ))
    })
    .transpose()
}

/// Failed attempts of each subject within its running window, with the window's end. Of a network that is known: 0, until when it is.
pub async fn failed_attempts(store: &Store, subjects: &[String], now: Millis) -> Result<Vec<(String, i32, Millis)>, StoreError> {
    let rows = sqlx::query!(
        "SELECT subject, attempts, window_end FROM login_attempts WHERE subject = ANY ($1) AND window_end > $2",
        subjects,
        from_millis(now)
    )
    .fetch_all(store.pool())
    .await?;
    Ok(rows.into_iter().map(|row| (row.subject, row.attempts, to_millis(row.window_end))).collect())
}

/// Counts an attempt for each subject before it is known how it ends; a window that has ended begins anew. Counts none, and says no,
/// where `full` says of a subject and its attempts before that it stands no more. No two attempts at one subject do so at once.
pub async fn take_attempt(
    store: &Store,
    subjects: &[String],
    now: Millis,
    window_ms: Millis,
    full: impl Fn(&str, i32) -> bool + Send,
) -> Result<bool, StoreError> {
    let mut tx = store.begin().await?;
    let counted = sqlx::query!(
        r#"INSERT INTO login_attempts (subject, attempts, window_end) SELECT subject, 1, $3 FROM unnest($1::text[]) subject ORDER BY subject
           ON CONFLICT (subject) DO UPDATE SET
               attempts = CASE WHEN login_attempts.window_end > $2 THEN login_attempts.attempts + 1 ELSE 1 END,
               window_end = CASE WHEN login_attempts.window_end > $2 THEN login_attempts.window_end ELSE $3 END
           RETURNING subject, attempts"#,
        subjects,
        from_millis(now),
        from_millis(now + window_ms)
    )
    .fetch_all(&mut *tx)
    .await?;
    let taken = !counted.iter().any(|row| full(&row.subject, row.attempts - 1));
    if taken {
        tx.commit().await?;
    } else {
        tx.rollback().await?;
    }
    Ok(taken)
}

/// A login that succeeded: forgets the attempts at `forget`, gives back the one taken of `give_back`, and keeps `known` until then.
pub async fn note_success(store: &Store, forget: &[String], give_back: &[String], known: &str, until: Millis) -> Result<(), StoreError> {
    let mut tx = store.begin().await?;
    // Locked in the order in which attempts lock them, or each might wait for the other.
    let counted = [forget, give_back].concat();
    sqlx::query!("SELECT subject FROM login_attempts WHERE subject = ANY ($1) ORDER BY subject FOR UPDATE", &counted)
        .fetch_all(&mut *tx)
        .await?;
    sqlx::query!("DELETE FROM login_attempts WHERE subject = ANY ($1)", forget).execute(&mut *tx).await?;
    sqlx::query!("UPDATE login_attempts SET attempts = attempts - 1 WHERE subject = ANY ($1) AND attempts > 0", give_back)
        .execute(&mut *tx)
        .await?;
    sqlx::query!(
        r#"INSERT INTO login_attempts (subject, attempts, window_end) VALUES ($1, 0, $2)
           ON CONFLICT (subject) DO UPDATE SET window_end = greatest(login_attempts.window_end, excluded.window_end)"#,
        known,
        from_millis(until)
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(())
}

/// Removes windows that have ended; returns how many.
pub async fn purge_attempts(store: &Store, now: Millis) -> Result<u64, StoreError> {
    // An attempt that is being counted locks several rows: waiting for one of them could be a deadlock.
    let gone = sqlx::query!(
        "DELETE FROM login_attempts WHERE subject IN (SELECT subject FROM login_attempts WHERE window_end <= $1 FOR UPDATE SKIP LOCKED)",
        from_millis(now)
    );
    Ok(gone.execute(store.pool()).await?.rows_affected())
}

/// Administrators of the workspace, beside this one, who may log in.
pub async fn other_admins(store: &Store, workspace: WorkspaceId, email: &str) -> Result<Vec<String>, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT u.email FROM users u JOIN memberships m ON m.user_id = u.id
           WHERE m.workspace_id = $1 AND m.role = 'admin' AND u.email <> $2 AND u.disabled_at IS NULL ORDER BY u.email LIMIT 20"#,
        workspace.0,
        email
    )
    .fetch_all(store.pool())
    .await?)
}
