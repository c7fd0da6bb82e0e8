//! Incidents with the alerts they sent.

use model::{Cause, IncidentId, Millis, MonitorId, Region};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum IncidentState {
    Open,
    /// Open, and somebody said they are on it.
    Acknowledged,
    Resolved,
}

/// A confirmed period of not-up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Incident {
    pub id: IncidentId,
    pub monitor: MonitorId,
    pub monitor_name: String,
    pub state: IncidentState,
    /// Unix ms.
    #[schema(value_type = i64)]
    pub opened_at: Millis,
    #[schema(value_type = Option<i64>, required = true)]
    pub resolved_at: Option<Millis>,
    /// How long it lasted, or has lasted so far.
    #[schema(value_type = i64)]
    pub duration_ms: Millis,
    #[schema(required = true)]
    pub cause: Option<Cause>,
    /// One line for people.
    #[schema(required = true)]
    pub detail: Option<String>,
    /// Where it was seen.
    pub regions: Vec<Region>,
    /// Who said they are on it.
    #[schema(required = true)]
    pub acknowledged_by: Option<String>,
    /// Oldest first.
    pub alerts: Vec<Alert>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertKind {
    Opened,
    Acknowledged,
    Reminded,
    Escalated,
    Resolved,
}

/// One transition that was told to people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Alert {
    pub kind: AlertKind,
    #[schema(value_type = i64)]
    pub at: Millis,
    pub deliveries: Vec<Delivery>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// Waiting for its first or next attempt.
    Pending,
    Delivered,
    /// Given up.
    Failed,
    /// Not sent, because a later message told it too.
    Superseded,
}

/// One alert on its way to one channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Delivery {
    /// The channel's name.
    pub channel: String,
    pub state: DeliveryState,
    pub attempts: u32,
    #[schema(required = true)]
    pub last_error: Option<String>,
}

/// A page of incidents, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IncidentPage {
    pub incidents: Vec<Incident>,
    /// Pass it as `cursor` for older ones; null on the last page.
    #[schema(required = true)]
    pub next_cursor: Option<String>,
}
