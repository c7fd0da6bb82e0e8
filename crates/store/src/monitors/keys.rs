//! While keys change: how each row is kept, rows sealed anew, and those given up that no key opens. All of it may run in
//! several places at once, and ends anywhere without harm: a row is written as a whole or not at all.

use model::{Millis, Monitor, MonitorId, MonitorSpec, ProbeSpec, WorkspaceId};
use serde_json::{Value, json};
use uuid::Uuid;

use super::load;
use super::sealed::{self, Keyless, Opened, Seal};
use super::write::{self, lock_revisions};
use crate::{Connection, Store, StoreError};

/// Rows of a page; they are sealed anew in one transaction.
const ROWS: i64 = 500;

/// A monitor's probe as its row holds it.
#[derive(Debug)]
pub struct Kept {
    pub id: MonitorId,
    pub workspace: WorkspaceId,
    pub name: String,
    pub standing: Standing,
    probe: Value,
}

/// How a probe is kept, by the keys at hand.
#[derive(Debug, Clone, PartialEq)]
pub enum Standing {
    /// Sealed under the key that seals.
    Current,
    /// Sealed under a key that is on its way out, which gave this.
    Former(Vec<u8>),
    /// Clear, though it holds what may be a secret: from before there was a seal.
    Clear(ProbeSpec),
    /// Clear, and nothing in it may be a secret.
    Plain,
    /// Sealed, and no key opens it.
    Shut,
    /// Neither sealed nor a probe that this version knows.
    Unreadable,
}

/// Whether the keys open all that is sealed; what only a key on its way out opens is sealed anew. [`StoreError::Sealed`] where
/// a row stays shut, which does not keep the others from being sealed anew.
pub async fn try_key(store: &Store, seal: &dyn Seal) -> Result<(), StoreError> {
    let (mut after, mut shut) = (None, None);
    loop {
        let rows = page(store, seal, after, true).await?;
        let Some(last) = rows.last() else { return shut.map_or(Ok(()), |id| Err(StoreError::Sealed(id))) };
        after = Some(last.id);
        shut = shut.or_else(|| rows.iter().find(|row| row.standing == Standing::Shut).map(|row| row.id));
        reseal(store, seal, &rows).await?;
    }
}

/// The next monitors in order of id; with `sealed`, only those whose probe is sealed.
pub async fn page(store: &Store, seal: &dyn Seal, after: Option<MonitorId>, sealed: bool) -> Result<Vec<Kept>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT id, workspace_id, name, spec -> 'probe' AS "probe!" FROM monitors
           WHERE id > $1 AND deleted_at IS NULL AND (NOT $2 OR spec #> '{probe,sealed}' IS NOT NULL) ORDER BY id LIMIT $3"#,
        after.map_or_else(Uuid::nil, |id| id.0),
        sealed,
        ROWS
    )
    .fetch_all(store.pool())
    .await?;
    rows.into_iter().map(|row| kept(seal, row.id.into(), row.workspace_id.into(), row.name, row.probe)).collect()
}

/// Seals under the first key what is sealed under another or not at all, and says how many rows. Not a change that anybody
/// is to hear of. A row that was written meanwhile is left as it is.
pub async fn reseal(store: &Store, seal: &dyn Seal, rows: &[Kept]) -> Result<u64, StoreError> {
    let anew = rows.iter().filter_map(|row| row.anew(seal).transpose().map(|probe| probe.map(|probe| (row, probe))));
    let anew: Vec<_> = anew.collect::<Result<_, _>>()?;
    if anew.is_empty() {
        return Ok(0);
    }
    let mut tx = store.begin().await?;
    let mut done = 0;
    // In order of id, so that several who do this wait for each other and never in a circle.
    for (row, probe) in anew {
        let updated = sqlx::query!(
            "UPDATE monitors SET spec = jsonb_set(spec, '{probe}', $3) WHERE id = $1 AND deleted_at IS NULL AND spec -> 'probe' = $2",
            row.id.0,
            row.probe,
            probe
        );
        done += updated.execute(&mut *tx).await?.rows_affected();
    }
    tx.commit().await?;
    Ok(done)
}

/// Gives up the secrets of a monitor that no key opens: it is paused, with the masks in their place, which are refused when
/// it is resumed. None where it is gone, or opens after all. A change like any other, part of the caller's transaction.
pub async fn forget(connection: &mut Connection, seal: &dyn Seal, id: MonitorId, now: Millis) -> Result<Option<Monitor>, StoreError> {
    lock_revisions(connection).await?;
    // Locked: somebody who has the key may be sealing it anew.
    let row = sqlx::query!(
        r#"SELECT workspace_id, name, spec -> 'probe' AS "probe!" FROM monitors WHERE id = $1 AND deleted_at IS NULL FOR UPDATE"#,
        id.0
    )
    .fetch_optional(&mut *connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let workspace = row.workspace_id.into();
    if kept(seal, id, workspace, row.name, row.probe)?.standing != Standing::Shut {
        return Ok(None);
    }
    let Some(before) = load(connection, &Keyless, workspace, id).await? else { return Ok(None) };
    let spec = MonitorSpec { paused: true, ..before.spec.masked() };
    write::update(connection, &Keyless, workspace, id, &spec, now).await
}

fn kept(seal: &dyn Seal, id: MonitorId, workspace: WorkspaceId, name: String, probe: Value) -> Result<Kept, StoreError> {
    let standing = if let Some(sealed) = probe.get("sealed").and_then(Value::as_str) {
        match seal.open(workspace, id, sealed) {
            Ok(Opened::Clear(_)) => Standing::Current,
            Ok(Opened::Old(clear)) => Standing::Former(clear),
            Ok(Opened::Keyless) | Err(StoreError::Sealed(_)) => Standing::Shut,
            Err(error) => return Err(error),
        }
    } else {
        match serde_json::from_value::<ProbeSpec>(probe.clone()) {
            Ok(clear) if clear.masked() == clear => Standing::Plain,
            Ok(clear) => Standing::Clear(clear),
            Err(_) => Standing::Unreadable,
        }
    };
    Ok(Kept { id, workspace, name, standing, probe })
}

impl Kept {
    /// The probe as it is to be kept, where that is another way than it is.
    fn anew(&self, seal: &dyn Seal) -> Result<Option<Value>, StoreError> {
        match &self.standing {
            Standing::Former(clear) => {
                let sealed = seal.seal(self.workspace, self.id, clear)?;
                Ok(Some(json!({ "masked": self.probe["masked"], "sealed": sealed })))
            }
            Standing::Clear(probe) => sealed::close(seal, self.workspace, self.id, probe),
            Standing::Current | Standing::Plain | Standing::Shut | Standing::Unreadable => Ok(None),
        }
    }
}
