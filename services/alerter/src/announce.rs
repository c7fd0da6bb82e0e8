//! From a transition to rows: the incident as it stands, the alert, a delivery per channel.

use events::{AlertKind, IncidentEvent};
use model::alerting::{Note, TransitionKind};
use model::{ChannelId, Millis, WorkspaceId};
use store::incidents::{AlertRow, DeliveryRow, IncidentRow};
use uuid::Uuid;

use crate::catalog::Catalog;
use crate::desk::Decided;

/// The rows of one transition.
#[derive(Debug, Clone)]
pub struct Announcement {
    pub partition: i32,
    pub incident: IncidentRow,
    pub alert: AlertRow,
    pub deliveries: Vec<DeliveryRow>,
}

/// Whom a transition concerns, where the directory no longer knows.
#[derive(Debug, Clone, Default)]
pub struct Subject {
    pub workspace: Option<WorkspaceId>,
    pub name: String,
    pub target: String,
    /// Where the incident was told.
    pub channels: Vec<ChannelId>,
}

/// Makes the rows. `fallback` is used for a monitor whose settings are gone.
pub fn announce(decided: &Decided, fallback: &Subject, catalog: &Catalog, now: Millis) -> Result<Announcement, serde_json::Error> {
    let transition = &decided.transition;
    let spec = decided.settings.as_ref().map(|monitor| &monitor.spec);
    let workspace = decided.settings.as_ref().map(|monitor| monitor.workspace).or(fallback.workspace).unwrap_or(WorkspaceId(Uuid::nil()));
    let (kind, state, event_kind) = match transition.kind {
        TransitionKind::Opened => ("opened", "open", AlertKind::Opened),
        TransitionKind::Acknowledged => ("acknowledged", "acknowledged", AlertKind::Acknowledged),
        TransitionKind::Resolved => ("resolved", "resolved", AlertKind::Resolved),
    };
    let sequence = i32::try_from(transition.sequence).unwrap_or(i32::MAX);
    let id = IncidentEvent::event_id(transition.incident, transition.sequence);
    let event = IncidentEvent {
        v: IncidentEvent::VERSION,
        id,
        incident: transition.incident,
        monitor: decided.monitor,
        workspace,
        kind: event_kind,
        sequence: transition.sequence,
        slot: transition.slot,
        cause: transition.cause,
        regions: transition.regions.clone(),
        at: now,
    };
    let note = transition.note.map(|note| match note {
        Note::Paused => "paused",
        Note::Deleted => "deleted",
    });
    let incident = IncidentRow {
        id: transition.incident,
        monitor: decided.monitor,
        workspace,
        monitor_name: spec.map_or_else(|| fallback.name.clone(), |spec| spec.name.clone()),
        target: spec.map_or_else(|| fallback.target.clone(), |spec| spec.probe.masked_target()),
        state,
        sequence,
        opened_at: transition.since,
        resolved_at: transition.until,
        cause: transition.cause.map(model::Cause::as_str),
        detail: transition.detail.clone(),
        regions: transition.regions.iter().map(ToString::to_string).collect(),
        note,
        acknowledged_at: (transition.kind == TransitionKind::Acknowledged).then_some(now),
    };
    let alert = AlertRow {
        id,
        incident: transition.incident,
        kind,
        sequence,
        slot: transition.slot,
        at: now,
        record_key: decided.monitor.to_string().into_bytes(),
        record: event.encode()?,
        traceparent: decided.traceparent.clone(),
    };
    let channels = match spec {
        Some(spec) if spec.alert.notify => catalog.of(workspace, &spec.alert.channels),
        Some(_) => Vec::new(),
        // Whoever was told of its beginning, and nobody else.
        None => fallback.channels.iter().filter_map(|id| catalog.get(*id)).collect(),
    };
    let deliveries = channels.into_iter().map(|channel| DeliveryRow {
        id: Uuid::new_v5(&id, channel.id.0.as_bytes()),
        alert: id,
        incident: transition.incident,
        channel: channel.id,
        channel_kind: channel.settings.kind(),
        channel_name: channel.name.clone(),
        kind,
        sequence,
        due_at: now,
        held_partition: decided.held.then_some(decided.partition),
    });
    Ok(Announcement { partition: decided.partition, incident, alert, deliveries: deliveries.collect() })
}
