//! Giving up secrets that no key opens. Their monitors are paused, as the API pauses them: with a revision, a segment of the
//! schedule, an audit row and a record for the replicas.

use events::ChangeKind;
use model::Millis;
use store::{StoreError, monitors};

use super::{Keys, KeysError, Lost};
use crate::change::Change;

/// Who did it, in the audit trail.
const ACTOR: &str = "upmesh keys forget";

impl Keys {
    /// Pauses the monitor, with the masks in the place of its secrets. False where it is gone, or opens after all: then nothing
    /// is changed.
    pub async fn forget(&self, lost: &Lost, now: Millis) -> Result<bool, KeysError> {
        let mut tx = self.store.begin().await?;
        let Some(monitor) = monitors::forget(&mut tx, &self.cipher, lost.id, now).await? else { return Ok(false) };
        let change = Change { actor: ACTOR, workspace: monitor.workspace, monitor: monitor.id, kind: ChangeKind::Paused, now };
        change.record(&mut tx, monitor.revision, &monitor.spec.name).await?;
        tx.commit().await.map_err(StoreError::from)?;
        Ok(true)
    }
}
