//! Reading incidents with what was told of them, for people.

use model::{IncidentId, Millis, MonitorId, WorkspaceId};
use uuid::Uuid;

use crate::{Store, StoreError, from_millis, to_millis};

/// Which incidents.
#[derive(Debug, Clone, Copy, Default)]
pub struct IncidentFilter {
    pub monitor: Option<MonitorId>,
    /// `Some(true)`: unresolved ones; `Some(false)`: resolved ones.
    pub open: Option<bool>,
    /// Only those after this one in the order of the list (newest first).
    pub after: Option<(Millis, IncidentId)>,
    pub limit: u32,
}

/// An incident as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncidentRecord {
    pub id: IncidentId,
    pub monitor: MonitorId,
    pub monitor_name: String,
    /// open, acknowledged or resolved.
    pub state: String,
    pub opened_at: Millis,
    pub resolved_at: Option<Millis>,
    pub cause: Option<String>,
    pub detail: Option<String>,
    pub regions: Vec<String>,
    /// Who acknowledged it, or asked to.
    pub acknowledged_by: Option<String>,
    /// Oldest first.
    pub alerts: Vec<AlertRecord>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertRecord {
    pub kind: String,
    pub at: Millis,
    pub deliveries: Vec<DeliveryRecord>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryRecord {
    /// The channel's name when the alert was made.
    pub channel: String,
    /// pending, sending, sent, folded or dead.
    pub state: String,
    pub attempts: u32,
    pub last_error: Option<String>,
}

impl Store {
    /// A workspace's incidents, newest first.
    pub async fn incidents(&self, workspace: WorkspaceId, filter: &IncidentFilter) -> Result<Vec<IncidentRecord>, StoreError> {
        let (after_at, after_id) = filter.after.map(|(at, id)| (from_millis(at), id.0)).unzip();
        let rows = sqlx::query!(
            r#"SELECT id, monitor_id, monitor_name, state, opened_at, resolved_at, cause, detail, regions, acknowledged_by
               FROM incidents
               WHERE workspace_id = $1
                 AND ($2::uuid IS NULL OR monitor_id = $2)
                 AND ($3::bool IS NULL OR (resolved_at IS NULL) = $3)
                 AND ($4::timestamptz IS NULL OR opened_at < $4 OR (opened_at = $4 AND id > $5))
               ORDER BY opened_at DESC, id LIMIT $6"#,
            workspace.0,
            filter.monitor.map(|monitor| monitor.0),
            filter.open,
            after_at,
            after_id,
            i64::from(filter.limit),
        )
        .fetch_all(self.pool())
        .await?;
        let mut found: Vec<IncidentRecord> = rows
            .into_iter()
            .map(|row| IncidentRecord {
                id: IncidentId(row.id),
                monitor: MonitorId(row.monitor_id),
                monitor_name: row.monitor_name,
                state: row.state,
                opened_at: to_millis(row.opened_at),
                resolved_at: row.resolved_at.map(to_millis),
                cause: row.cause,
                detail: row.detail,
                regions: row.regions,
                acknowledged_by: row.acknowledged_by,
                alerts: Vec::new(),
            })
            .collect();
        self.add_alerts(&mut found).await?;
        Ok(found)
    }

    /// One incident of a workspace.
    pub async fn incident(&self, workspace: WorkspaceId, id: IncidentId) -> Result<Option<IncidentRecord>, StoreError> {
        let row = sqlx::query!(
            r#"SELECT id, monitor_id, monitor_name, state, opened_at, resolved_at, cause, detail, regions, acknowledged_by
               FROM incidents WHERE workspace_id = $1 AND id = $2"#,
            workspace.0,
            id.0,
        )
        .fetch_optional(self.pool())
        .await?;
        let Some(row) = row else { return Ok(None) };
        let mut found = [IncidentRecord {
            id,
            monitor: MonitorId(row.monitor_id),
            monitor_name: row.monitor_name,
            state: row.state,
            opened_at: to_millis(row.opened_at),
            resolved_at: row.resolved_at.map(to_millis),
            cause: row.cause,
            detail: row.detail,
            regions: row.regions,
            acknowledged_by: row.acknowledged_by,
            alerts: Vec::new(),
        }];
        self.add_alerts(&mut found).await?;
        Ok(found.into_iter().next())
    }

    async fn add_alerts(&self, incidents: &mut [IncidentRecord]) -> Result<(), StoreError> {
        let ids: Vec<Uuid> = incidents.iter().map(|incident| incident.id.0).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let rows = sqlx::query!(
            r#"SELECT a.incident_id, a.sequence, a.kind, a.at,
                      d.channel_name AS "channel?", d.state AS "state?", d.attempts AS "attempts?", d.last_error
               FROM alerts a LEFT JOIN deliveries d ON d.alert_id = a.id
               WHERE a.incident_id = ANY($1)
               ORDER BY a.incident_id, a.sequence, d.channel_name, d.id"#,
            &ids,
        )
        .fetch_all(self.pool())
        .await?;
        let mut last = None;
        for row in rows {
            let Some(incident) = incidents.iter_mut().find(|incident| incident.id.0 == row.incident_id) else { continue };
            if last.replace((row.incident_id, row.sequence)) != Some((row.incident_id, row.sequence)) {
                incident.alerts.push(AlertRecord { kind: row.kind, at: to_millis(row.at), deliveries: Vec::new() });
            }
            if let (Some(channel), Some(state), Some(alert)) = (row.channel, row.state, incident.alerts.last_mut()) {
                let attempts = row.attempts.unwrap_or(0).unsigned_abs();
                alert.deliveries.push(DeliveryRecord { channel, state, attempts, last_error: row.last_error });
            }
        }
        Ok(())
    }
}
