//! A record of `monitor-changes` says: go and look. What it says besides is for auditors.

use kafka::{BroadcastConsumer, KafkaError};
use tokio_util::sync::CancellationToken;

use crate::replica::Directory;

impl Directory {
    /// Looks at users with every record rather than at the next reconciliation, and calls `also`, until `stop`.
    /// Without it everything still arrives, half a minute later.
    pub async fn look_when_told(
        self,
        mut changes: BroadcastConsumer,
        also: impl Fn() + Send,
        stop: CancellationToken,
    ) -> Result<(), KafkaError> {
        // What was written before its positions were fixed is not delivered: look once after that.
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = changes.ready() => self.wake(),
        }
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                change = changes.next() => {
                    change?;
                    self.wake();
                    also();
                }
            }
        }
    }
}
