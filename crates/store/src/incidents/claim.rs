//! Claiming deliveries: under a lease, by one of several senders, each incident's in order.

use std::time::Duration;

use model::{ChannelId, IncidentId, Millis, MonitorId, WorkspaceId};
use sqlx::{Postgres, Transaction};
use uuid::Uuid;

use crate::{Store, StoreError, from_millis, to_millis};

/// Deliveries that one statement looks at to fold them.
const FOLD: i64 = 2_000;

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
    /// The region whose probers this is about, and the slots that became unknown: a notice about ourselves.
    pub sight: Option<(String, i64)>,
    /// Incidents of the monitor that were over before anything of them was sent: how many, how long in all.
    pub earlier_times: i32,
    pub earlier_ms: Millis,
    /// Where the incident's first message is, on channels that say so.
    pub parent_channel: Option<String>,
    pub parent_ts: Option<String>,
}

impl Store {
    /// Folds what is over before it was sent, then claims up to `limit` due deliveries for `lease`: of each monitor, one per
    /// channel at a time, in order, so that whatever several senders do, its last message is its latest. `busy` channels are
    /// left alone. Several senders may do so at once.
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
        // Of an hour's absence there may be many; none of them is to be told by itself.
        while fold_what_is_over(&mut tx, now).await? > 0 {}
        while fold_earlier_incidents(&mut tx, now).await? > 0 {}
        let claimed = sqlx::query_scalar!(
            r#"UPDATE deliveries SET owner = $2, lease_until = $3, attempts = attempts + 1,
                   doubtful = doubtful OR state = 'sending', state = 'sending'
               WHERE id IN (
                   SELECT due.id FROM deliveries due
                   LEFT JOIN alerts ON alerts.id = due.alert_id
                   LEFT JOIN incidents ON incidents.id = alerts.incident_id
                   WHERE due.state IN ('pending', 'sending') AND due.held_partition IS NULL
                     AND ((due.state = 'pending' AND due.due_at <= $1) OR (due.state = 'sending' AND due.lease_until < $1))
                     AND due.channel_id <> ALL($4)
                     AND NOT EXISTS (
                         SELECT 1 FROM deliveries before WHERE before.incident_id = due.incident_id AND before.channel_id = due.channel_id
                           AND before.sequence < due.sequence AND before.state IN ('pending', 'sending'))
                     AND NOT EXISTS (
                         SELECT 1 FROM deliveries before
                         JOIN alerts alert_before ON alert_before.id = before.alert_id
                         JOIN incidents earlier ON earlier.id = alert_before.incident_id
                         WHERE before.state IN ('pending', 'sending') AND before.channel_id = due.channel_id
                           AND earlier.monitor_id = incidents.monitor_id AND earlier.opened_at < incidents.opened_at)
                   ORDER BY due.due_at, due.sequence LIMIT $5 FOR UPDATE OF due SKIP LOCKED)
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
        let deliveries = read(&mut tx, &claimed).await?;
        tx.commit().await?;
        Ok(deliveries)
    }
}

/// All that the messages say, in the order in which they are due.
async fn read(tx: &mut Transaction<'_, Postgres>, claimed: &[Uuid]) -> Result<Vec<ClaimedDelivery>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT d.id, COALESCE(d.alert_id, d.notice_id) AS "alert_id!", d.channel_id, d.kind, d.sequence, d.attempts, d.doubtful,
                   d.tells_opening, d.created_at, d.earlier_times, d.earlier_ms,
                   COALESCE(a.at, n.at) AS "at!", a.traceparent AS "traceparent?", d.incident_id AS incident,
                   COALESCE(i.monitor_id, '00000000-0000-0000-0000-000000000000') AS "monitor_id!",
                   COALESCE(i.workspace_id, n.workspace_id) AS "workspace_id!",
                   COALESCE(i.monitor_name, n.region) AS "monitor_name!", COALESCE(i.target, n.region) AS "target!",
                   COALESCE(i.opened_at, n.since) AS "opened_at!", COALESCE(i.resolved_at, n.until) AS "resolved_at?",
                   COALESCE(i.cause, n.reason) AS "cause?", i.detail AS "detail?", COALESCE(i.regions, ARRAY[n.region]) AS "regions!",
                   i.acknowledged_by AS "acknowledged_by?", i.note AS "note?",
                   n.region AS "region?", n.slots_unknown AS "slots_unknown?",
                   parent.message_channel AS "parent_channel?", parent.message_ts AS "parent_ts?"
               FROM deliveries d
               LEFT JOIN alerts a ON a.id = d.alert_id
               LEFT JOIN incidents i ON i.id = a.incident_id
               LEFT JOIN notices n ON n.id = d.notice_id
               LEFT JOIN LATERAL (
                   SELECT p.message_channel, p.message_ts FROM deliveries p
                   WHERE p.incident_id = d.incident_id AND p.channel_id = d.channel_id AND p.state = 'sent' AND p.message_ts IS NOT NULL
                   ORDER BY p.sequence LIMIT 1) parent ON true
               WHERE d.id = ANY($1) ORDER BY d.due_at, d.sequence"#,
        claimed,
    )
    .fetch_all(&mut **tx)
    .await?;
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
            sight: row.region.zip(row.slots_unknown),
            earlier_times: row.earlier_times,
            earlier_ms: row.earlier_ms,
            parent_channel: row.parent_channel,
            parent_ts: row.parent_ts,
        })
        .collect())
}

