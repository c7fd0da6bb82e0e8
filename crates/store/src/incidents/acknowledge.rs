//! Acknowledging: the gateway writes the wish, the alerter makes it a transition.

use model::{IncidentId, Millis, MonitorId, WorkspaceId};

use crate::{Store, StoreError, from_millis};

/// What became of the wish to acknowledge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acknowledged {
    /// Noted; the alerter takes it up within a second.
    Requested,
    /// Someone did it before.
    Already,
    /// It is over.
    Resolved,
    /// No such incident in this workspace.
    Unknown,
}

/// A wish the alerter has not taken up yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AcknowledgeRequest {
    pub incident: IncidentId,
    pub monitor: MonitorId,
}

impl Store {
    /// Notes that `actor` (an e-mail address) has seen the incident. Repeating it changes nothing.
    pub async fn request_acknowledge(
        &self,
        workspace: WorkspaceId,
        incident: IncidentId,
        actor: &str,
        now: Millis,
    ) -> Result<Acknowledged, StoreError> {
        let noted = sqlx::query!(
            r#"UPDATE incidents SET acknowledged_by = $3, acknowledge_requested_at = $4
               WHERE id = $1 AND workspace_id = $2 AND state = 'open' AND acknowledge_requested_at IS NULL"#,
            incident.0,
            workspace.0,
            actor,
            from_millis(now),
        )
        .execute(self.pool())
        .await?;
        if noted.rows_affected() > 0 {
            return Ok(Acknowledged::Requested);
        }
        let state = sqlx::query_scalar!("SELECT state FROM incidents WHERE id = $1 AND workspace_id = $2", incident.0, workspace.0)
            .fetch_optional(self.pool())
            .await?;
        Ok(match state.as_deref() {
            None => Acknowledged::Unknown,
            Some("resolved") => Acknowledged::Resolved,
            Some(_) => Acknowledged::Already,
        })
    }

    /// The wishes that wait.
    pub async fn acknowledge_requests(&self) -> Result<Vec<AcknowledgeRequest>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT id, monitor_id FROM incidents
               WHERE acknowledge_requested_at IS NOT NULL AND acknowledged_at IS NULL AND state = 'open' LIMIT 1000"#
        )
        .fetch_all(self.pool())
        .await?;
        Ok(rows.into_iter().map(|row| AcknowledgeRequest { incident: row.id.into(), monitor: row.monitor_id.into() }).collect())
    }
}
