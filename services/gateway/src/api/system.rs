//! Facts about the mesh itself.

use model::sight::{BlindReason, SightState};
use model::{Millis, Region, Slot};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ConsumerLag, DeadLetterCount};

/// What one region contributes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RegionSystem {
    pub region: Region,
    /// Monitors of this workspace that are checked from here and not paused.
    pub monitors: u32,
    /// Pingers that announced themselves lately; null where it is not known.
    #[schema(required = true)]
    pub pingers: Option<u32>,
    /// The newest slot with a result of this workspace, Unix ms.
    #[schema(value_type = Option<i64>, required = true)]
    pub newest_slot: Option<Slot>,
    /// How long ago that was.
    #[schema(value_type = Option<i64>, required = true)]
    pub age_ms: Option<Millis>,
    /// The newest slot the alerter judged here, of all workspaces, Unix ms; null where that is not known.
    #[schema(value_type = Option<i64>, required = true)]
    pub judged_slot: Option<Slot>,
    /// How long ago that was.
    #[schema(value_type = Option<i64>, required = true)]
    pub judged_age_ms: Option<Millis>,
    /// Monitors without a fresh result from here.
    pub stale_monitors: u32,
    /// Since when a prober of this region is blind; null while all see.
    #[schema(value_type = Option<i64>, required = true)]
    pub blind_since: Option<Millis>,
    /// What its pingers last said of themselves, within the last minute.
    pub probers: Vec<Prober>,
}

/// What a pinger says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Prober {
    pub pinger: String,
    pub state: SightState,
    /// Since when, Unix ms.
    #[schema(value_type = i64)]
    pub since: Millis,
    /// What blinds it.
    #[schema(required = true)]
    pub reason: Option<BlindReason>,
    /// Slots that became unknown in this blindness so far, or in the last one.
    pub slots_unknown: u64,
    /// Shards it checks, of 64.
    pub shards: u32,
    /// Results that wait on its disk for Kafka.
    pub spool_records: u64,
    pub spool_bytes: u64,
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
    /// Records the processor has not written to history yet; null where it is not known.
    #[schema(required = true)]
    pub processor_lag: Option<u64>,
    /// Each reader of the log.
    pub consumers: Vec<ConsumerLag>,
    /// Records that no reader could read, by the topic they came from.
    pub dead_letters: Vec<DeadLetterCount>,
    /// Open live streams of this gateway.
    pub stream_clients: u32,
}
