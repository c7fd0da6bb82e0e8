//! What can go wrong with Redis, and whether trying again may help.

use std::time::Duration;

use deadpool_redis::redis;
use redis::{ErrorKind, RetryMethod, ServerErrorKind};

/// A Redis call that did not succeed. The texts never hold the URL: it may carry a password.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    #[error("the Redis address is not usable: {0} (for example redis://127.0.0.1:6379)")]
    Address(String),
    #[error("Redis did not answer within {0:?}")]
    Deadline(Duration),
    #[error("Redis is away")]
    Away,
    #[error("no Redis connection: {0}")]
    Pool(String),
    #[error("Redis: {0}")]
    Redis(#[from] redis::RedisError),
    #[error("a value in Redis at {key} cannot be read: {reason}")]
    Value { key: String, reason: String },
}

impl CacheError {
    /// Whether no answer came at all.
    pub(crate) fn is_unreachable(&self) -> bool {
        match self {
            Self::Deadline(_) | Self::Pool(_) => true,
            Self::Redis(error) => error.kind() == ErrorKind::Io,
            Self::Away | Self::Address(_) | Self::Value { .. } => false,
        }
    }

    /// Whether the same call may succeed later: connection trouble, a Redis that is loading, failing
    /// over or busy. False means that the call itself is wrong.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Address(_) | Self::Value { .. } => false,
            Self::Deadline(_) | Self::Away | Self::Pool(_) => true,
            Self::Redis(error) => match error.kind() {
                // Connection trouble, a failover, a server that is loading: not the caller's fault.
                ErrorKind::Io
                | ErrorKind::Server(
                    ServerErrorKind::ReadOnly | ServerErrorKind::BusyLoading | ServerErrorKind::TryAgain | ServerErrorKind::MasterDown,
                ) => true,
                _ => !matches!(error.retry_method(), RetryMethod::NoRetry),
            },
        }
    }
}

impl From<deadpool_redis::PoolError> for CacheError {
    fn from(error: deadpool_redis::PoolError) -> Self {
        match error {
            deadpool_redis::PoolError::Backend(error) => Self::Redis(error),
            other => Self::Pool(other.to_string()),
        }
    }
}
