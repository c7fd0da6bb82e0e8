//! The one transaction: fence, states, incidents, alerts, deliveries, offsets.

use chrono::{DateTime, Utc};
use model::{ChannelId, IncidentId, Millis, MonitorId, WorkspaceId};
use uuid::Uuid;

use crate::{Store, StoreError, Transaction, from_millis};

/// How far a partition has come, under the epoch it was taken with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OffsetRow {
    pub partition: i32,
    pub epoch: i64,
    pub next_offset: i64,
    /// Up to when it is judged: the present, unless checks are due of which none came. By the alerter's clock; what lies in
    /// PostgreSQL's future counts as its present.
    pub judged: Millis,
}

#[derive(Debug, Clone, PartialEq)]
pub struct StateRow {
    pub monitor: MonitorId,
    pub partition: i32,
    /// `model::alerting::MonitorState` as JSON.
    pub state: serde_json::Value,
}

/// An incident as its last transition left it.
#[derive(Debug, Clone, PartialEq)]
pub struct IncidentRow {
    pub id: IncidentId,
    pub monitor: MonitorId,
    pub workspace: WorkspaceId,
    pub monitor_name: String,
    pub target: String,
    /// open, acknowledged or resolved.
    pub state: &'static str,
    pub sequence: i32,
    pub opened_at: Millis,
    pub resolved_at: Option<Millis>,
    pub cause: Option<&'static str>,
    pub detail: Option<String>,
    pub regions: Vec<String>,
    pub note: Option<&'static str>,
    /// When the alerter took note of the acknowledgement.
    pub acknowledged_at: Option<Millis>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct AlertRow {
    pub id: Uuid,
    pub incident: IncidentId,
    pub kind: &'static str,
    pub sequence: i32,
    pub slot: Millis,
    pub at: Millis,
    pub record_key: Vec<u8>,
    pub record: Vec<u8>,
    pub traceparent: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct DeliveryRow {
    pub id: Uuid,
    pub alert: Uuid,
    pub incident: IncidentId,
    pub channel: ChannelId,
    pub channel_kind: &'static str,
    pub channel_name: String,
    pub kind: &'static str,
    pub sequence: i32,
    pub due_at: Millis,
    /// The partition whose catching up it waits for.
    pub held_partition: Option<i32>,
}

/// Everything one commit writes.
#[derive(Debug, Clone)]
pub struct AlertingCommit<'a> {
    pub consumer: &'a str,
    pub topic: &'a str,
    pub owner: Uuid,
    pub now: Millis,
    /// When its deliveries are made, by the clock that all alerters share: a message's age is reckoned by that one.
    pub made_at: Millis,
    pub offsets: Vec<OffsetRow>,
    pub states: Vec<StateRow>,
    /// Monitors that are gone.
    pub forgotten: Vec<MonitorId>,
    pub incidents: Vec<IncidentRow>,
    pub alerts: Vec<AlertRow>,
    pub deliveries: Vec<DeliveryRow>,
    /// Partitions that have caught up: what was held for them may go.
    pub released: Vec<i32>,
}

/// What became of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Committed {
    Done,
    /// Nothing was written: these partitions belong to someone else by now.
    Fenced(Vec<i32>),
}

