//! Single checks, newest first.

use model::{Cause, Outcome, Phases, Region, Slot};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One slot of one region. `cause` to `phases` are kept for each region's newest result only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Check {
    /// The scheduled instant, Unix ms.
    #[schema(value_type = i64)]
    pub slot: Slot,
    pub region: Region,
    pub outcome: Outcome,
    /// In steps of 100 µs where it comes from history.
    #[schema(required = true)]
    pub latency_us: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phases: Option<Phases>,
}

/// A page of checks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CheckPage {
    pub checks: Vec<Check>,
    /// Pass it as `cursor` for older ones; null on the last page.
    #[schema(required = true)]
    pub next_cursor: Option<String>,
    /// True where recent results could not be read, so that the newest slots may be absent.
    pub stale: bool,
}
