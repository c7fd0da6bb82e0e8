//! Dead letters that went back to their topic: claimed before the record is produced, so that none is
//! driven twice.

use model::Millis;

use crate::{Store, StoreError, from_millis, to_millis};

/// Where a dead letter lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LetterPlace<'a> {
    pub cluster_id: &'a str,
    /// The dead-letter topic.
    pub topic: &'a str,
    pub partition: i32,
    pub offset: i64,
}

/// A dead letter that was driven again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redrive {
    pub partition: i32,
    pub offset: i64,
    pub by: String,
    pub at: Millis,
    /// Kafka has it.
    pub acked: bool,
}

impl Store {
    /// Claims a dead letter; false where someone did before. A claim that Kafka never confirmed and that
    /// is older than `stale_before` may be taken over: whoever had it is gone, and consumers are idempotent.
    pub async fn claim_redrive(&self, place: LetterPlace<'_>, by: &str, now: Millis, stale_before: Millis) -> Result<bool, StoreError> {
        let claimed = sqlx::query!(
            r#"INSERT INTO dead_letter_redrives AS known (cluster_id, topic, partition, position, redriven_by, redriven_at)
               VALUES ($1, $2, $3, $4, $5, $6)
               ON CONFLICT (cluster_id, topic, partition, position) DO UPDATE
                   SET redriven_by = EXCLUDED.redriven_by, redriven_at = EXCLUDED.redriven_at
                   WHERE known.acked_at IS NULL AND known.redriven_at < $7"#,
            place.cluster_id,
            place.topic,
            place.partition,
            place.offset,
            by,
            from_millis(now),
            from_millis(stale_before),
        )
        .execute(self.pool())
        .await?;
        Ok(claimed.rows_affected() == 1)
    }

    /// Kafka has the record.
    pub async fn redrive_acked(&self, place: LetterPlace<'_>, now: Millis) -> Result<(), StoreError> {
        sqlx::query!(
            "UPDATE dead_letter_redrives SET acked_at = $5 WHERE cluster_id = $1 AND topic = $2 AND partition = $3 AND position = $4",
            place.cluster_id,
            place.topic,
            place.partition,
            place.offset,
            from_millis(now),
        )
        .execute(self.pool())
        .await?;
        Ok(())
    }

    /// Kafka certainly does not have the record: it may be driven again.
    pub async fn redrive_failed(&self, place: LetterPlace<'_>) -> Result<(), StoreError> {
        sqlx::query!(
            r#"DELETE FROM dead_letter_redrives
               WHERE cluster_id = $1 AND topic = $2 AND partition = $3 AND position = $4 AND acked_at IS NULL"#,
            place.cluster_id,
            place.topic,
            place.partition,
            place.offset,
        )
        .execute(self.pool())
        .await?;
        Ok(())
    }

    /// What was driven again of a dead-letter topic, from `oldest` on.
    pub async fn redrives(&self, cluster_id: &str, topic: &str, oldest: i64) -> Result<Vec<Redrive>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT partition, position, redriven_by, redriven_at, acked_at IS NOT NULL AS "acked!"
               FROM dead_letter_redrives WHERE cluster_id = $1 AND topic = $2 AND position >= $3"#,
            cluster_id,
            topic,
            oldest,
        )
        .fetch_all(self.pool())
        .await?;
        Ok(rows
            .into_iter()
            .map(|row| Redrive {
                partition: row.partition,
                offset: row.position,
                by: row.redriven_by,
                at: to_millis(row.redriven_at),
                acked: row.acked,
            })
            .collect())
    }
}
