//! The value as it is written. Spelled out, field by field: `#[serde(flatten)]` buffers every record in
//! a map first and costs the consumers three times as much per result.

use model::{Cause, CheckResult, Millis, MonitorId, Outcome, Phases, Region, known_cause};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The order of the fields is part of the golden fixtures; `v` leads (see `decode::open`).
#[derive(Serialize)]
pub(super) struct Out<'a> {
    v: u32,
    id: Uuid,
    monitor: MonitorId,
    region: &'a Region,
    slot: Millis,
    interval_ms: Millis,
    outcome: Outcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<Cause>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    latency_us: Option<u32>,
    phases: Phases,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate_expires_at: Option<Millis>,
    attempts: u8,
    started_at: Millis,
    epoch: u64,
    pinger: &'a str,
    revision: i64,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    suspect: bool,
}

impl<'a> Out<'a> {
    pub fn of(result: &'a CheckResult) -> Self {
        Self {
            v: super::VERSION,
            id: result.id(),
            monitor: result.monitor,
            region: &result.region,
            slot: result.slot,
            interval_ms: result.interval_ms,
            outcome: result.outcome,
            cause: result.cause,
            detail: result.detail.as_deref(),
            latency_us: result.latency_us,
            phases: result.phases,
            status: result.status,
            certificate_expires_at: result.certificate_expires_at,
            attempts: result.attempts,
            started_at: result.started_at,
            epoch: result.epoch,
            pinger: &result.pinger,
            revision: result.revision,
            suspect: result.suspect,
        }
    }
}

/// Fields a later writer adds are ignored.
#[derive(Deserialize)]
pub(super) struct In {
    id: Uuid,
    monitor: MonitorId,
    region: Region,
    slot: Millis,
    interval_ms: Millis,
    outcome: Outcome,
    #[serde(default, deserialize_with = "known_cause")]
    cause: Option<Cause>,
    #[serde(default)]
    detail: Option<String>,
    #[serde(default)]
    latency_us: Option<u32>,
    #[serde(default)]
    phases: Phases,
    #[serde(default)]
    status: Option<u16>,
    #[serde(default)]
    certificate_expires_at: Option<Millis>,
    attempts: u8,
    started_at: Millis,
    epoch: u64,
    pinger: String,
    revision: i64,
    #[serde(default)]
    suspect: bool,
}

impl In {
    /// The id the writer gave it, and the result.
    pub fn split(self) -> (Uuid, CheckResult) {
        let result = CheckResult {
            monitor: self.monitor,
            region: self.region,
            slot: self.slot,
            interval_ms: self.interval_ms,
            outcome: self.outcome,
            cause: self.cause,
            detail: self.detail,
            latency_us: self.latency_us,
            phases: self.phases,
            status: self.status,
            certificate_expires_at: self.certificate_expires_at,
            attempts: self.attempts,
            started_at: self.started_at,
            epoch: self.epoch,
            pinger: self.pinger,
            revision: self.revision,
            suspect: self.suspect,
        };
        (self.id, result)
    }
}
