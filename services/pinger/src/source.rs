//! Where the engine's monitors come from: the directory, or a test.

use std::future::Future;
use std::sync::Arc;

use directory::{Change, Changes, Directory};
use model::Monitor;

/// All monitors, and what changes.
pub trait Source: Send {
    fn monitors(&self) -> Arc<[Arc<Monitor>]>;
    /// The next change; none when there will be no more. Cancel-safe.
    fn next(&mut self) -> impl Future<Output = Option<Change>> + Send;
}

/// The replica of the users service.
pub struct Live {
    directory: Directory,
    changes: Changes,
}

impl Live {
    pub fn new(directory: Directory) -> Self {
        Self { changes: directory.subscribe(), directory }
    }
}

impl Source for Live {
    fn monitors(&self) -> Arc<[Arc<Monitor>]> {
        self.directory.monitors()
    }

    async fn next(&mut self) -> Option<Change> {
        self.changes.next().await
    }
}
