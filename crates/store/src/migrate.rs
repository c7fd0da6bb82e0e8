//! The schema inside the program. Several processes may start at once: one migrates, the rest wait.

use std::time::Duration;

use secrecy::SecretString;
use sqlx::migrate::Migrator;
use sqlx::{ConnectOptions, Connection};

use crate::pool::options;
use crate::{Store, StoreError};

/// A migration that takes longer is a matter for a person with a maintenance window.
const DEADLINE: Duration = Duration::from_secs(600);

/// Migrations of a later version are accepted, so that yesterday's binary still starts during a roll-back.
static MIGRATOR: Migrator = Migrator { ignore_missing: true, ..sqlx::migrate!("./migrations") };

impl Store {
    /// Brings the schema of `url` up to date, on a connection of its own without statement limits.
    /// Holds an advisory lock meanwhile.
    pub async fn migrate(url: &SecretString) -> Result<(), StoreError> {
        let work = async {
            let mut connection = options(url, "upmesh migrate", None)?.connect().await?;
            MIGRATOR.run(&mut connection).await?;
            connection.close().await?;
            Ok(())
        };
        tokio::time::timeout(DEADLINE, work)
            .await
            .unwrap_or_else(|_| Err(StoreError::Unavailable(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()))))
    }

    /// Identifies the schema this program knows: changes with every migration and every edit of one.
    pub fn schema_fingerprint() -> u32 {
        let checksums = MIGRATOR.iter().flat_map(|migration| migration.checksum.iter());
        // FNV-1a.
        checksums.fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
    }

    /// Whether the schema holds every migration this program knows. For `/ready` and the start of a service.
    pub async fn is_migrated(&self) -> Result<bool, StoreError> {
        let known = i64::try_from(MIGRATOR.iter().count()).unwrap_or(i64::MAX);
        let table = sqlx::query_scalar::<_, bool>("SELECT to_regclass('_sqlx_migrations') IS NOT NULL").fetch_one(self.pool()).await?;
        if !table {
            return Ok(false);
        }
        let applied = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM _sqlx_migrations WHERE success").fetch_one(self.pool()).await?;
        Ok(applied >= known)
    }
}
