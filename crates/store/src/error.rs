//! What went wrong, and whether asking again can help.

use model::MonitorId;

/// An error of PostgreSQL or of what it holds.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Not reachable, out of connections, shutting down, or too slow: the same call may succeed later.
    /// A commit that ends like this may or may not have happened.
    #[error("PostgreSQL is not available: {0}")]
    Unavailable(#[source] sqlx::Error),
    /// Lost against a concurrent transaction (serialisation failure, deadlock, lock timeout); run it again.
    #[error("the transaction lost against another: {0}")]
    Contention(#[source] sqlx::Error),
    /// A unique constraint says it is already there.
    #[error("already there ({constraint})")]
    Duplicate { constraint: String },
    /// A foreign key says that what it refers to is not there.
    #[error("refers to what is not there ({constraint})")]
    Dangling { constraint: String },
    /// A row holds what this version cannot read.
    #[error("{table} holds what cannot be read: {message}")]
    Corrupt { table: &'static str, message: String },
    /// A row was written by a newer version of this program, which must not overwrite it.
    #[error("{table} holds what a newer version wrote ({message}): upgrade this service")]
    Newer { table: &'static str, message: String },
    /// What was sealed does not open: the key is another one.
    #[error(
        "the secrets of monitor {0} cannot be opened: SECRET_KEY is another one than they were sealed with (`upmesh keys status` shows all)"
    )]
    Sealed(MonitorId),
    /// A replay put another history in place of the one this was made for: make it again from the log.
    #[error("another history stands by now (generation {by:?})")]
    Superseded { by: String },
    /// The schema is older than this program; `upmesh migrate` brings it up to date.
    #[error("the schema could not be brought up to date: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// A setting of ours is wrong.
    #[error("{0}")]
    Setting(String),
    /// Anything else is a mistake of ours: repeating it changes nothing.
    #[error(transparent)]
    Other(sqlx::Error),
}

impl StoreError {
    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Contention(_))
    }

    /// Whether it violates the unique constraint of this name.
    pub fn is_duplicate_of(&self, name: &str) -> bool {
        matches!(self, Self::Duplicate { constraint } if constraint == name)
    }

    /// For a stored value that does not decode.
    pub fn corrupt(table: &'static str, error: impl std::fmt::Display) -> Self {
        Self::Corrupt { table, message: error.to_string() }
    }
}

/// Notes a row that this version cannot read. Whoever reads many goes on as if it were not there: one damaged row, or one of a
/// newer version, must not stop the service for all the others.
pub(crate) fn set_aside(table: &'static str, row: impl std::fmt::Display, error: impl std::fmt::Display) {
    tracing::error!(table, %row, %error, "a row cannot be read and is treated as if it were not there");
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(database) => {
                let constraint = || database.constraint().unwrap_or("unnamed").to_owned();
                match database.code().as_deref().unwrap_or_default() {
                    "23505" => Self::Duplicate { constraint: constraint() },
                    "23503" => Self::Dangling { constraint: constraint() },
                    // serialization_failure, deadlock_detected, lock_not_available
                    "40001" | "40P01" | "55P03" => Self::Contention(error),
                    // query_canceled (statement timeout), idle transaction ended, admin shutdown and its like
                    "57014" | "25P03" | "57P01" | "57P02" | "57P03" => Self::Unavailable(error),
                    // connection exceptions, insufficient resources, operator intervention, read-only after a failover
                    code if code.starts_with("08") || code.starts_with("53") || code.starts_with("58") || code == "25006" => {
                        Self::Unavailable(error)
                    }
                    _ => Self::Other(error),
                }
            }
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::BeginFailed => Self::Unavailable(error),
            _ => Self::Other(error),
        }
    }
}
