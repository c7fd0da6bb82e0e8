//! What the services of one process share: the shutdown token and the reason it was cancelled.

use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::Error;

/// One process: a single service, or all five inside `upmesh up`.
#[derive(Clone, Default)]
pub struct Process(Arc<Inner>);

#[derive(Default)]
struct Inner {
    shutdown: CancellationToken,
    failure: Mutex<Option<Error>>,
}

impl Process {
    pub fn new() -> Self {
        Self::default()
    }

    /// Cancelled when the process should stop, for whatever reason.
    pub fn shutdown(&self) -> &CancellationToken {
        &self.0.shutdown
    }

    /// Stops the process with exit code 1; the first failure is the one reported.
    pub fn fail(&self, error: Error) {
        self.0.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        self.0.shutdown.cancel();
    }

    /// Takes the reason of the failure, if there was one.
    pub fn take_failure(&self) -> Option<Error> {
        self.0.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
