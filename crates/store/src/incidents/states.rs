//! Taking partitions over, with the states that go with them.

use model::alerting::MonitorState;
use model::{ChannelId, IncidentId, Millis, MonitorId, WorkspaceId};
use uuid::Uuid;

use crate::error::set_aside;
use crate::{Store, StoreError};

/// A partition that is now ours, until someone else takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenPartition {
    pub partition: i32,
    /// Where to go on; 0 where nothing is known.
    pub next_offset: i64,
    /// Commits must carry it.
    pub epoch: i64,
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
                   cluster_id = EXCLUDED.cluster_id
               RETURNING partition, next_offset, epoch"#,
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

    /// How long ago it was, in ms by PostgreSQL's clock, up to which every partition is judged, whoever has it or nobody.
    /// None before any was taken.
    pub async fn unjudged_for(&self, consumer: &str, topic: &str) -> Result<Option<Millis>, StoreError> {
        // Of a log that is no more nothing is to be judged.
        let age = sqlx::query_scalar!(
            r#"SELECT (extract(epoch FROM now() - min(updated_at)) * 1000)::bigint FROM consumer_offsets
               WHERE consumer = $1 AND topic = $2 AND cluster_id = (
                   SELECT cluster_id FROM consumer_offsets WHERE consumer = $1 AND topic = $2 ORDER BY updated_at DESC LIMIT 1)"#,
            consumer,
            topic,
        )
        .fetch_one(self.pool())
        .await?;
        Ok(age)
    }

    /// The states last committed from these partitions.
    pub async fn alert_states_of(&self, partitions: &[i32]) -> Result<Vec<StoredState>, StoreError> {
        let rows = sqlx::query!("SELECT monitor_id, partition, state FROM alert_states WHERE partition = ANY($1)", partitions)
            .fetch_all(self.pool())
            .await?;
        Ok(rows.into_iter().filter_map(|row| stored(row.monitor_id, row.partition, row.state)).collect())
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
        let rows = sqlx::query!("SELECT monitor_id, partition, state FROM alert_states WHERE monitor_id = ANY($1)", &ids)
            .fetch_all(self.pool())
            .await?;
        Ok(rows.into_iter().filter_map(|row| stored(row.monitor_id, row.partition, row.state)).collect())
    }
}

/// None where it cannot be read: then the monitor is judged as if it were new.
fn stored(monitor: Uuid, partition: i32, state: serde_json::Value) -> Option<StoredState> {
    let state = serde_json::from_value(state).map_err(|error| set_aside("alert_states", monitor, error)).ok()?;
    Some(StoredState { monitor: monitor.into(), partition, state })
}
