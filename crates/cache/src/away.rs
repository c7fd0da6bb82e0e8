//! A Redis that is away is asked by one task, not by everybody: the others hear at once that it is, rather
//! than each wait for a connection that does not come.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use deadpool_redis::redis;

use crate::connection::Cache;
use crate::error::CacheError;

/// How often it is asked whether it is back.
const ASK: Duration = Duration::from_millis(100);

/// Whether Redis failed to answer and has not answered since.
#[derive(Debug, Clone, Default)]
pub(crate) struct Away(Arc<AtomicBool>);

/// Whoever asks may end before there is an answer, with its runtime.
struct Asking(Away);

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.0.store(false, Ordering::Release);
    }
}

impl Away {
    /// Fails while it is away.
    pub(crate) fn check(&self) -> Result<(), CacheError> {
        if self.0.load(Ordering::Acquire) { Err(CacheError::Away) } else { Ok(()) }
    }
}

impl Cache {
    /// Looks at what became of a call; where Redis was not reached, asks until it answers.
    pub(crate) fn noted<T>(&self, outcome: Result<T, CacheError>) -> Result<T, CacheError> {
        if outcome.as_ref().is_err_and(CacheError::is_unreachable) && !self.away.0.swap(true, Ordering::AcqRel) {
            let (cache, asking) = (self.clone(), Asking(self.away.clone()));
            tokio::spawn(async move {
                let _asking = asking;
                loop {
                    let mut connection = cache.shared();
                    let ping = redis::cmd("PING");
                    let answer = tokio::time::timeout(cache.deadline(), ping.query_async::<()>(&mut connection)).await;
                    // A server that loads its data, or wants a password, is there.
                    if answer.is_ok_and(|answer| !answer.is_err_and(|error| CacheError::from(error).is_unreachable())) {
                        return;
                    }
                    tokio::time::sleep(ASK).await;
                }
            });
        }
        outcome
    }
}