/// A beginning that was never sent and is over by now is told by the recovery's message. Returns how many were folded.
async fn fold_what_is_over(tx: &mut Transaction<'_, Postgres>, now: Millis) -> Result<i64, StoreError> {
    let found = sqlx::query_scalar!(
        r#"WITH over AS (
               SELECT early.id, late.id AS by FROM deliveries early
               JOIN deliveries late ON late.incident_id = early.incident_id AND late.channel_id = early.channel_id
                 AND late.sequence > early.sequence AND late.kind = 'resolved' AND late.state = 'pending' AND late.held_partition IS NULL
               WHERE (early.state = 'pending' OR (early.state = 'sending' AND early.lease_until < $1))
                 AND early.kind <> 'resolved' AND early.held_partition IS NULL
               LIMIT $2 FOR UPDATE SKIP LOCKED),
           folded AS (
               UPDATE deliveries SET state = 'folded', due_at = $1 FROM over WHERE deliveries.id = over.id
               RETURNING over.by, kind, earlier_times, earlier_ms),
           sums AS (
               SELECT by, bool_or(kind = 'opened') AS opened, sum(earlier_times)::int AS times, sum(earlier_ms)::bigint AS ms
               FROM folded GROUP BY by),
           telling AS (
               UPDATE deliveries SET tells_opening = tells_opening OR sums.opened, earlier_times = deliveries.earlier_times + sums.times,
                   earlier_ms = deliveries.earlier_ms + sums.ms
               FROM sums WHERE deliveries.id = sums.by RETURNING 1)
           SELECT count(*) AS "found!" FROM over"#,
        from_millis(now),
        FOLD,
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(found)
}

/// Incidents of a monitor that were over before anything of them was sent (an outage of ours or of the
/// channel) are told by the monitor's next message: how many, and how long in all. Returns how many were folded.
async fn fold_earlier_incidents(tx: &mut Transaction<'_, Postgres>, now: Millis) -> Result<i64, StoreError> {
    let folded = sqlx::query_scalar!(
        r#"WITH together AS (
               SELECT i.monitor_id, d.channel_id FROM deliveries d
               JOIN alerts a ON a.id = d.alert_id JOIN incidents i ON i.id = a.incident_id
               WHERE d.state = 'pending' AND d.held_partition IS NULL AND (d.kind = 'opened' OR (d.kind = 'resolved' AND d.tells_opening))
               GROUP BY i.monitor_id, d.channel_id
               HAVING count(*) > 1 AND bool_or(d.kind = 'resolved' AND NOT d.doubtful AND i.note IS NULL)),
           waiting AS (
               SELECT d.id, d.kind, d.tells_opening, d.doubtful, d.earlier_times, d.earlier_ms, d.channel_id, i.monitor_id, i.opened_at,
                   i.note, (extract(epoch FROM i.resolved_at - i.opened_at) * 1000)::bigint AS ms
               FROM deliveries d JOIN alerts a ON a.id = d.alert_id JOIN incidents i ON i.id = a.incident_id
               WHERE d.state = 'pending' AND d.held_partition IS NULL AND (d.kind = 'opened' OR (d.kind = 'resolved' AND d.tells_opening))
                 AND EXISTS (SELECT 1 FROM together WHERE together.monitor_id = i.monitor_id AND together.channel_id = d.channel_id)
               ORDER BY i.monitor_id, d.channel_id LIMIT $2 FOR UPDATE OF d SKIP LOCKED),
           ranked AS (
               SELECT *, first_value(id) OVER (PARTITION BY monitor_id, channel_id ORDER BY opened_at DESC, kind) AS last FROM waiting),
           folded AS (
               UPDATE deliveries SET state = 'folded', due_at = $1 FROM ranked
               WHERE deliveries.id = ranked.id AND ranked.id <> ranked.last
                 AND ranked.kind = 'resolved' AND ranked.tells_opening AND NOT ranked.doubtful AND ranked.note IS NULL
               RETURNING ranked.last, ranked.earlier_times + 1 AS times, ranked.earlier_ms + COALESCE(ranked.ms, 0) AS ms),
           sums AS (SELECT last, sum(times)::int AS times, sum(ms)::bigint AS ms FROM folded GROUP BY last),
           telling AS (
               UPDATE deliveries SET earlier_times = deliveries.earlier_times + sums.times, earlier_ms = deliveries.earlier_ms + sums.ms
               FROM sums WHERE deliveries.id = sums.last RETURNING 1)
           SELECT count(*) AS "folded!" FROM folded"#,
        from_millis(now),
        FOLD,
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(folded)
}
