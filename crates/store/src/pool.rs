//! The pool of connections and the limits each connection carries.

use std::str::FromStr;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::StoreError;
use crate::bounded::{Pool, Transaction};

/// How long things may take on a connection. PostgreSQL keeps these limits; where it is silent, [`Pool`] does.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// One statement.
    pub statement: Duration,
    /// Waiting for one lock.
    pub lock: Duration,
    /// A transaction that does nothing.
    pub idle_in_transaction: Duration,
    /// Waiting for a connection from the pool, connecting included.
    pub acquire: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            statement: Duration::from_secs(15),
            lock: Duration::from_secs(5),
            idle_in_transaction: Duration::from_secs(60),
            acquire: Duration::from_secs(5),
        }
    }
}

/// A pool of connections to the mesh's database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    pool: Pool,
}

impl Store {
    /// Prepares a pool of at most `max` connections to `url` (`postgres://user:password@host:port/database`).
    /// Connects when first used, so a database that is away does not stop the start; see [`Store::ping`].
    /// `application` is what `pg_stat_activity` shows.
    pub fn connect(url: &SecretString, application: &str, max: u32) -> Result<Self, StoreError> {
        Self::connect_with(url, application, max, Limits::default())
    }

    /// Like [`Store::connect`], with limits of one's own.
    pub fn connect_with(url: &SecretString, application: &str, max: u32, limits: Limits) -> Result<Self, StoreError> {
        Ok(Self::with_options(options(url, application, Some(limits))?, max, limits))
    }

    /// Like [`Store::connect_with`], on the tables of another schema.
    pub(crate) fn connect_in_schema(
        url: &SecretString,
        application: &str,
        max: u32,
        limits: Limits,
        schema: &str,
    ) -> Result<Self, StoreError> {
        let options = options(url, application, Some(limits))?.options([("search_path", schema)]);
        Ok(Self::with_options(options, max, limits))
    }

    fn with_options(options: PgConnectOptions, max: u32, limits: Limits) -> Self {
        let pool = PgPoolOptions::new()
            .max_connections(max.max(1))
            .acquire_timeout(limits.acquire)
            .idle_timeout(Duration::from_secs(600))
            .max_lifetime(Duration::from_secs(1800))
            .connect_lazy_with(options);
        Self { pool: Pool::new(pool, limits.statement) }
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").execute(&self.pool).await?;
        Ok(())
    }

    pub async fn begin(&self) -> Result<Transaction, StoreError> {
        Ok(self.pool.begin().await?)
    }

    /// For the modules of this crate; services speak through their functions.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Waits until every connection is given back and closed.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// Connection options of `url`; without `limits` for migrations, which may take their time.
pub(crate) fn options(url: &SecretString, application: &str, limits: Option<Limits>) -> Result<PgConnectOptions, StoreError> {
    // The error of the parser may quote the URL, which holds a password.
    let options = PgConnectOptions::from_str(url.expose_secret()).map_err(|_| {
        StoreError::Setting("DATABASE_URL is no PostgreSQL URL: use for example postgres://upmesh:secret@127.0.0.1:5432/upmesh".to_owned())
    })?;
    let options = options.application_name(application);
    Ok(match limits {
        None => options,
        Some(limits) => options.options([
            ("statement_timeout", millis(limits.statement)),
            ("lock_timeout", millis(limits.lock)),
            ("idle_in_transaction_session_timeout", millis(limits.idle_in_transaction)),
        ]),
    })
}

fn millis(duration: Duration) -> String {
    format!("{}ms", duration.as_millis())
}
