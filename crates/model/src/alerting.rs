//! When an incident opens and closes. Pure, so that the live alerter, a replay and a backtest run the
//! same code: [`fold`] takes one result into a monitor's state and says which transition it made.
//!
//! Three layers, each a function of the *set* of results and not of their order of arrival:
//! [`RegionState`] judges one region by consecutive slots, [`judge`] takes a quorum over regions with
//! fresh evidence, and [`fold`] compares the verdict with the open incident. Whenever the evidence is
//! sufficient, the incident is open exactly if the verdict is down; while it is not, nothing moves. Only opening
//! is never left to a result that comes late, or that corrects an incident which is over: the next timely one decides.

mod incident;
mod policy;
mod region;
mod shown;
mod verdict;

#[cfg(test)]
mod tests;

pub use incident::{Folded, Incident, MonitorState, Note, Transition, TransitionKind, acknowledge, close, fold, incident_id};
pub use policy::Policy;
pub use region::{Confirmed, Failure, RegionState};
pub use shown::{Shown, ShownState, shown};
pub use verdict::{Evidence, Judged, Verdict, judge};
