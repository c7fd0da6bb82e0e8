//! The one word a person looks for, and what it rests on.

use model::{Cause, IncidentId, Millis, Slot};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The judged state of a monitor. Never `up` without fresh evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Up,
    Degraded,
    Down,
    /// We do not know: no fresh results, or not enough of them.
    Unknown,
    /// Switched off by a person.
    Paused,
    /// Never checked yet.
    Pending,
}

/// A monitor's state now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Status {
    pub state: State,
    /// Since when the state holds, Unix ms; null while unknown or pending.
    #[schema(value_type = Option<i64>, required = true)]
    pub since: Option<Millis>,
    /// The open incident, if there is one.
    #[schema(required = true)]
    pub incident: Option<IncidentId>,
    /// Why it is not up.
    #[schema(required = true)]
    pub cause: Option<Cause>,
    /// The newest slot with a result in any region, Unix ms.
    #[schema(value_type = Option<i64>, required = true)]
    pub last_check: Option<Slot>,
    /// Latency of that result, µs.
    #[schema(required = true)]
    pub latency_us: Option<u32>,
}
