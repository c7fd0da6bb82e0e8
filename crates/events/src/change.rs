//! `monitor-changes`: "go and look". Key = monitor id. Never a setting, so never a secret.

use model::{Millis, MonitorId, WorkspaceId};
use serde::{Deserialize, Serialize};

use crate::decode::{DecodeError, open};

const VERSION: u32 = 1;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    Created,
    Updated,
    Paused,
    Resumed,
    Deleted,
}

/// One change of one monitor, as the audit trail keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MonitorChange {
    pub v: u32,
    pub monitor: MonitorId,
    pub workspace: WorkspaceId,
    pub revision: i64,
    pub kind: ChangeKind,
    /// Who did it: an e-mail address, `api-key:<prefix>`, a command of `upmesh` or `system`.
    pub actor: String,
    pub at: Millis,
}

impl MonitorChange {
    pub fn new(monitor: MonitorId, workspace: WorkspaceId, revision: i64, kind: ChangeKind, actor: String, at: Millis) -> Self {
        Self { v: VERSION, monitor, workspace, revision, kind, actor, at }
    }

    pub fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }

    pub fn decode(value: Option<&[u8]>) -> Result<Self, DecodeError> {
        Ok(serde_json::from_slice(open(value, VERSION)?)?)
    }
}
