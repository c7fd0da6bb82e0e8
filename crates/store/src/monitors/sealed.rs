//! A monitor's settings at rest. Where its probe holds what may be a secret, the row holds the probe sealed, and masked beside
//! it for those who read the database without the key. A row from before is read as it is, and sealed when it is next written.
//!
//! `spec.probe` is then `{"masked": …, "sealed": …}`, which a program that knows nothing of it refuses to read: it must not
//! send a mask to a target.

use model::{MonitorId, MonitorSpec, ProbeSpec, WorkspaceId};
use serde_json::{Value, json};

use crate::StoreError;

/// Holds the key, or does not. A ciphertext is bound to its row: moved elsewhere it does not open.
pub trait Seal: Send + Sync {
    fn seal(&self, workspace: WorkspaceId, id: MonitorId, clear: &[u8]) -> Result<String, StoreError>;

    /// [`StoreError::Sealed`] where the key is another one.
    fn open(&self, workspace: WorkspaceId, id: MonitorId, sealed: &str) -> Result<Opened, StoreError>;
}

/// What a key makes of a ciphertext.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opened {
    Clear(Vec<u8>),
    /// With a key that is on its way out: the row is to be sealed anew.
    Old(Vec<u8>),
    /// There is no key: the reader is given the masked probe.
    Keyless,
}

/// A reader who needs no secrets.
#[derive(Debug, Clone, Copy)]
pub struct Keyless;

impl Seal for Keyless {
    fn seal(&self, _: WorkspaceId, _: MonitorId, _: &[u8]) -> Result<String, StoreError> {
        Err(StoreError::Setting("a secret of a monitor cannot be written without SECRET_KEY".to_owned()))
    }

    fn open(&self, _: WorkspaceId, _: MonitorId, _: &str) -> Result<Opened, StoreError> {
        Ok(Opened::Keyless)
    }
}

/// The settings as they are kept.
pub(super) fn encode(seal: &dyn Seal, workspace: WorkspaceId, id: MonitorId, spec: &MonitorSpec) -> Result<Value, StoreError> {
    let mut kept = serde_json::to_value(spec).map_err(corrupt)?;
    if let Some(probe) = close(seal, workspace, id, &spec.probe)? {
        kept["probe"] = probe;
    }
    Ok(kept)
}

/// The probe sealed; None where nothing in it may be a secret.
pub(super) fn close(seal: &dyn Seal, workspace: WorkspaceId, id: MonitorId, probe: &ProbeSpec) -> Result<Option<Value>, StoreError> {
    let masked = probe.masked();
    if masked == *probe {
        return Ok(None);
    }
    let sealed = seal.seal(workspace, id, &serde_json::to_vec(probe).map_err(corrupt)?)?;
    Ok(Some(json!({ "masked": masked, "sealed": sealed })))
}

/// The settings as they were given.
pub(super) fn decode(seal: &dyn Seal, workspace: WorkspaceId, id: MonitorId, mut kept: Value) -> Result<MonitorSpec, StoreError> {
    if let Some(sealed) = kept.pointer("/probe/sealed").and_then(Value::as_str) {
        let probe = match seal.open(workspace, id, sealed)? {
            Opened::Clear(clear) | Opened::Old(clear) => serde_json::from_slice::<ProbeSpec>(&clear),
            Opened::Keyless => serde_json::from_value(kept["probe"]["masked"].take()),
        };
        // Never in the words of the reader: they may repeat what they could not read.
        let probe = probe.map_err(|_| corrupt(format!("the sealed probe of {id} is none")))?;
        kept["probe"] = serde_json::to_value(probe).map_err(corrupt)?;
    }
    serde_json::from_value(kept).map_err(corrupt)
}

fn corrupt(error: impl std::fmt::Display) -> StoreError {
    StoreError::corrupt("monitors", error)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    /// Not a cipher: turns every byte, and knows its row.
    struct Turned;

    impl Seal for Turned {
        fn seal(&self, _: WorkspaceId, id: MonitorId, clear: &[u8]) -> Result<String, StoreError> {
            serde_json::to_string(&(id, clear.iter().map(|byte| !byte).collect::<Vec<_>>())).map_err(corrupt)
        }

        fn open(&self, _: WorkspaceId, id: MonitorId, sealed: &str) -> Result<Opened, StoreError> {
            let (of, turned): (MonitorId, Vec<u8>) = serde_json::from_str(sealed).map_err(corrupt)?;
            if of == id { Ok(Opened::Clear(turned.iter().map(|byte| !byte).collect())) } else { Err(StoreError::Sealed(id)) }
        }
    }

    fn spec(probe: &Value) -> MonitorSpec {
        serde_json::from_value(json!({"name": "a", "probe": probe})).expect("a spec")
    }

    #[test]
    fn what_may_be_secret_is_sealed_and_old_rows_are_read() {
        let (workspace, id) = (WorkspaceId(Uuid::from_u128(1)), MonitorId(Uuid::from_u128(2)));
        let keyed = spec(&json!({"kind": "http", "url": "https://h.example/?key=s3cret", "headers": {"authorization": "s3cret"}}));
        let kept = encode(&Turned, workspace, id, &keyed).expect("kept");
        assert!(!kept.to_string().contains("s3cret"), "{kept}");
        assert_eq!(decode(&Turned, workspace, id, kept.clone()).expect("read"), keyed);
        assert_eq!(decode(&Keyless, workspace, id, kept.clone()).expect("read"), keyed.masked());
        assert!(decode(&Turned, workspace, MonitorId(Uuid::from_u128(3)), kept.clone()).is_err());
        assert!(serde_json::from_value::<MonitorSpec>(kept).is_err(), "an older program must not take a mask for a value");
        // From before there was a seal.
        assert_eq!(decode(&Turned, workspace, id, json!(keyed)).expect("read"), keyed);
        assert!(encode(&Keyless, workspace, id, &keyed).is_err());

        let plain = spec(&json!({"kind": "http", "url": "https://h.example/health"}));
        assert_eq!(encode(&Keyless, workspace, id, &plain).expect("kept"), json!(plain));
    }
}