impl Store {
    /// Writes everything or nothing. May be repeated after an error of unknown outcome: the same
    /// commit twice is the same as once.
    pub async fn commit_alerting(&self, commit: &AlertingCommit<'_>) -> Result<Committed, StoreError> {
        let mut tx = self.begin().await?;
        let fenced = fence(&mut tx, commit.consumer, commit.topic, commit.owner, &commit.offsets).await?;
        if !fenced.is_empty() {
            tx.rollback().await?;
            return Ok(Committed::Fenced(fenced));
        }
        if !commit.states.is_empty() || !commit.forgotten.is_empty() {
            write_states(&mut tx, commit).await?;
        }
        if !commit.incidents.is_empty() {
            write_incidents(&mut tx, &commit.incidents).await?;
            write_alerts(&mut tx, &commit.alerts).await?;
        }
        if !commit.deliveries.is_empty() {
            write_deliveries(&mut tx, &commit.deliveries, commit.made_at).await?;
        }
        if !commit.released.is_empty() {
            sqlx::query!("UPDATE deliveries SET held_partition = NULL WHERE held_partition = ANY($1)", &commit.released)
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(Committed::Done)
    }
}

/// Moves the offsets, where they are still ours; returns the partitions that are not.
pub(crate) async fn fence(
    tx: &mut Transaction,
    consumer: &str,
    topic: &str,
    owner: Uuid,
    offsets: &[OffsetRow],
) -> Result<Vec<i32>, StoreError> {
    let partitions: Vec<i32> = offsets.iter().map(|row| row.partition).collect();
    let epochs: Vec<i64> = offsets.iter().map(|row| row.epoch).collect();
    let next: Vec<i64> = offsets.iter().map(|row| row.next_offset).collect();
    let judged: Vec<DateTime<Utc>> = offsets.iter().map(|row| from_millis(row.judged)).collect();
    let moved = sqlx::query_scalar!(
        r#"UPDATE consumer_offsets AS known SET next_offset = wanted.next_offset,
               updated_at = least(greatest(known.updated_at, wanted.judged), clock_timestamp())
           FROM UNNEST($3::int[], $4::bigint[], $5::bigint[], $7::timestamptz[]) AS wanted (partition, epoch, next_offset, judged)
           WHERE known.consumer = $1 AND known.topic = $2 AND known.partition = wanted.partition
             AND known.epoch = wanted.epoch AND known.owner = $6
           RETURNING known.partition"#,
        consumer,
        topic,
        &partitions,
        &epochs,
        &next,
        owner,
        &judged,
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(partitions.into_iter().filter(|partition| !moved.contains(partition)).collect())
}

async fn write_states(tx: &mut Transaction, commit: &AlertingCommit<'_>) -> Result<(), StoreError> {
    let ids: Vec<Uuid> = commit.states.iter().map(|row| row.monitor.0).collect();
    let partitions: Vec<i32> = commit.states.iter().map(|row| row.partition).collect();
    let states: Vec<serde_json::Value> = commit.states.iter().map(|row| row.state.clone()).collect();
    sqlx::query!(
        r#"INSERT INTO alert_states (monitor_id, partition, state, updated_at)
           SELECT monitor_id, partition, state, $4
           FROM UNNEST($1::uuid[], $2::int[], $3::jsonb[]) AS new (monitor_id, partition, state) ORDER BY monitor_id
           ON CONFLICT (monitor_id) DO UPDATE SET partition = EXCLUDED.partition, state = EXCLUDED.state, updated_at = EXCLUDED.updated_at"#,
        &ids,
        &partitions,
        &states,
        from_millis(commit.now),
    )
    .execute(&mut **tx)
    .await?;
    let gone: Vec<Uuid> = commit.forgotten.iter().map(|monitor| monitor.0).collect();
    if !gone.is_empty() {
        sqlx::query!("DELETE FROM alert_states WHERE monitor_id = ANY($1)", &gone).execute(&mut **tx).await?;
    }
    Ok(())
}

/// Few rows: transitions are rare, so one statement each keeps it plain.
async fn write_incidents(tx: &mut Transaction, incidents: &[IncidentRow]) -> Result<(), StoreError> {
    for row in incidents {
        sqlx::query!(
            r#"INSERT INTO incidents AS known (id, monitor_id, workspace_id, monitor_name, target, state, sequence, opened_at,
                   resolved_at, cause, detail, regions, note, acknowledged_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
               ON CONFLICT (id) DO UPDATE SET
                   monitor_name = EXCLUDED.monitor_name, target = EXCLUDED.target, state = EXCLUDED.state,
                   sequence = EXCLUDED.sequence, resolved_at = EXCLUDED.resolved_at, regions = EXCLUDED.regions,
                   note = EXCLUDED.note, acknowledged_at = COALESCE(EXCLUDED.acknowledged_at, known.acknowledged_at)
               WHERE known.sequence < EXCLUDED.sequence"#,
            row.id.0,
            row.monitor.0,
            row.workspace.0,
            row.monitor_name,
            row.target,
            row.state,
            row.sequence,
            from_millis(row.opened_at),
            row.resolved_at.map(from_millis),
            row.cause,
            row.detail,
            &row.regions,
            row.note,
            row.acknowledged_at.map(from_millis),
        )
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}

async fn write_alerts(tx: &mut Transaction, alerts: &[AlertRow]) -> Result<(), StoreError> {
    for row in alerts {
        sqlx::query!(
            r#"INSERT INTO alerts (id, incident_id, kind, sequence, slot, at, record_key, record, traceparent)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING"#,
            row.id,
            row.incident.0,
            row.kind,
            row.sequence,
            from_millis(row.slot),
            from_millis(row.at),
            row.record_key,
            row.record,
            row.traceparent,
        )
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}

async fn write_deliveries(tx: &mut Transaction, deliveries: &[DeliveryRow], made_at: Millis) -> Result<(), StoreError> {
    for row in deliveries {
        sqlx::query!(
            r#"INSERT INTO deliveries (id, alert_id, incident_id, channel_id, channel_kind, channel_name, kind, sequence, state,
                   due_at, held_partition, created_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'pending', $9, $10, $11) ON CONFLICT DO NOTHING"#,
            row.id,
            row.alert,
            row.incident.0,
            row.channel.0,
            row.channel_kind,
            row.channel_name,
            row.kind,
            row.sequence,
            from_millis(row.due_at),
            row.held_partition,
            from_millis(made_at),
        )
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}
