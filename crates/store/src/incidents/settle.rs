//! Settling deliveries: by what the channel said, while the claim is still ours.

use std::time::Duration;

use model::{ChannelId, Millis};
use uuid::Uuid;

use crate::{Store, StoreError, from_millis, to_millis};

/// Of words that a channel chose, so many characters are kept.
const WORDS: usize = 500;

/// Where a message is, on channels that say so.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SentMessage {
    pub channel: Option<String>,
    pub ts: Option<String>,
    /// The channel as it was set when the message went there.
    pub set: Option<String>,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settlement {
    /// It is there; `found` where it already was.
    Sent { message: SentMessage, found: bool },
    /// To be tried again at `due_at`.
    Retry { due_at: Millis, why: Again, error: String },
    /// Given up.
    Dead { error: String },
}

/// Why a delivery is to be tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// It was not tried: all is as it was before the claim.
    Unsent,
    /// It is surely not there.
    Failed,
    /// The request was written and no answer came.
    Doubtful,
    /// The channel refuses it.
    Refused,
}

/// What waits, for metrics and health.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    pub waiting: i64,
    pub dead: i64,
    /// Since when the oldest that is not held waits.
    pub oldest: Option<Millis>,
}

impl Store {
    /// Records how attempts ended, where the claim is still ours. Returns how many were.
    pub async fn settle_deliveries(&self, owner: Uuid, ends: &[(Uuid, i32, Settlement)], now: Millis) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        let now = from_millis(now);
        let mut ours = 0;
        for (id, attempt, end) in ends {
            let (outcome, error) = match end {
                Settlement::Sent { message, found } => {
                    ours += sqlx::query!(
                        r#"UPDATE deliveries SET state = 'sent', sent_at = $3, owner = NULL, lease_until = NULL, last_error = NULL,
                               message_channel = $4, message_ts = $5, message_set = $6
                           WHERE id = $1 AND owner = $2 AND state = 'sending'"#,
                        id,
                        owner,
                        now,
                        message.channel.as_deref().map(plain),
                        message.ts.as_deref().map(plain),
                        message.set,
                    )
                    .execute(&mut *tx)
                    .await?
                    .rows_affected();
                    (if *found { "found" } else { "sent" }, None)
                }
                Settlement::Retry { due_at, why, error } => {
                    let error = plain(error);
                    ours += sqlx::query!(
                        r#"UPDATE deliveries SET state = 'pending', due_at = $3, owner = NULL, lease_until = NULL, last_error = $4,
                               doubtful = doubtful OR $5,
                               refused_since = CASE WHEN $6 THEN refused_since WHEN $7 THEN COALESCE(refused_since, $8) END
                           WHERE id = $1 AND owner = $2 AND state = 'sending'"#,
                        id,
                        owner,
                        from_millis(*due_at),
                        error,
                        *why == Again::Doubtful,
                        *why == Again::Unsent,
                        *why == Again::Refused,
                        now,
                    )
                    .execute(&mut *tx)
                    .await?
                    .rows_affected();
                    (if *why == Again::Doubtful { "doubtful" } else { "retry" }, Some(error))
                }
                Settlement::Dead { error } => {
                    let error = plain(error);
                    ours += sqlx::query!(
                        r#"UPDATE deliveries SET state = 'dead', owner = NULL, lease_until = NULL, last_error = $3
                           WHERE id = $1 AND owner = $2 AND state = 'sending'"#,
                        id,
                        owner,
                        error,
                    )
                    .execute(&mut *tx)
                    .await?
                    .rows_affected();
                    ("dead", Some(error))
                }
            };
            sqlx::query!(
                "UPDATE delivery_attempts SET ended_at = $3, outcome = $4, error = $5 WHERE delivery_id = $1 AND attempt = $2",
                id,
                attempt,
                now,
                outcome,
                error,
            )
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        Ok(ours)
    }

    /// Keeps `owner`'s claims of these deliveries for another `lease` from now, by PostgreSQL's clock. A claim that ran out is its owner's
    /// until another takes it. Gives those that were kept; one that is not among them is another's, over, or just being settled.
    pub async fn renew_claims(&self, owner: Uuid, deliveries: &[Uuid], lease: Duration) -> Result<Vec<Uuid>, StoreError> {
        let renewed = sqlx::query_scalar!(
            // What is locked is being settled: waiting for it could end in a deadlock with the one that settles several.
            "UPDATE deliveries SET lease_until = clock_timestamp() + make_interval(secs => $3) WHERE id IN (
                 SELECT id FROM deliveries WHERE id = ANY($2) AND owner = $1 AND state = 'sending'
                 FOR UPDATE SKIP LOCKED)
             RETURNING id",
            owner,
            deliveries,
            lease.as_secs_f64(),
        )
        .fetch_all(self.pool())
        .await?;
        Ok(renewed)
    }

    /// The channel's own id, where an earlier message told it (Slack: a channel set as `#name`) while it was `set` as it is now.
    pub async fn known_message_channel(&self, channel: ChannelId, set: &str) -> Result<Option<String>, StoreError> {
        let known = sqlx::query_scalar!(
            r#"SELECT message_channel AS "message_channel!" FROM deliveries
               WHERE channel_id = $1 AND message_channel IS NOT NULL AND message_set = $2 ORDER BY created_at DESC LIMIT 1"#,
            channel.0,
            set,
        )
        .fetch_optional(self.pool())
        .await?;
        Ok(known)
    }

    /// What waits and what was given up in the last day.
    pub async fn delivery_backlog(&self, now: Millis) -> Result<Backlog, StoreError> {
        let row = sqlx::query!(
            r#"SELECT count(*) FILTER (WHERE state IN ('pending', 'sending')) AS "waiting!",
                   count(*) FILTER (WHERE state = 'dead') AS "dead!",
                   min(created_at) FILTER (WHERE state IN ('pending', 'sending') AND held_partition IS NULL) AS oldest
               FROM deliveries WHERE state IN ('pending', 'sending') OR (state = 'dead' AND created_at > $1)"#,
            from_millis(now - 24 * 3_600_000),
        )
        .fetch_one(self.pool())
        .await?;
        Ok(Backlog { waiting: row.waiting, dead: row.dead, oldest: row.oldest.map(to_millis) })
    }
}

/// Words that a channel chose, as PostgreSQL takes them: it takes no NUL.
fn plain(words: &str) -> String {
    words.chars().take(WORDS).map(|c| if c.is_control() { ' ' } else { c }).collect()
}
