//! How fast each channel is written to, by all alerters together. The rules are the sender's; here is what they
//! remember, changed under a lock and by the one clock that they share: PostgreSQL's.

use model::{ChannelId, Millis};

use crate::{Store, StoreError, from_millis, to_millis};

/// What is known of a channel's pace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChannelPace {
    /// Nobody sends before then.
    pub until: Millis,
    /// When the last messages went out, oldest first.
    pub sent: Vec<Millis>,
    /// Messages for many alerts with none for a single one between them.
    pub together: i32,
}

impl Store {
    /// Changes a channel's pace by `change`, which is given the time; no two alerters do so at once. Gives what `change` gives.
    pub async fn pace_channel<T: Send>(
        &self,
        channel: ChannelId,
        change: impl FnOnce(&mut ChannelPace, Millis) -> T + Send,
    ) -> Result<T, StoreError> {
        let mut tx = self.begin().await?;
        // Whoever freezes here holds up the others no longer than that.
        sqlx::query!("SELECT set_config('idle_in_transaction_session_timeout', '5s', true)").fetch_one(&mut *tx).await?;
        let row = sqlx::query!(
            // The update that changes nothing locks what is there.
            r#"INSERT INTO channel_paces AS known (channel_id) VALUES ($1) ON CONFLICT (channel_id) DO UPDATE SET together = known.together
               RETURNING until, sent, together, clock_timestamp() AS "now!""#,
            channel.0,
        )
        .fetch_one(&mut *tx)
        .await?;
        let mut pace = ChannelPace { until: to_millis(row.until), sent: row.sent, together: row.together };
        let given = change(&mut pace, to_millis(row.now));
        sqlx::query!(
            "UPDATE channel_paces SET until = $2, sent = $3, together = $4 WHERE channel_id = $1",
            channel.0,
            from_millis(pace.until),
            &pace.sent,
            pace.together,
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(given)
    }
}
