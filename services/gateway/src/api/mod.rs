//! The shapes of the public API. They live apart from the domain, so that neither leaks into the other.
//! Times are Unix milliseconds, latencies microseconds, as the names say.

mod channel;
mod check;
mod dead_letter;
mod incident;
mod monitor;
mod problem;
mod session;
mod status;
mod stream;
mod system;
mod timeline;
mod uptime;

pub use channel::{Channel, ChannelList};
pub use check::{Check, CheckPage};
pub use dead_letter::{ConsumerLag, DeadLetter, DeadLetterCount, DeadLetterPage};
pub use incident::{Alert, AlertKind, Delivery, DeliveryState, Incident, IncidentPage, IncidentState};
pub use monitor::{Beat, LatestResult, MonitorPage, MonitorState, MonitorView, RegionView, StateCounts, StatusPage};
pub use problem::ProblemBody;
pub use session::{Credentials, Me, Person, Session, Workspace};
pub use status::{State, Status};
pub use stream::{ConfigEvent, Hello, LiveEvent, ResultItem, ResultsEvent, VerdictItem, VerdictsEvent};
pub use system::{Dependency, Prober, RegionSystem, System};
pub use timeline::{Bucket, Timeline};
pub use uptime::{Uptime, UptimeWindow};
