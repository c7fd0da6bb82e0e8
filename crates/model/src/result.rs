//! The event a check produces. Identity = (monitor, region, slot), whoever ran it and however often.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::clock::Millis;
use crate::ids::{MonitorId, Region};
use crate::outcome::{Cause, Outcome};
use crate::schedule::Slot;

/// Namespace of result ids; never changed, so that a replay finds the same ids.
const RESULT_NAMESPACE: Uuid = Uuid::from_u128(0x6f1d_2a70_8f0b_5c55_9c3e_7570_6d65_7368);

/// How long each phase of a check took, in microseconds. A phase that did not happen is absent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Phases {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolve_us: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect_us: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_us: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_byte_us: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer_us: Option<u32>,
}

/// What one check found. The payload of a `monitoring-results` record (see the events crate).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckResult {
    pub monitor: MonitorId,
    pub region: Region,
    /// The scheduled instant, not the moment it ran.
    pub slot: Slot,
    /// The interval under which the slot was due, in milliseconds.
    pub interval_ms: Millis,
    pub outcome: Outcome,
    /// Present unless the outcome is up or maintenance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// One line for people, at most 300 characters, never a secret or a body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Of the attempt reported, in microseconds; absent where nothing answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_us: Option<u32>,
    #[serde(default)]
    pub phases: Phases,
    /// HTTP status, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// When the leaf certificate expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_expires_at: Option<Millis>,
    /// 1, or more where a failure was confirmed by a retry within the slot; 0 where nothing was run.
    pub attempts: u8,
    /// When the check began; the slot itself where nothing was run.
    pub started_at: Millis,
    /// Fencing epoch of the shard lease under which it ran.
    pub epoch: u64,
    /// Which pinger ran it.
    pub pinger: String,
    /// Revision of the monitor's configuration that was checked.
    pub revision: i64,
    /// The prober doubts its own network (canaries fail): consumers read the outcome as unknown.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspect: bool,
}

impl CheckResult {
    /// The deterministic id: the same slot has the same id, whichever pinger ran it.
    pub fn id(&self) -> Uuid {
        result_id(self.monitor, &self.region, self.slot)
    }
}

/// UUID v5 of (monitor, region, slot).
pub fn result_id(monitor: MonitorId, region: &Region, slot: Slot) -> Uuid {
    let mut name = Vec::with_capacity(64);
    name.extend_from_slice(monitor.0.as_bytes());
    name.extend_from_slice(region.as_str().as_bytes());
    name.push(0);
    name.extend_from_slice(&slot.to_be_bytes());
    Uuid::new_v5(&RESULT_NAMESPACE, &name)
}
