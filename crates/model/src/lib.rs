//! The domain of Upmesh, pure: what a monitor is, when its slots fall, what a result says,
//! how history is packed, when an incident opens. No I/O, no async runtime, no global clock.

pub mod account;
pub mod alerting;
pub mod clock;
pub mod error;
pub mod history;
pub mod ids;
pub mod monitor;
pub mod network;
pub mod outcome;
pub mod result;
pub mod schedule;
pub mod sight;
pub mod uptime;

pub use account::{Role, Session, UserInfo, WorkspaceInfo};
pub use clock::{Clock, ManualClock, Millis, ShiftedClock, SystemClock};
pub use error::FieldError;
pub use ids::{ChannelId, IncidentId, MonitorId, Region, Shard, UserId, WorkspaceId};
pub use monitor::{Assertion, Monitor, MonitorSpec, ProbeSpec};
pub use network::network;
pub use outcome::{Cause, Outcome, known_cause, known_word};
pub use result::{CheckResult, Phases};
pub use schedule::{Schedule, ScheduleSegment, Slot};
