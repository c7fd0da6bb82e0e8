//! Incidents as people see them.

use model::{IncidentId, Millis, MonitorId, WorkspaceId, known_word};
use serde::{Deserialize, Serialize};
use service::Problem;
use store::incidents::{Acknowledged, AlertRecord, DeliveryRecord, IncidentFilter, IncidentRecord};

use crate::api::{Alert, AlertKind, Delivery, DeliveryState, Incident, IncidentPage, IncidentState};
use crate::app::App;
use crate::error::{ApiError, ApiResult};
use crate::input::Cursor;

/// The last incident of a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct IncidentPosition(Millis, IncidentId);

/// A page, newest first.
pub(crate) async fn incidents(
    app: &App,
    workspace: WorkspaceId,
    monitor: Option<MonitorId>,
    open: Option<bool>,
    limit: u32,
    after: Option<IncidentPosition>,
) -> ApiResult<IncidentPage> {
    let after = after.map(|IncidentPosition(at, id)| (at, id));
    // One more than asked for tells whether there is another page.
    let mut found = app.store().incidents(workspace, &IncidentFilter { monitor, open, after, limit: limit + 1 }).await?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = found.len() > limit;
    found.truncate(limit);
    let next_cursor = found.last().filter(|_| more).and_then(|last| Cursor::encode(&IncidentPosition(last.opened_at, last.id)));
    let now = app.now();
    Ok(IncidentPage { incidents: found.into_iter().map(|record| shown(record, now)).collect(), next_cursor })
}

/// One incident.
pub(crate) async fn incident(app: &App, workspace: WorkspaceId, id: IncidentId) -> ApiResult<Incident> {
    let record = app.store().incident(workspace, id).await?.ok_or_else(no_incident)?;
    Ok(shown(record, app.now()))
}

/// Notes that somebody is on it; the alerter makes it a transition within a second.
pub(crate) async fn acknowledge(app: &App, workspace: WorkspaceId, id: IncidentId, actor: &str) -> ApiResult<Incident> {
    match app.primary().request_acknowledge(workspace, id, actor, app.now()).await? {
        Acknowledged::Requested | Acknowledged::Already => {}
        Acknowledged::Resolved => return Err(Problem::conflict("the incident is resolved already").into()),
        Acknowledged::Unknown => return Err(no_incident()),
    }
    // The replica may not have it yet.
    let record = app.primary().incident(workspace, id).await?.ok_or_else(no_incident)?;
    let mut incident = shown(record, app.now());
    if incident.state == IncidentState::Open {
        incident.state = IncidentState::Acknowledged;
    }
    Ok(incident)
}

fn no_incident() -> ApiError {
    Problem::not_found("there is no such incident in this workspace").into()
}

fn shown(record: IncidentRecord, now: Millis) -> Incident {
    Incident {
        id: record.id,
        monitor: record.monitor,
        monitor_name: record.monitor_name,
        state: match record.state.as_str() {
            "resolved" => IncidentState::Resolved,
            "acknowledged" => IncidentState::Acknowledged,
            _ => IncidentState::Open,
        },
        opened_at: record.opened_at,
        resolved_at: record.resolved_at,
        duration_ms: (record.resolved_at.unwrap_or(now) - record.opened_at).max(0),
        cause: record.cause.as_deref().and_then(known_word),
        detail: record.detail,
        regions: record.regions.iter().filter_map(|region| region.parse().ok()).collect(),
        acknowledged_by: record.acknowledged_by,
        alerts: record.alerts.into_iter().filter_map(alert).collect(),
    }
}

fn alert(record: AlertRecord) -> Option<Alert> {
    let kind: AlertKind = serde_json::from_value(record.kind.into()).ok()?;
    Some(Alert { kind, at: record.at, deliveries: record.deliveries.into_iter().map(delivery).collect() })
}

fn delivery(record: DeliveryRecord) -> Delivery {
    let state = match record.state.as_str() {
        "sent" => DeliveryState::Delivered,
        "dead" => DeliveryState::Failed,
        "folded" => DeliveryState::Superseded,
        _ => DeliveryState::Pending,
    };
    Delivery { channel: record.channel, state, attempts: record.attempts, last_error: record.last_error }
}
