//! Taking partitions and letting them go.

use std::collections::HashMap;
use std::time::Duration;

use kafka::{Assignment, Revocation};
use store::StoreError;

use super::{GROUP, Loop};

impl Loop {
    /// Takes the partitions in PostgreSQL (which fences whoever had them), loads their states, and
    /// starts where these end.
    pub(super) async fn assigned(&mut self, assignment: Assignment) -> Result<(), service::Error> {
        let partitions: Vec<i32> = assignment.partitions().iter().map(|(_, partition)| *partition).collect();
        let Some(cluster_id) = self.cluster_id().await else { return Ok(()) };
        let owner = self.judge.owner;
        let now = self.judge.clock.now_ms();
        let store = self.judge.store.clone();
        let topic = self.judge.topic.clone();
        let taken = self
            .patiently("partitions are not taken over yet", || async {
                let taken = store.take_partitions(GROUP, &topic, &partitions, &cluster_id, owner, now).await?;
                Ok((taken, store.alert_states_of(&partitions).await?))
            })
            .await?;
        let Some((taken, states)) = taken else { return Ok(()) };
        service::crash_point!("alerter::taken");
        let offsets: HashMap<_, _> = assignment
            .partitions()
            .iter()
            .filter_map(|partition| Some((partition.clone(), taken.iter().find(|one| one.partition == partition.1)?.next_offset)))
            .collect();
        tracing::info!(?taken, states = states.len(), "partitions taken");
        self.desk.open(taken, states);
        let decided = self.reconcile();
        self.judge.directory.wake();
        assignment.start(offsets);
        self.announce(decided).await?;
        self.show();
        Ok(())
    }

    /// Commits what is judged, then forgets it: the next owner reads it from PostgreSQL.
    pub(super) async fn revoked(&mut self, revocation: Revocation) -> Result<(), service::Error> {
        let partitions: Vec<i32> = revocation.partitions().iter().map(|(_, partition)| *partition).collect();
        if !revocation.is_lost() && (self.desk.is_dirty() || !self.announcements.is_empty()) {
            // What cannot be committed in time is judged again by the next owner.
            if let Ok(committed) = tokio::time::timeout(Duration::from_secs(4), self.commit()).await {
                committed?;
            } else {
                tracing::warn!(?partitions, "revoked before the last commit; the next owner judges it again");
            }
        }
        self.desk.shut(&partitions);
        self.strangers.shut(&partitions);
        self.announcements.retain(|one| !partitions.contains(&one.partition));
        self.released.retain(|partition| !partitions.contains(partition));
        tracing::info!(?partitions, "partitions given up");
        revocation.done();
        Ok(())
    }

    /// The cluster's identity; `None` at shutdown.
    async fn cluster_id(&mut self) -> Option<String> {
        let shutdown = self.judge.ctx.shutdown().clone();
        while self.cluster_id.is_none() && !shutdown.is_cancelled() {
            match self.consumer.cluster_id().await {
                Ok(id) => self.cluster_id = Some(id),
                Err(error) => {
                    tracing::warn!(%error, "the cluster does not tell its identity yet");
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
            }
        }
        self.cluster_id.clone()
    }

    /// Repeats what PostgreSQL may do later, until it does or the service stops (`None`).
    pub(super) async fn patiently<T, F, Fut>(&self, what: &str, mut work: F) -> Result<Option<T>, service::Error>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T, StoreError>>,
    {
        let shutdown = self.judge.ctx.shutdown();
        let mut pause = Duration::from_millis(100);
        loop {
            match work().await {
                Ok(done) => return Ok(Some(done)),
                Err(error) if error.is_retryable() => {
                    tracing::warn!(%error, "{what}; the log waits");
                    tokio::select! {
                        () = shutdown.cancelled() => return Ok(None),
                        () = tokio::time::sleep(pause) => {}
                    }
                    pause = (pause * 2).min(Duration::from_secs(3));
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}
