//! Single checks, newest first.

use model::{Cause, Outcome, Phases, Region, Slot};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::LatestResult;

/// One slot of one region. `cause` to `status` are known of each region's newest result, and of those that were not up and that
/// this gateway heard of: the last 50,000 since it started. `phases` are the newest result's only.
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

impl Check {
    /// Adds what only its result knows; a result of another outcome is not the one that history kept.
    pub(crate) fn explain(&mut self, result: &LatestResult) {
        if self.outcome == result.outcome {
            self.cause = result.cause;
            self.detail.clone_from(&result.detail);
            self.status = result.status;
            self.phases = result.phases;
        }
    }
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
