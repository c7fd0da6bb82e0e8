//! Facts about the mesh itself.

use model::{Millis, Region, Slot};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What one region contributes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RegionSystem {
    pub region: Region,
    /// Monitors of this workspace that are checked from here and not paused.
    pub monitors: u32,
    /// Pingers that announced themselves lately; null where it is not known.
    #[schema(required = true)]
    pub pingers: Option<u32>,
    /// The newest judged slot, Unix ms.
    #[schema(value_type = Option<i64>, required = true)]
    pub newest_slot: Option<Slot>,
    /// How long ago that was.
    #[schema(value_type = Option<i64>, required = true)]
    pub age_ms: Option<Millis>,
    /// Monitors without a fresh result from here.
    pub stale_monitors: u32,
}

/// Something the gateway reads from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Dependency {
    #[schema(example = "redis")]
    pub name: String,
    pub ok: bool,
    /// Round trip just now, µs.
    #[schema(required = true)]
    pub latency_us: Option<u64>,
    /// In words, where it is not ok.
    #[schema(required = true)]
    pub detail: Option<String>,
}

/// The state of the mesh as this gateway sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct System {
    pub version: String,
    /// Unix ms.
    #[schema(value_type = i64)]
    pub now: Millis,
    pub regions: Vec<RegionSystem>,
    pub dependencies: Vec<Dependency>,
    /// Position of the configuration in memory.
    pub config_revision: i64,
    /// How long ago the configuration was last compared with the users service.
    #[schema(value_type = Option<i64>, required = true)]
    pub config_age_ms: Option<Millis>,
    /// Records the processor has not folded yet; null where it is not known.
    #[schema(required = true)]
    pub processor_lag: Option<u64>,
    /// Open live streams of this gateway.
    pub stream_clients: u32,
}
