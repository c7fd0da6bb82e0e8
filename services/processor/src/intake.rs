//! Judging a record before it is folded.

use model::history::{HOUR_MS, hour_of};
use model::{CheckResult, Millis};

/// A slot further in the future than this is a broken clock.
const FUTURE_MS: Millis = HOUR_MS;

/// Why a result is not folded.
#[derive(Debug, thiserror::Error)]
pub enum Rejected {
    /// It can never be read: to the dead letters.
    #[error("{0}")]
    Unreadable(String),
    /// Its writer's clock is broken: to the dead letters, however many there are.
    #[error("the slot lies {} s in the future", .0 / 1000)]
    Future(Millis),
    /// Its day was dropped already: nothing to keep it in.
    #[error("older than the retention")]
    TooOld,
}

/// What may be folded at some moment.
#[derive(Debug, Clone, Copy)]
pub struct Intake {
    pub now: Millis,
    pub retention_ms: Millis,
}

impl Intake {
    /// Decodes a record of `monitoring-results`.
    pub fn read(&self, key: Option<&[u8]>, value: Option<&[u8]>) -> Result<CheckResult, Rejected> {
        let result = events::decode_result(key, value).map_err(|error| Rejected::Unreadable(error.to_string()))?;
        if result.slot > self.now + FUTURE_MS {
            return Err(Rejected::Future(result.slot - self.now));
        }
        if hour_of(result.slot) < self.oldest() {
            return Err(Rejected::TooOld);
        }
        Ok(result)
    }

    /// The first instant that is kept: days are dropped whole.
    pub fn oldest(&self) -> Millis {
        let oldest = self.now - self.retention_ms;
        oldest - oldest.rem_euclid(24 * HOUR_MS)
    }
}
