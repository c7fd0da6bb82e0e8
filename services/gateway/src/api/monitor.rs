//! A monitor as people see it: its settings, its state and its last day.

use model::{Cause, Millis, MonitorId, MonitorSpec, Outcome, Phases, Region, Slot};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Status, Uptime};

/// One monitor with its state now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MonitorView {
    pub id: MonitorId,
    /// Grows with every change; send it as `If-Match` to change only what you saw.
    pub revision: i64,
    #[schema(value_type = i64)]
    pub created_at: Millis,
    #[schema(value_type = i64)]
    pub updated_at: Millis,
    /// For viewers the values of `probe.headers`, `probe.body`, `probe.send` and, in `probe.url`, user information, values of
    /// parameters and the fragment are `__masked__`. A `__masked__` that is sent back is refused.
    pub spec: MonitorSpec,
    /// The target as people write it; for viewers masked as in `spec`.
    #[schema(example = "https://example.com/health")]
    pub target: String,
    #[schema(example = "http")]
    pub kind: String,
    pub status: Status,
    /// This clock hour and the 23 before it, over all regions.
    pub day: Uptime,
    /// The newest slots over all regions, oldest first: at most 60, in a list 30.
    pub sparkline: Vec<Beat>,
    pub regions: Vec<RegionView>,
    /// What a person should know of it now, a sentence each: a region that no pinger serves, say. Of single monitors only; a list
    /// leaves it out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// When the live state was read, Unix ms. Where `stale`, the newest slot that is known, which is as old as this is; null where
    /// none is.
    #[serde(default)]
    #[schema(value_type = Option<i64>, required = true)]
    pub as_of: Option<Millis>,
    /// True where live state could not be read: all of this comes from the database, and the state from its fresh results alone.
    #[serde(default)]
    #[schema(required = true)]
    pub stale: bool,
}

/// One point of the sparkline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Beat {
    #[schema(value_type = i64)]
    pub slot: Slot,
    #[schema(required = true)]
    pub latency_us: Option<u32>,
    pub outcome: Outcome,
}

/// What one region last saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RegionView {
    pub region: Region,
    #[schema(required = true)]
    pub latest: Option<LatestResult>,
    /// True where the latest result is older than three intervals, or there is none.
    pub stale: bool,
}

/// The newest result of a monitor in a region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LatestResult {
    /// The scheduled instant, Unix ms.
    #[schema(value_type = i64)]
    pub slot: Slot,
    pub outcome: Outcome,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// One line for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_us: Option<u32>,
    /// How long each phase took, where it was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phases: Option<Phases>,
    /// HTTP status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>)]
    pub certificate_expires_at: Option<Millis>,
    /// When the check began, Unix ms.
    #[schema(value_type = i64)]
    pub started_at: Millis,
    /// Revision of the settings that were checked.
    pub revision: i64,
}

/// How many of the workspace's monitors are in each state, before any filter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StateCounts {
    pub up: u32,
    pub degraded: u32,
    pub down: u32,
    pub unknown: u32,
    pub paused: u32,
    pub pending: u32,
}

/// A page of monitors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MonitorPage {
    pub monitors: Vec<MonitorView>,
    /// Pass it as `cursor` for the next page; null on the last one.
    #[schema(required = true)]
    pub next_cursor: Option<String>,
    pub counts: StateCounts,
    /// When the live state was read, Unix ms. Where `stale`: of whatever in the workspace has fresh results, all that was due until
    /// then is known; null where nothing is. What has none is `unknown`, and as old as its `last_check`.
    #[schema(value_type = Option<i64>, required = true)]
    pub as_of: Option<Millis>,
    /// True where live state could not be read: all of this comes from the database. States follow from fresh results alone, and are
    /// `unknown` where it has none.
    pub stale: bool,
}

/// One monitor's state in few words.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MonitorState {
    pub id: MonitorId,
    pub name: String,
    #[serde(flatten)]
    pub status: Status,
    /// Of the last day, 0 … 1.
    #[schema(required = true)]
    pub uptime: Option<f64>,
    #[schema(required = true)]
    pub coverage: Option<f64>,
}

/// A page of states.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StatusPage {
    pub monitors: Vec<MonitorState>,
    /// Pass it as `cursor` for the next page; null on the last one.
    #[schema(required = true)]
    pub next_cursor: Option<String>,
    pub counts: StateCounts,
    /// As in `MonitorPage`.
    #[schema(value_type = Option<i64>, required = true)]
    pub as_of: Option<Millis>,
    pub stale: bool,
}
