//! What is over before it was told: folded into the message that follows, so that a person reads of it once.

use model::Millis;

use crate::{StoreError, Transaction, from_millis};

/// Deliveries that one statement folds: it is to end well within its time limit.
const FOLD: i64 = 2_000;

/// Folds all that can be. Of an hour's absence there may be many; none of them is to be told by itself. What another sender has
/// claimed is only folded if that claim ran out and `takes_over`.
pub(super) async fn fold(tx: &mut Transaction, now: Millis, takes_over: bool) -> Result<(), StoreError> {
    while fold_what_is_over(tx, now, takes_over).await? > 0 {}
    while fold_earlier_incidents(tx, now).await? > 0 {}
    Ok(())
}

/// A beginning that was never sent and is over by now is told by the recovery's message. Returns how many were folded.
async fn fold_what_is_over(tx: &mut Transaction, now: Millis, takes_over: bool) -> Result<i64, StoreError> {
    let found = sqlx::query_scalar!(
        r#"WITH over AS (
               SELECT early.id, late.id AS by FROM deliveries early
               JOIN deliveries late ON late.incident_id = early.incident_id AND late.channel_id = early.channel_id
                 AND late.sequence > early.sequence AND late.kind = 'resolved' AND late.state = 'pending' AND late.held_partition IS NULL
               WHERE (early.state = 'pending' OR (early.state = 'sending' AND $3 AND early.lease_until <= clock_timestamp()))
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
        takes_over,
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(found)
}

/// Incidents of a monitor that were over before anything of them was sent (an outage of ours or of the
/// channel) are told by the monitor's next message: how many, and how long in all. What ended with a note is
/// left alone, as not every channel tells it. Returns how many were folded.
async fn fold_earlier_incidents(tx: &mut Transaction, now: Millis) -> Result<i64, StoreError> {
    let folded = sqlx::query_scalar!(
        r#"WITH untold AS (
               SELECT d.id, d.kind = 'resolved' AND NOT d.doubtful AS folds, (extract(epoch FROM i.resolved_at - i.opened_at) * 1000)::bigint AS ms,
                   first_value(d.id) OVER (PARTITION BY i.monitor_id, d.channel_id ORDER BY i.opened_at DESC, d.kind) AS last
               FROM deliveries d JOIN alerts a ON a.id = d.alert_id JOIN incidents i ON i.id = a.incident_id
               WHERE d.state = 'pending' AND d.held_partition IS NULL AND (d.kind = 'opened' OR (d.kind = 'resolved' AND d.tells_opening))
                 AND i.note IS NULL),
           -- The limit counts what folds: what does not must never take its room.
           early AS (SELECT id, last, COALESCE(ms, 0) AS ms FROM untold WHERE folds AND id <> last ORDER BY last LIMIT $2),
           ours AS (
               SELECT id FROM deliveries WHERE id IN (SELECT id FROM early UNION SELECT last FROM early) AND state = 'pending'
               FOR UPDATE SKIP LOCKED),
           folded AS (
               UPDATE deliveries SET state = 'folded', due_at = $1 FROM early
               WHERE deliveries.id = early.id AND early.id IN (SELECT id FROM ours) AND early.last IN (SELECT id FROM ours)
               RETURNING early.last, earlier_times + 1 AS times, earlier_ms + early.ms AS ms),
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
