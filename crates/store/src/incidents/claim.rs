//! Claiming deliveries: under a lease, by one of several senders, each incident's in order.

use std::time::Duration;

use model::{ChannelId, IncidentId, Millis, MonitorId, WorkspaceId};
use sqlx::{Postgres, Transaction};
use uuid::Uuid;

use crate::{Store, StoreError, from_millis, to_millis};

/// A delivery that is ours to send until the lease ends, with all a message says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedDelivery {
    pub id: Uuid,
    pub alert: Uuid,
    pub channel: ChannelId,
    pub kind: String,
    pub sequence: i32,
    /// This attempt's number, from 1.
    pub attempt: i32,
    /// An earlier attempt may have arrived.
    pub doubtful: bool,
    /// The incident's beginning was never delivered: tell it too.
    pub tells_opening: bool,
    pub created_at: Millis,
    /// When the transition was decided.
    pub at: Millis,
    pub traceparent: Option<String>,
    pub incident: IncidentId,
    pub monitor: MonitorId,
    pub workspace: WorkspaceId,
    pub monitor_name: String,
    pub target: String,
    pub opened_at: Millis,
    pub resolved_at: Option<Millis>,
    pub cause: Option<String>,
    pub detail: Option<String>,
    pub regions: Vec<String>,
    pub acknowledged_by: Option<String>,
    pub note: Option<String>,
    /// Where the incident's first message is, on channels that say so.
    pub parent_channel: Option<String>,
    pub parent_ts: Option<String>,
}

impl Store {
    /// Folds what is over before it was sent, then claims up to `limit` due deliveries for `lease`, each
    /// incident's in order. `busy` channels are left alone. Several senders may do so at once.
    pub async fn claim_deliveries(
        &self,
        owner: Uuid,
        busy: &[ChannelId],
        limit: i64,
        lease: Duration,
        now: Millis,
    ) -> Result<Vec<ClaimedDelivery>, StoreError> {
        let busy: Vec<Uuid> = busy.iter().map(|channel| channel.0).collect();
        let lease_until = from_millis(now.saturating_add(i64::try_from(lease.as_millis()).unwrap_or(i64::MAX)));
        let mut tx = self.begin().await?;
        fold_what_is_over(&mut tx, now).await?;
        let claimed = sqlx::query_scalar!(
            r#"UPDATE deliveries SET owner = $2, lease_until = $3, attempts = attempts + 1,
                   doubtful = doubtful OR state = 'sending', state = 'sending'
               WHERE id IN (
                   SELECT due.id FROM deliveries due
                   WHERE due.state IN ('pending', 'sending') AND due.held_partition IS NULL
                     AND ((due.state = 'pending' AND due.due_at <= $1) OR (due.state = 'sending' AND due.lease_until < $1))
                     AND due.channel_id <> ALL($4)
                     AND NOT EXISTS (
                         SELECT 1 FROM deliveries before WHERE before.incident_id = due.incident_id AND before.channel_id = due.channel_id
                           AND before.sequence < due.sequence AND before.state IN ('pending', 'sending'))
                   ORDER BY due.due_at, due.sequence LIMIT $5 FOR UPDATE SKIP LOCKED)
               RETURNING id"#,
            from_millis(now),
            owner,
            lease_until,
            &busy,
            limit,
        )
        .fetch_all(&mut *tx)
        .await?;
        if claimed.is_empty() {
            tx.commit().await?;
            return Ok(Vec::new());
        }
        sqlx::query!(
            r#"INSERT INTO delivery_attempts (delivery_id, attempt, started_at)
               SELECT id, attempts, $2 FROM deliveries WHERE id = ANY($1) ON CONFLICT DO NOTHING"#,
            &claimed,
            from_millis(now),
        )
        .execute(&mut *tx)
        .await?;
        let rows = sqlx::query!(
            r#"SELECT d.id, d.alert_id, d.channel_id, d.kind, d.sequence, d.attempts, d.doubtful, d.tells_opening, d.created_at,
                   a.at, a.traceparent, i.id AS incident, i.monitor_id, i.workspace_id, i.monitor_name, i.target, i.opened_at,
                   i.resolved_at, i.cause, i.detail, i.regions, i.acknowledged_by, i.note,
                   parent.message_channel AS "parent_channel?", parent.message_ts AS "parent_ts?"
               FROM deliveries d
               JOIN alerts a ON a.id = d.alert_id
               JOIN incidents i ON i.id = d.incident_id
               LEFT JOIN LATERAL (
                   SELECT p.message_channel, p.message_ts FROM deliveries p
                   WHERE p.incident_id = d.incident_id AND p.channel_id = d.channel_id AND p.state = 'sent' AND p.message_ts IS NOT NULL
                   ORDER BY p.sequence LIMIT 1) parent ON true
               WHERE d.id = ANY($1) ORDER BY d.due_at, d.sequence"#,
            &claimed,
        )
        .fetch_all(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(rows
            .into_iter()
            .map(|row| ClaimedDelivery {
                id: row.id,
                alert: row.alert_id,
                channel: row.channel_id.into(),
                kind: row.kind,
                sequence: row.sequence,
                attempt: row.attempts,
                doubtful: row.doubtful,
                tells_opening: row.tells_opening,
                created_at: to_millis(row.created_at),
                at: to_millis(row.at),
                traceparent: row.traceparent,
                incident: row.incident.into(),
                monitor: row.monitor_id.into(),
                workspace: row.workspace_id.into(),
                monitor_name: row.monitor_name,
                target: row.target,
                opened_at: to_millis(row.opened_at),
                resolved_at: row.resolved_at.map(to_millis),
                cause: row.cause,
                detail: row.detail,
                regions: row.regions,
                acknowledged_by: row.acknowledged_by,
                note: row.note,
                parent_channel: row.parent_channel,
                parent_ts: row.parent_ts,
            })
            .collect())
    }
}

/// A beginning that was never sent and is over by now is told by the recovery's message.
async fn fold_what_is_over(tx: &mut Transaction<'_, Postgres>, now: Millis) -> Result<(), StoreError> {
    sqlx::query!(
        r#"WITH over AS (
               SELECT early.id, late.id AS by FROM deliveries early
               JOIN deliveries late ON late.incident_id = early.incident_id AND late.channel_id = early.channel_id
                 AND late.sequence > early.sequence AND late.kind = 'resolved' AND late.state = 'pending' AND late.held_partition IS NULL
               WHERE (early.state = 'pending' OR (early.state = 'sending' AND early.lease_until < $1))
                 AND early.kind <> 'resolved' AND early.held_partition IS NULL
               LIMIT 1000 FOR UPDATE SKIP LOCKED),
           folded AS (
               UPDATE deliveries SET state = 'folded', due_at = $1 FROM over WHERE deliveries.id = over.id RETURNING over.by, kind)
           UPDATE deliveries SET tells_opening = true WHERE id IN (SELECT by FROM folded WHERE kind = 'opened')"#,
        from_millis(now),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
