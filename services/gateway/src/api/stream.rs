//! What `/api/stream` sends. Every event's data is one of these as JSON.

use model::{Cause, IncidentId, Millis, MonitorId, Region, Slot};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{LatestResult, State};

/// Event `hello`: the first of every stream. Read the list after it, then apply what follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Hello {
    #[schema(value_type = i64)]
    pub now: Millis,
    pub version: String,
    /// As `LiveEvent` says it.
    pub live: bool,
}

/// Event `live`: whether this gateway hears of results and verdicts. While it does not, nothing follows, and what is read comes from
/// the database and says how old it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LiveEvent {
    pub live: bool,
}

/// One result of one monitor in one region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ResultItem {
    pub monitor: MonitorId,
    pub region: Region,
    #[serde(flatten)]
    pub result: LatestResult,
}

/// Event `results`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ResultsEvent {
    pub items: Vec<ResultItem>,
}

/// One monitor's new verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VerdictItem {
    pub monitor: MonitorId,
    pub state: State,
    #[schema(value_type = Option<i64>, required = true)]
    pub since: Option<Millis>,
    /// The slot that decided it.
    #[schema(value_type = Option<i64>, required = true)]
    pub slot: Option<Slot>,
    #[schema(required = true)]
    pub incident: Option<IncidentId>,
    #[schema(required = true)]
    pub cause: Option<Cause>,
}

/// Event `verdicts`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VerdictsEvent {
    pub items: Vec<VerdictItem>,
}

/// Event `config`: a monitor was created, changed or deleted; read it again.
/// Event `resync` has no data: this reader was too slow and must read everything again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConfigEvent {
    pub monitor: MonitorId,
    pub revision: i64,
    pub deleted: bool,
}
