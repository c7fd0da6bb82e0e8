//! Why users did not do what it was asked.

use model::FieldError;
use serde::{Deserialize, Serialize};

/// A call of the users service that did not succeed. Texts hold neither keys nor tokens.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// Not reachable, too slow, or answering 5xx: the same call may succeed later.
    /// A write that ends like this may or may not have happened.
    #[error("the users service is not available: {0}")]
    Unavailable(String),
    /// It does not accept our `INTERNAL_API_KEY`.
    #[error("the users service does not accept this INTERNAL_API_KEY: both ends need the same one")]
    Key,
    /// It understood and declined: bad input, not found, conflict, wrong password, too many attempts.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// It answered what this version does not understand.
    #[error("the users service answered something unexpected: {0}")]
    Protocol(String),
    /// A setting of ours is wrong.
    #[error("{0}")]
    Setting(String),
}

impl DirectoryError {
    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }

    /// The refusal, where it is one.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }
}

/// A problem document (RFC 9457) with the status it came with. Fit to be passed on to the caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    #[serde(rename = "type", default)]
    pub kind: String,
    #[serde(default)]
    pub status: u16,
    #[serde(default)]
    pub title: String,
    #[serde(default)]
    pub detail: String,
    #[serde(default)]
    pub errors: Vec<FieldError>,
    /// Seconds after which to try again (`Retry-After`).
    #[serde(skip)]
    pub retry_after: Option<u32>,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.status, self.title)?;
        if !self.detail.is_empty() {
            write!(f, ": {}", self.detail)?;
        }
        for error in &self.errors {
            write!(f, "; {error}")?;
        }
        Ok(())
    }
}
