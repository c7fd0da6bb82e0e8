//! What changed in the replica, as it changes.

use std::sync::Arc;

use model::{Monitor, MonitorId};
use tokio::sync::broadcast;

/// One change of the replica.
#[derive(Debug, Clone)]
pub enum Change {
    /// New or changed.
    Upserted(Arc<Monitor>),
    /// Gone, or gone from our region.
    Deleted { id: MonitorId, revision: i64 },
    /// Too much changed at once, or the reader was too slow: compare with `Directory::monitors()`.
    Everything,
}

/// A stream of changes. Subscribe first, then read `Directory::monitors()`: what falls between is
/// seen twice, and a monitor's revision tells which is newer.
#[derive(Debug)]
pub struct Changes(pub(crate) broadcast::Receiver<Change>);

impl Changes {
    /// The next change; `None` once the directory is gone. Cancel-safe.
    pub async fn next(&mut self) -> Option<Change> {
        match self.0.recv().await {
            Ok(change) => Some(change),
            Err(broadcast::error::RecvError::Lagged(_)) => {
                // What is still queued is part of "everything".
                self.0 = self.0.resubscribe();
                Some(Change::Everything)
            }
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}
