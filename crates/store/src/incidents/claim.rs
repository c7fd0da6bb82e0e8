//! Claiming deliveries: under a lease, by one of several senders, each incident's in order.

use std::time::Duration;

use model::{ChannelId, IncidentId, Millis, MonitorId, WorkspaceId};
use uuid::Uuid;

use super::fold::fold;
use super::steady::Steady;
use crate::{Store, StoreError, Transaction, from_millis, to_millis};

/// Advisory lock of whoever claims; the number is arbitrary and never reused.
const CLAIM_LOCK: i64 = 0x7570_6d05;

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
    /// Since when the channel refuses it, without a break.
    pub refused_since: Option<Millis>,
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
    /// The channel as it was set then.
    pub parent_set: Option<String>,
}

/// A query over deliveries `due` with their `incidents`, of which it takes only those whose turn it is on their channel: nothing of their incident, nor
/// of an earlier incident of the monitor, still waits there. `$from` ends within the conditions.
macro_rules! in_turn {
    ($from:literal, $rest:literal, $($argument:expr),+ $(,)?) => {
        sqlx::query_scalar!(
            $from
                + r#" AND NOT EXISTS (
                    SELECT 1 FROM deliveries before WHERE before.incident_id = due.incident_id AND before.channel_id = due.channel_id
                      AND before.sequence < due.sequence AND before.state IN ('pending', 'sending'))
                AND NOT EXISTS (
                    SELECT 1 FROM deliveries before
                    JOIN alerts alert_before ON alert_before.id = before.alert_id
                    JOIN incidents earlier ON earlier.id = alert_before.incident_id
                    WHERE before.state IN ('pending', 'sending') AND before.channel_id = due.channel_id
                      AND earlier.monitor_id = incidents.monitor_id AND earlier.opened_at < incidents.opened_at) "#
                + $rest,
            $($argument),+
        )
    };
}

impl Store {
    /// Folds what is over before it was sent, then claims up to `limit` due deliveries for `lease`: of each monitor, one per
    /// channel at a time, in order, so that whatever several senders do, its last message is its latest. `busy` channels and those
    /// whose pace bids them rest are left alone. Several senders may do so at once; each waits for the one before.
    ///
    /// What is due is so by the caller's clock. Claims begin and run out by PostgreSQL's, the one that all senders share; those that
    /// ran out are taken over where it has been `steady`.
    pub async fn claim_deliveries(
        &self,
        owner: Uuid,
        busy: &[ChannelId],
        limit: i64,
        lease: Duration,
        now: Millis,
        steady: &mut Steady,
    ) -> Result<Vec<ClaimedDelivery>, StoreError> {
        let busy: Vec<Uuid> = busy.iter().map(|channel| channel.0).collect();
        let mut tx = self.begin().await?;
        // What one is still folding, another must not claim meanwhile. A sender that freezes here holds up the others no longer than that.
        let theirs = sqlx::query!(
            r#"SELECT set_config('idle_in_transaction_session_timeout', '5s', true), pg_advisory_xact_lock($1), clock_timestamp() AS "now!""#,
            CLAIM_LOCK
        )
        .fetch_one(&mut *tx)
        .await?;
        let takes_over = steady.answered(to_millis(theirs.now), lease);
        fold(&mut tx, now, takes_over).await?;
        let claimed = in_turn!(
            r#"UPDATE deliveries SET owner = $2, lease_until = clock_timestamp() + make_interval(secs => $3), attempts = attempts + 1,
                   doubtful = doubtful OR state = 'sending', state = 'sending'
               WHERE id IN (
                   SELECT due.id FROM deliveries due
                   LEFT JOIN alerts ON alerts.id = due.alert_id
                   LEFT JOIN incidents ON incidents.id = alerts.incident_id
                   WHERE due.state IN ('pending', 'sending') AND due.held_partition IS NULL
                     AND ((due.state = 'pending' AND due.due_at <= $1) OR (due.state = 'sending' AND $6 AND due.lease_until <= clock_timestamp()))
                     AND due.channel_id <> ALL($4)
                     AND NOT EXISTS (SELECT 1 FROM channel_paces pace WHERE pace.channel_id = due.channel_id AND pace.until > clock_timestamp())"#,
            r#"ORDER BY due.due_at, due.sequence LIMIT $5 FOR UPDATE OF due SKIP LOCKED)
               RETURNING id"#,
            from_millis(now),
            owner,
            lease.as_secs_f64(),
            &busy,
            limit,
            takes_over,
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

    /// In how many milliseconds the next delivery can be claimed, as far as that is known at `now`: it falls due or loses its lease, and
    /// its channel may be written to; negative where that is past. What is held or waits behind another one does not count: that one's
    /// end is what it waits for.
    pub async fn next_delivery_due(&self, busy: &[ChannelId], now: Millis) -> Result<Option<Millis>, StoreError> {
        let busy: Vec<Uuid> = busy.iter().map(|channel| channel.0).collect();
        let next = in_turn!(
            // Each instant by the clock that set it.
            r#"SELECT (extract(epoch FROM min(GREATEST(
                   CASE WHEN due.state = 'sending' THEN due.lease_until - clock_timestamp() ELSE due.due_at - $2::timestamptz END,
                   pace.until - clock_timestamp()))) * 1000)::bigint
               FROM deliveries due
               LEFT JOIN alerts ON alerts.id = due.alert_id
               LEFT JOIN incidents ON incidents.id = alerts.incident_id
               LEFT JOIN channel_paces pace ON pace.channel_id = due.channel_id
               WHERE due.state IN ('pending', 'sending') AND due.held_partition IS NULL AND due.channel_id <> ALL($1)"#,
            "",
            &busy,
            from_millis(now),
        )
        .fetch_one(self.pool())
        .await?;
        Ok(next)
    }
}

