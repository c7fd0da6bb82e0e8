//! Records that must reach Kafka because their transaction committed, and the audit trail beside them.

use model::{Millis, WorkspaceId};
use uuid::Uuid;

use crate::{Connection, Store, StoreError, Transaction, from_millis};

/// Lanes: a key always goes to the same one, so each key keeps its order while several relays work.
const LANES: u64 = 16;

/// One record to send.
#[derive(Debug)]
pub struct OutboxRecord {
    pub id: i64,
    pub topic: String,
    pub key: Vec<u8>,
    pub value: Vec<u8>,
    pub traceparent: Option<String>,
}

/// Adds a record to the caller's transaction and wakes the relays when it commits.
pub async fn append(
    connection: &mut Connection,
    topic: &str,
    key: &[u8],
    value: &[u8],
    traceparent: Option<&str>,
    now: Millis,
) -> Result<(), StoreError> {
    let sum = key.iter().fold(0_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)));
    let lane = i16::try_from(sum % LANES).unwrap_or(0);
    sqlx::query!(
        "INSERT INTO outbox (lane, topic, key, value, traceparent, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
        lane,
        topic,
        key,
        value,
        traceparent,
        from_millis(now)
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Adds a row to the audit trail of the caller's transaction. `detail` holds no secret and no body.
pub async fn audit(
    connection: &mut Connection,
    workspace: WorkspaceId,
    actor: &str,
    action: &str,
    object: Option<Uuid>,
    detail: &serde_json::Value,
    now: Millis,
) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO audit_log (at, workspace_id, actor, action, object_id, detail) VALUES ($1, $2, $3, $4, $5, $6)",
        from_millis(now),
        workspace.0,
        actor,
        action,
        object,
        detail
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Records taken by one relay; the lane stays locked until [`Taken::sent`] or drop.
pub struct Taken {
    tx: Transaction,
    pub records: Vec<OutboxRecord>,
}

impl Taken {
    /// Removes the records: Kafka has them.
    pub async fn sent(mut self) -> Result<(), StoreError> {
        let ids: Vec<i64> = self.records.iter().map(|record| record.id).collect();
        sqlx::query!("DELETE FROM outbox WHERE id = ANY ($1)", &ids).execute(&mut *self.tx).await?;
        self.tx.commit().await?;
        Ok(())
    }
}

/// Takes the oldest records of one lane that has some and that no other relay holds.
pub async fn take(store: &Store, limit: i64) -> Result<Option<Taken>, StoreError> {
    let mut tx = store.begin().await?;
    let lane = sqlx::query_scalar!(
        "SELECT l.lane FROM outbox_lanes l WHERE EXISTS (SELECT FROM outbox o WHERE o.lane = l.lane) LIMIT 1 FOR UPDATE SKIP LOCKED"
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(lane) = lane else { return Ok(None) };
    let records = sqlx::query_as!(
        OutboxRecord,
        "SELECT id, topic, key, value, traceparent FROM outbox WHERE lane = $1 ORDER BY id LIMIT $2",
        lane,
        limit
    )
    .fetch_all(&mut *tx)
    .await?;
    Ok((!records.is_empty()).then_some(Taken { tx, records }))
}

/// How many records wait.
pub async fn waiting(store: &Store) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM outbox"#).fetch_one(store.pool()).await?)
}
