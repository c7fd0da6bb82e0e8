//! What happened in a span of time, over all workspaces: for a backtest to be compared with.

use model::{IncidentId, Millis, MonitorId};

use crate::{Store, StoreError, from_millis, to_millis};

/// An incident as it was, without its messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastIncident {
    pub id: IncidentId,
    pub monitor: MonitorId,
    pub monitor_name: String,
    /// The first failing slot.
    pub opened_at: Millis,
    /// The slot that opened it; absent where its alert is gone.
    pub detected_at: Option<Millis>,
    pub resolved_at: Option<Millis>,
    pub cause: Option<String>,
    /// Why it ended without a recovery.
    pub note: Option<String>,
}

impl Store {
    /// Incidents whose first failing slot lies in `[from, to)`, oldest first.
    pub async fn incidents_between(&self, from: Millis, to: Millis) -> Result<Vec<PastIncident>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT i.id, i.monitor_id, i.monitor_name, i.opened_at, i.resolved_at, i.cause, i.note,
                      (SELECT min(a.slot) FROM alerts a WHERE a.incident_id = i.id AND a.kind = 'opened') AS detected_at
               FROM incidents i WHERE i.opened_at >= $1 AND i.opened_at < $2 ORDER BY i.opened_at, i.id"#,
            from_millis(from),
            from_millis(to),
        )
        .fetch_all(self.pool())
        .await?;
        let past = rows.into_iter().map(|row| PastIncident {
            id: row.id.into(),
            monitor: row.monitor_id.into(),
            monitor_name: row.monitor_name,
            opened_at: to_millis(row.opened_at),
            detected_at: row.detected_at.map(to_millis),
            resolved_at: row.resolved_at.map(to_millis),
            cause: row.cause,
            note: row.note,
        });
        Ok(past.collect())
    }
}
