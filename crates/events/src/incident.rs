//! `incident-events`: each transition of an incident once. Key = monitor id.

use model::{Cause, IncidentId, Millis, MonitorId, Region, WorkspaceId, known_cause};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::decode::{DecodeError, open};

const VERSION: u32 = 1;

/// What happened to the incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertKind {
    Opened,
    Acknowledged,
    Reminded,
    Escalated,
    Resolved,
}

/// One transition. `id` is deterministic (incident, sequence), so a consumer can drop a repeat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentEvent {
    pub v: u32,
    pub id: Uuid,
    pub incident: IncidentId,
    pub monitor: MonitorId,
    pub workspace: WorkspaceId,
    pub kind: AlertKind,
    /// Counts the transitions of one incident from 1.
    pub sequence: u32,
    /// The slot whose result made the transition.
    pub slot: Millis,
    #[serde(default, deserialize_with = "known_cause", skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub regions: Vec<Region>,
    pub at: Millis,
}

impl IncidentEvent {
    pub const VERSION: u32 = VERSION;

    /// UUID v5 of the incident and the sequence.
    pub fn event_id(incident: IncidentId, sequence: u32) -> Uuid {
        Uuid::new_v5(&incident.0, &sequence.to_be_bytes())
    }

    pub fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }

    pub fn decode(value: Option<&[u8]>) -> Result<Self, DecodeError> {
        Ok(serde_json::from_slice(open(value, VERSION)?)?)
    }
}
