//! Uptime never stands alone: coverage says how much of the window it rests on.

use model::Millis;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Counts of slots in a window and the two ratios made of them.
/// `due = up + degraded + down + unknown + missed + maintenance`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Uptime {
    /// (up + degraded) ÷ (up + degraded + down), 0 … 1; null where there was no verdict.
    #[schema(example = 0.9995, required = true)]
    pub uptime: Option<f64>,
    /// (up + degraded + down) ÷ (due − maintenance), 0 … 1; null where nothing was due.
    #[schema(example = 0.987, required = true)]
    pub coverage: Option<f64>,
    pub due: u64,
    pub up: u64,
    pub degraded: u64,
    pub down: u64,
    /// We failed: says nothing about the target.
    pub unknown: u64,
    /// Due and not run.
    pub missed: u64,
    pub maintenance: u64,
}

/// Uptime over a window, over one region or all of them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct UptimeWindow {
    /// Start of the window (inclusive), Unix ms.
    #[schema(value_type = i64)]
    pub from: Millis,
    /// End of the window (exclusive), Unix ms.
    #[schema(value_type = i64)]
    pub to: Millis,
    /// True where a source of recent results could not be read, so that the newest slots may be absent.
    pub stale: bool,
    #[serde(flatten)]
    pub uptime: Uptime,
}
