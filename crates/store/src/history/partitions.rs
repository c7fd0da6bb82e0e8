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

    /// Drops the blocks of days (UTC) that ended before `oldest`, and roll-ups of days before `oldest_rollup`.
    /// Says how many partitions went.
    pub async fn expire_history(&self, oldest: Millis, oldest_rollup: Millis) -> Result<u32, StoreError> {
        let dropped = sqlx::query_scalar!("SELECT drop_history_before($1)", day_of(oldest)).fetch_one(self.pool()).await?;
        sqlx::query!("DELETE FROM day_rollups WHERE day < $1", day_of(oldest_rollup)).execute(self.pool()).await?;
        Ok(dropped.unwrap_or(0).unsigned_abs())
    }
}