/// All that the messages say, in the order in which they are due. A recovery whose beginning was given up, too, tells of both.
async fn read(tx: &mut Transaction, claimed: &[Uuid]) -> Result<Vec<ClaimedDelivery>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT d.id, COALESCE(d.alert_id, d.notice_id) AS "alert_id!", d.channel_id, d.kind, d.sequence, d.attempts, d.doubtful,
                   d.refused_since, d.created_at, d.earlier_times, d.earlier_ms,
                   d.tells_opening OR (d.kind = 'resolved' AND NOT EXISTS (
                       SELECT 1 FROM deliveries told WHERE told.incident_id = d.incident_id AND told.channel_id = d.channel_id
                         AND told.kind = 'opened' AND told.state = 'sent')) AS "tells_opening!",
                   COALESCE(a.at, n.at) AS "at!", a.traceparent AS "traceparent?", d.incident_id AS incident,
                   COALESCE(i.monitor_id, '00000000-0000-0000-0000-000000000000') AS "monitor_id!",
                   COALESCE(i.workspace_id, n.workspace_id) AS "workspace_id!",
                   COALESCE(i.monitor_name, n.region) AS "monitor_name!", COALESCE(i.target, n.region) AS "target!",
                   COALESCE(i.opened_at, n.since) AS "opened_at!", COALESCE(i.resolved_at, n.until) AS "resolved_at?",
                   COALESCE(i.cause, n.reason) AS "cause?", i.detail AS "detail?", COALESCE(i.regions, ARRAY[n.region]) AS "regions!",
                   i.acknowledged_by AS "acknowledged_by?", i.note AS "note?",
                   n.region AS "region?", n.slots_unknown AS "slots_unknown?",
                   parent.message_channel AS "parent_channel?", parent.message_ts AS "parent_ts?",
                   parent.message_set AS "parent_set?"
               FROM deliveries d
               LEFT JOIN alerts a ON a.id = d.alert_id
               LEFT JOIN incidents i ON i.id = a.incident_id
               LEFT JOIN notices n ON n.id = d.notice_id
               LEFT JOIN LATERAL (
                   SELECT p.message_channel, p.message_ts, p.message_set FROM deliveries p
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
            refused_since: row.refused_since.map(to_millis),
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
            parent_set: row.parent_set,
        })
        .collect())
}
