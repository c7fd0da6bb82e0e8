//! Taking partitions and letting them go.

use std::collections::HashMap;
use std::time::Duration;

use kafka::{Assignment, Revocation};
use store::StoreError;

use super::{GROUP, Loop};

impl Loop {
    /// Takes the partitions in PostgreSQL (which fences whoever had them), loads their states, and
    /// starts where these end. What the group took back while PostgreSQL was away is another's: it is not taken from it.
    pub(super) async fn assigned(&mut self, assignment: Assignment) -> Result<(), service::Error> {
        let partitions: Vec<i32> = assignment.partitions().iter().map(|(_, partition)| *partition).collect();
        let Some(cluster_id) = self.cluster_id().await else { return Ok(()) };
        let owner = self.judge.owner;
        let store = self.judge.store.clone();
        let topic = self.judge.topic.clone();
        let taken = self
            .patiently("partitions are not taken over yet", || async {
                if !assignment.stands() {
                    return Ok(None);
                }
                let taken = store.take_partitions(GROUP, &topic, &partitions, &cluster_id, owner).await?;
                Ok(Some((taken, store.alert_states_of(&partitions).await?)))
            })
            .await?;
        let Some((taken, states)) = taken.flatten() else { return Ok(()) };
        self.fenced.retain(|partition| !partitions.contains(partition));
        service::crash_point!("alerter::taken");
        let offsets: HashMap<_, _> = assignment
            .partitions()
            .iter()
            .filter_map(|partition| Some((partition.clone(), taken.iter().find(|one| one.partition == partition.1)?.next_offset)))
            .collect();
        tracing::info!(?taken, states = states.len(), "partitions taken");
        // Who reads other partitions in the present takes over from one that died or left, not after an absence of the log: these
        // are there, too, unless what they bring is of long ago. Where a log ends, Kafka's client tells every few seconds only.
        let is_present = self.desk.is_present();
        self.desk.open(taken, states);
        for partition in partitions.iter().filter(|_| is_present) {
            self.present(*partition);
        }
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
        self.give_up(&partitions);
        self.fenced.retain(|partition| !partitions.contains(partition));
        tracing::info!(?partitions, "partitions given up");
        revocation.done();
        Ok(())
    }

    /// Forgets everything of these partitions that is not committed.
    pub(super) fn give_up(&mut self, partitions: &[i32]) {
        self.desk.shut(partitions);
        self.strangers.shut(partitions);
        self.announcements.retain(|one| !partitions.contains(&one.partition));
        self.released.retain(|partition| !partitions.contains(partition));
        self.behind.retain(|partition, _| !partitions.contains(partition));
    }

    /// A partition that another alerter took, though the group still gives it to us: one of the two heard late of a rebalance,
    /// and the group says nothing more to either. Only it knows whose the partition is, so we join it anew: whoever gets the
    /// partition takes it. Taken back without asking, it would go to and fro between the two.
    pub(super) async fn join_anew_where_fenced(&mut self) -> Result<(), service::Error> {
        if self.fenced.is_empty() {
            return Ok(());
        }
        let given = self.consumer.assigned();
        self.fenced.retain(|fenced| given.iter().any(|(_, partition)| partition == fenced));
        if self.fenced.is_empty() {
            return Ok(());
        }
        tracing::warn!(partitions = ?self.fenced, "fenced where the group gives us the partition; joining it anew");
        // What is ours beyond doubt need not be judged twice.
        self.commit().await?;
        self.give_up(&self.desk.partitions());
        self.consumer.rejoin().await?;
        self.fenced.clear();
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
