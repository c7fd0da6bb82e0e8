//! Where the two generations differ.

use std::collections::{BTreeSet, HashMap};

use futures::TryStreamExt as _;
use model::Millis;
use model::history::{Block, BlockKey};
use sqlx::{Connection, PgConnection, Postgres, Transaction};

use crate::history::{DAY_MS, decode, millis_of, region_of};
use crate::{StoreError, from_millis, to_millis};

/// A block that is not the same in both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    pub key: BlockKey,
    /// What stands; `None` where there is no row. A block that cannot be read is as good as none.
    pub live: Option<Block>,
    /// What was rebuilt.
    pub rebuilt: Option<Block>,
}

/// Both generations at one moment.
pub struct Snapshot<'a> {
    transaction: Transaction<'a, Postgres>,
}

impl<'a> Snapshot<'a> {
    pub(super) async fn begin(connection: &'a mut PgConnection) -> Result<Self, StoreError> {
        let mut transaction = connection.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY").await?;
        // The moment is that of the first query, not of the beginning.
        sqlx::query("SELECT 1 FROM history_generation").execute(&mut *transaction).await?;
        Ok(Self { transaction })
    }

    /// The days (UTC, their beginnings) of which either generation holds something at or after `from`.
    pub async fn days(&mut self, from: Millis) -> Result<Vec<Millis>, StoreError> {
        let rows = sqlx::query_scalar!(
            r#"SELECT DISTINCT (hour AT TIME ZONE 'UTC')::date AS "day!" FROM history_blocks WHERE hour >= $1
               UNION SELECT DISTINCT (hour AT TIME ZONE 'UTC')::date FROM replay.history_blocks WHERE hour >= $1"#,
            from_millis(from),
        )
        .fetch_all(&mut *self.transaction)
        .await?;
        let days: BTreeSet<Millis> = rows.into_iter().map(millis_of).collect();
        Ok(days.into_iter().collect())
    }

    /// How often each day of the history that stands was written to.
    pub async fn touched(&mut self) -> Result<HashMap<Millis, i64>, StoreError> {
        touched(&mut self.transaction).await
    }

    /// The oldest hour that was rebuilt.
    pub async fn oldest_rebuilt(&mut self) -> Result<Option<Millis>, StoreError> {
        let hour = sqlx::query_scalar!("SELECT min(hour) FROM replay.history_blocks").fetch_one(&mut *self.transaction).await?;
        Ok(hour.map(to_millis))
    }

    /// How many blocks were rebuilt of this day.
    pub async fn rebuilt(&mut self, day: Millis) -> Result<u64, StoreError> {
        let count = sqlx::query_scalar!(
            r#"SELECT count(*) AS "count!" FROM replay.history_blocks WHERE hour >= $1 AND hour < $2"#,
            from_millis(day),
            from_millis(day + DAY_MS),
        )
        .fetch_one(&mut *self.transaction)
        .await?;
        Ok(count.unsigned_abs())
    }

    /// Tells of every block of a day that differs, in any column.
    pub async fn differences(&mut self, day: Millis, mut tell: impl FnMut(Difference)) -> Result<(), StoreError> {
        let mut rows = sqlx::query!(
            r#"SELECT monitor_id AS "monitor_id!", hour AS "hour!", region AS "region!", l.block AS "live?", s.block AS "rebuilt?"
               FROM (SELECT * FROM history_blocks WHERE hour >= $1 AND hour < $2) l
               FULL JOIN (SELECT * FROM replay.history_blocks WHERE hour >= $1 AND hour < $2) s USING (monitor_id, hour, region)
               WHERE l IS DISTINCT FROM s"#,
            from_millis(day),
            from_millis(day + DAY_MS),
        )
        .fetch(&mut *self.transaction);
        while let Some(row) = rows.try_next().await? {
            let key =
                BlockKey { monitor: row.monitor_id.into(), region: region_of("history_blocks", &row.region)?, hour: to_millis(row.hour) };
            let live = row.live.and_then(|bytes| decode(&bytes).ok());
            let rebuilt = row.rebuilt.map(|bytes| decode(&bytes)).transpose()?;
            tell(Difference { key, live, rebuilt });
        }
        Ok(())
    }

    pub async fn end(self) -> Result<(), StoreError> {
        Ok(self.transaction.rollback().await?)
    }
}

pub(super) async fn touched(connection: &mut PgConnection) -> Result<HashMap<Millis, i64>, StoreError> {
    let rows = sqlx::query!("SELECT day, touched FROM history_days").fetch_all(connection).await?;
    Ok(rows.into_iter().map(|row| (millis_of(row.day), row.touched)).collect())
}
