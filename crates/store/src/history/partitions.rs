//! Partitions come ahead of time and go when their day is too old.

use std::collections::BTreeSet;

use model::Millis;

use super::day_of;
use crate::{Store, StoreError};

impl Store {
    /// Makes the partitions of the days (UTC) that hold these instants; those that exist are left alone.
    pub async fn ensure_history_days(&self, instants: impl IntoIterator<Item = Millis>) -> Result<(), StoreError> {
        let days: BTreeSet<_> = instants.into_iter().map(day_of).collect();
        for day in days {
            sqlx::query!("SELECT ensure_history_partition($1)", day).fetch_one(self.pool()).await?;
        }
        Ok(())
    }

    /// Drops the blocks of days (UTC) that ended more than `keep` ms ago, and roll-ups older than `keep_rollups`. By PostgreSQL's
    /// clock, as what is dropped in error cannot be had back; and no day before it is rolled up, nor any after that.
    /// Says how many partitions went.
    pub async fn expire_history(&self, keep: Millis, keep_rollups: Millis) -> Result<u32, StoreError> {
        let dropped = sqlx::query_scalar!(
            "SELECT drop_history_before(least(
                ((now() - $1::bigint * interval '1 millisecond') AT TIME ZONE 'UTC')::date,
                (SELECT min(day) FROM history_days WHERE rolled < touched)))",
            keep
        )
        .fetch_one(self.pool())
        .await?;
        sqlx::query!(
            "DELETE FROM day_rollups WHERE day < ((now() - $1::bigint * interval '1 millisecond') AT TIME ZONE 'UTC')::date",
            keep_rollups
        )
        .execute(self.pool())
        .await?;
        Ok(dropped.unwrap_or(0).unsigned_abs())
    }
}
