//! Rebuilding history: another generation is written beside the one that stands, compared with it and
//! swapped in, in one transaction. One process at a time.

mod compare;
mod swap;

pub use compare::{Difference, Snapshot};
pub use swap::{Applied, Checksum, Swap};

use std::time::Duration;

use secrecy::SecretString;
use sqlx::{ConnectOptions, Connection, PgConnection};

use crate::pool::{Limits, options};
use crate::{Store, StoreError};

/// Held by the process that rebuilds, for as long as its connection lives.
const LOCK: i64 = 0x7570_6d65_7265_706c;
/// Comparing a day of a large mesh takes minutes, and it reads other things meanwhile.
const LIMITS: Limits = Limits {
    statement: Duration::from_secs(1800),
    lock: Duration::from_secs(5),
    idle_in_transaction: Duration::from_secs(900),
    acquire: Duration::from_secs(10),
};

/// The right to rebuild: an advisory lock on a connection of its own, which also swaps. Whoever lost the
/// connection has lost the lock and cannot swap.
pub struct Rebuild {
    connection: PgConnection,
}

impl Rebuild {
    /// Takes the lock and empties what an earlier attempt left; `None` while another process holds it.
    pub async fn begin(url: &SecretString) -> Result<Option<Self>, StoreError> {
        let mut connection = tokio::time::timeout(LIMITS.acquire, options(url, "upmesh replay", Some(LIMITS))?.connect())
            .await
            .map_err(|_| StoreError::Unavailable(sqlx::Error::PoolTimedOut))??;
        let ours = sqlx::query_scalar!(r#"SELECT pg_try_advisory_lock($1) AS "ours!""#, LOCK).fetch_one(&mut connection).await?;
        if !ours {
            connection.close().await?;
            return Ok(None);
        }
        let mut rebuild = Self { connection };
        rebuild.empty().await?;
        Ok(Some(rebuild))
    }

    /// Where the new generation is written: a store whose history is the one being built.
    pub fn staging(url: &SecretString, max: u32) -> Result<Store, StoreError> {
        Store::connect_in_schema(url, "upmesh replay", max, Limits { statement: Duration::from_secs(120), ..Limits::default() }, "replay")
    }

    /// Both generations as they are now, however long they are looked at.
    pub async fn snapshot(&mut self) -> Result<Snapshot<'_>, StoreError> {
        Snapshot::begin(&mut self.connection).await
    }

    /// Stops all flushes and begins to swap. They wait, or try again: keep it short.
    pub async fn swap(&mut self) -> Result<Swap<'_>, StoreError> {
        Swap::begin(&mut self.connection).await
    }

    /// Whether the lock of [`Self::swap`] can be had: takes it and lets go.
    pub async fn lockable(&mut self) -> Result<(), StoreError> {
        self.swap().await.map(drop)
    }

    /// Tells the planner how large the new generation is.
    pub async fn analyze(&mut self) -> Result<(), StoreError> {
        sqlx::query("ANALYZE replay.history_blocks").execute(&mut self.connection).await?;
        Ok(())
    }

    /// Empties what was built, and lets others rebuild.
    pub async fn end(mut self) -> Result<(), StoreError> {
        self.empty().await?;
        Ok(self.connection.close().await?)
    }

    async fn empty(&mut self) -> Result<(), StoreError> {
        sqlx::query("TRUNCATE replay.history_blocks, replay.history_days").execute(&mut self.connection).await?;
        Ok(())
    }
}
