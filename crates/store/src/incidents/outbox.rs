//! Alerts on their way to the topic `incident-events`: at least once, with deterministic ids.

use std::time::Duration;

use model::Millis;
use uuid::Uuid;

use crate::{Store, StoreError, from_millis};

/// An alert whose record Kafka has not acknowledged yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnpublishedAlert {
    pub id: Uuid,
    pub record_key: Vec<u8>,
    pub record: Vec<u8>,
    pub traceparent: Option<String>,
}

impl Store {
    /// Claims up to `limit` alerts, in order, for `lease` by PostgreSQL's clock; another publisher takes them afterwards.
    pub async fn claim_unpublished(&self, limit: i64, lease: Duration) -> Result<Vec<UnpublishedAlert>, StoreError> {
        let mut rows = sqlx::query!(
            r#"UPDATE alerts SET lease_until = clock_timestamp() + make_interval(secs => $1) WHERE id IN (
                   SELECT id FROM alerts WHERE published_at IS NULL AND (lease_until IS NULL OR lease_until < clock_timestamp())
                   ORDER BY at, sequence LIMIT $2 FOR UPDATE SKIP LOCKED)
               RETURNING id, record_key, record, traceparent, at, sequence"#,
            lease.as_secs_f64(),
            limit,
        )
        .fetch_all(self.pool())
        .await?;
        rows.sort_by_key(|row| (row.at, row.sequence));
        Ok(rows
            .into_iter()
            .map(|row| UnpublishedAlert { id: row.id, record_key: row.record_key, record: row.record, traceparent: row.traceparent })
            .collect())
    }

    /// Kafka acknowledged these.
    pub async fn mark_published(&self, ids: &[Uuid], now: Millis) -> Result<(), StoreError> {
        sqlx::query!("UPDATE alerts SET published_at = $2, lease_until = NULL WHERE id = ANY($1)", ids, from_millis(now))
            .execute(self.pool())
            .await?;
        Ok(())
    }
}
