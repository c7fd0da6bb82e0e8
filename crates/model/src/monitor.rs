//! What to check: a monitor's settings as people write them, and the record the services share.

mod given;
mod mask;
mod spec;
mod validate;

pub use mask::{MASK, json_without, masked_url, without};
pub use spec::{AlertPolicy, Assertion, Expect, HttpMethod, HttpProbe, IcmpProbe, MonitorSpec, ProbeSpec, Severity, TcpProbe};
pub use validate::{compile_json_path, compile_pattern, parse_statuses, validate};

use serde::{Deserialize, Serialize};

use crate::clock::Millis;
use crate::ids::{MonitorId, WorkspaceId};
use crate::schedule::ScheduleSegment;

/// A monitor as the users service publishes it to the other services (internal API).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Monitor {
    pub id: MonitorId,
    pub workspace: WorkspaceId,
    /// Grows with every change of any monitor; the position in the stream of changes.
    pub revision: i64,
    pub created_at: Millis,
    pub updated_at: Millis,
    pub spec: MonitorSpec,
    /// Schedule history, sorted by `from`, kept for 400 days; the last one is in force.
    pub segments: Vec<ScheduleSegment>,
}

impl Monitor {
    /// Gives back the room that lists have too much: decoding makes room for four, most hold one, and the services keep a
    /// hundred thousand monitors in memory.
    pub fn shrink_to_fit(&mut self) {
        let MonitorSpec { regions, assertions, alert, .. } = &mut self.spec;
        regions.shrink_to_fit();
        assertions.shrink_to_fit();
        alert.channels.shrink_to_fit();
        self.segments.iter_mut().for_each(|segment| segment.regions.shrink_to_fit());
        self.segments.shrink_to_fit();
    }
}
