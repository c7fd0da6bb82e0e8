//! A window cut into equal buckets, for charts.

use model::Millis;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Counts and latency of the slots in `[from, to)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Bucket {
    #[schema(value_type = i64)]
    pub from: Millis,
    #[schema(value_type = i64)]
    pub to: Millis,
    /// Slots due, the sum of the six counts.
    pub due: u64,
    pub up: u64,
    pub degraded: u64,
    pub down: u64,
    pub unknown: u64,
    pub missed: u64,
    pub maintenance: u64,
    /// Percentiles and maximum of the latencies measured, µs; null where nothing answered.
    #[schema(required = true)]
    pub p50_us: Option<u32>,
    #[schema(required = true)]
    pub p95_us: Option<u32>,
    #[schema(required = true)]
    pub p99_us: Option<u32>,
    #[schema(required = true)]
    pub max_us: Option<u32>,
}

/// The buckets of a window, in order, without gaps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Timeline {
    #[schema(value_type = i64)]
    pub from: Millis,
    #[schema(value_type = i64)]
    pub to: Millis,
    pub buckets: Vec<Bucket>,
    /// True where recent results could not be read, so that the newest slots may be absent.
    pub stale: bool,
}
