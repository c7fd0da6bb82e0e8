//! Taking partitions over, with the states that go with them.

use model::alerting::MonitorState;
use model::{ChannelId, IncidentId, Millis, MonitorId, WorkspaceId};
use uuid::Uuid;

use super::lost::Row;
use crate::{Store, StoreError};

/// A partition that is now ours, until someone else takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenPartition {
    pub partition: i32,
    /// Where to go on; 0 where nothing is known.
    pub next_offset: i64,
    /// Commits must carry it.
    pub epoch: i64,
    /// Up to when it is judged, by PostgreSQL's clock; 0 where it never was.
    pub judged: Millis,
}

/// How far all partitions of a log are judged, whoever has them or nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JudgedThrough {
    /// The instant, by PostgreSQL's clock.
    pub at: Millis,
    /// How long ago that was by the same clock, in ms.
    pub age: Millis,
}

/// A monitor's state as it was committed.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredState {
    pub monitor: MonitorId,
    pub partition: i32,
    pub state: MonitorState,
}

/// What an incident tells of a monitor that is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncidentSubject {
    pub workspace: WorkspaceId,
    pub monitor_name: String,
    pub target: String,
    /// Where it was told, or is to be.
    pub channels: Vec<ChannelId>,
}

impl Store {
    /// Takes partitions: from now on, commits of their former owners change nothing. Offsets of another
    /// cluster (a log that started anew) are set back to the beginning.
    pub async fn take_partitions(
        &self,
        consumer: &str,
        topic: &str,
        partitions: &[i32],
        cluster_id: &str,
        owner: Uuid,
    ) -> Result<Vec<TakenPartition>, StoreError> {
        let rows = sqlx::query_as!(
            TakenPartition,
            r#"INSERT INTO consumer_offsets AS known (consumer, topic, partition, cluster_id, next_offset, owner, epoch, updated_at)
               SELECT $1, $2, partition, $4, 0, $5, 1, to_timestamp(0) FROM UNNEST($3::int[]) AS taken (partition) ORDER BY partition
               ON CONFLICT (consumer, topic, partition) DO UPDATE SET
                   owner = EXCLUDED.owner,
                   epoch = known.epoch + 1,
                   next_offset = CASE WHEN known.cluster_id = EXCLUDED.cluster_id THEN known.next_offset ELSE 0 END,
                   cluster_id = EXCLUDED.cluster_id,
                   updated_at = least(known.updated_at, clock_timestamp())
               RETURNING partition, next_offset, epoch, (extract(epoch FROM updated_at) * 1000)::bigint AS "judged!""#,
            consumer,
            topic,
            partitions,
            cluster_id,
            owner,
        )
        .fetch_all(self.pool())
        .await?;
        Ok(rows)
    }

    /// Up to when every partition is judged, whoever has it or nobody. None before any was taken.
    pub async fn judged_through(&self, consumer: &str, topic: &str) -> Result<Option<JudgedThrough>, StoreError> {
        // Of a log that is no more nothing is to be judged. Who judges on writes no instant that is still to come: such a row was
        // left by a clock that was ahead, so it says neither that somebody judges nor which log is the present one.
        let row = sqlx::query!(
            r#"WITH known AS (
                   SELECT cluster_id, updated_at, updated_at > clock_timestamp() + interval '1 minute' AS ahead
                   FROM consumer_offsets WHERE consumer = $1 AND topic = $2)
               SELECT (extract(epoch FROM min(CASE WHEN ahead THEN to_timestamp(0) ELSE updated_at END)) * 1000)::bigint AS at,
                      (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS "now!"
               FROM known WHERE cluster_id = (SELECT cluster_id FROM known ORDER BY ahead, updated_at DESC LIMIT 1)"#,
            consumer,
            topic,
        )
        .fetch_one(self.pool())
        .await?;
        Ok(row.at.map(|at| JudgedThrough { at, age: (row.now - at).max(0) }))
    }

    /// The states last committed from these partitions.
    pub async fn alert_states_of(&self, partitions: &[i32]) -> Result<Vec<StoredState>, StoreError> {
        let rows = sqlx::query_as!(Row, "SELECT monitor_id, partition, state FROM alert_states WHERE partition = ANY($1)", partitions)
            .fetch_all(self.pool())
            .await?;
        self.read_states(rows).await
    }

    /// Whom an incident concerns, for a monitor that is gone.
    pub async fn incident_subject(&self, incident: IncidentId) -> Result<Option<IncidentSubject>, StoreError> {
        let row = sqlx::query!(
            r#"SELECT workspace_id, monitor_name, target,
                      ARRAY(SELECT DISTINCT channel_id FROM deliveries WHERE incident_id = incidents.id) AS "channels!"
               FROM incidents WHERE id = $1"#,
            incident.0,
        )
        .fetch_optional(self.pool())
        .await?;
        Ok(row.map(|row| IncidentSubject {
            workspace: row.workspace_id.into(),
            monitor_name: row.monitor_name,
            target: row.target,
            channels: row.channels.into_iter().map(ChannelId).collect(),
        }))
    }

    /// The states of these monitors, wherever they were committed from.
    pub async fn alert_states(&self, monitors: &[MonitorId]) -> Result<Vec<StoredState>, StoreError> {
        let ids: Vec<Uuid> = monitors.iter().map(|monitor| monitor.0).collect();
        let rows = sqlx::query_as!(Row, "SELECT monitor_id, partition, state FROM alert_states WHERE monitor_id = ANY($1)", &ids)
            .fetch_all(self.pool())
            .await?;
        self.read_states(rows).await
    }
}
