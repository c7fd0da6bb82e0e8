//! States that cannot be read: damaged, or written by a newer version before the partition came back to this one. What was told
//! of such a monitor stands in its last incident, so that one that is open is neither told twice nor left without an end.

use std::collections::HashMap;

use model::alerting::{Incident, MonitorState};
use model::{IncidentId, known_word};
use serde::Deserialize as _;
use uuid::Uuid;

use super::StoredState;
use crate::{Store, StoreError, to_millis};

/// A row of `alert_states`.
pub(super) struct Row {
    pub monitor_id: Uuid,
    pub partition: i32,
    pub state: serde_json::Value,
}

impl Store {
    /// The states of these rows. One that cannot be read begins anew from the monitor's last incident; without any, the monitor is
    /// judged as if it were new.
    pub(super) async fn read_states(&self, rows: Vec<Row>) -> Result<Vec<StoredState>, StoreError> {
        let (mut read, mut lost) = (Vec::with_capacity(rows.len()), HashMap::new());
        for Row { monitor_id, partition, state } in rows {
            match MonitorState::deserialize(state) {
                Ok(state) => read.push(StoredState { monitor: monitor_id.into(), partition, state }),
                Err(error) => {
                    tracing::error!(monitor = %monitor_id, %error, "alert_states holds what cannot be read; the monitor's last incident goes on, its checks are counted anew");
                    lost.insert(monitor_id, partition);
                }
            }
        }
        if !lost.is_empty() {
            read.extend(self.last_incidents(&lost).await?);
        }
        Ok(read)
    }

    async fn last_incidents(&self, lost: &HashMap<Uuid, i32>) -> Result<Vec<StoredState>, StoreError> {
        let monitors: Vec<Uuid> = lost.keys().copied().collect();
        let rows = sqlx::query!(
            r#"SELECT DISTINCT ON (monitor_id) id, monitor_id, state = 'resolved' AS "is_over!", sequence, opened_at, cause, detail, regions,
                      note, acknowledged_at,
                      (SELECT min(slot) FROM alerts WHERE incident_id = incidents.id AND kind = 'opened') AS opened,
                      (SELECT max(slot) FROM alerts WHERE incident_id = incidents.id AND kind = 'resolved') AS resolved
               FROM incidents WHERE monitor_id = ANY($1)
               ORDER BY monitor_id, state = 'resolved', opened_at DESC"#,
            &monitors,
        )
        .fetch_all(self.pool())
        .await?;
        let states = rows.into_iter().filter_map(|row| {
            let since = to_millis(row.opened_at);
            let incident = Incident {
                id: IncidentId(row.id),
                open: !row.is_over,
                acknowledged: row.acknowledged_at.is_some(),
                sequence: row.sequence.unsigned_abs(),
                opened: row.opened.map_or(since, to_millis),
                since,
                cause: row.cause.as_deref().and_then(known_word),
                detail: row.detail,
                // An end with a note is no recovery.
                closed: row.resolved.filter(|_| row.is_over && row.note.is_none()).map(to_millis),
            };
            let seen_in = row.regions.iter().filter_map(|region| region.parse().ok());
            let state = MonitorState::from_incident(incident, seen_in);
            Some(StoredState { monitor: row.monitor_id.into(), partition: *lost.get(&row.monitor_id)?, state })
        });
        Ok(states.collect())
    }
}
