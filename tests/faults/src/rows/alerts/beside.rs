//! Another alerter lives beside the one that dies again and again: it gets its partitions each time, gives some of them to the next, and
//! takes over what the dead held in doubt once that claim has run out by itself.

use std::time::{Duration, Instant};

use system_tests::Service;

use super::Alerts;
use crate::victim::Victim;

/// The other one.
const OTHER: Victim = Victim { service: Service::Alerter, replica: 1 };
const PATIENCE: Duration = Duration::from_secs(10);

/// What it saw.
#[derive(Debug, Default)]
pub(super) struct Beside {
    /// How often partitions were taken until it came; none while it is not there.
    taken_before: Option<i64>,
    /// How often partitions were taken while it was there.
    pub moves: u64,
    /// Of alerters beside it, at the points they were armed at.
    pub deaths: u64,
}

impl Beside {
    pub fn is_there(&self) -> bool {
        self.taken_before.is_some()
    }
}

impl Alerts {
    /// Comes, and has all partitions.
    pub(super) async fn begin_beside(&mut self) {
        OTHER.start(&mut self.mesh, None);
        self.mesh.ready_one(OTHER.service, OTHER.replica).await;
        self.beside.taken_before = Some(self.taken().await);
    }

    /// Dies as the others did, at any moment; what it held is for the next.
    pub(super) async fn end_beside(&mut self) {
        let Some(before) = self.beside.taken_before else { return };
        // What the last one left is taken over: the group gives all of it to the one that lives.
        let began = Instant::now();
        while self.owners().await > 1 && began.elapsed() < PATIENCE {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        if self.owners().await > 1 {
            self.unasked.push("partitions of a dead alerter are not taken over after 10 s by the one beside it".to_owned());
        }
        self.beside.moves += (self.taken().await - before).unsigned_abs();
        self.beside.taken_before = None;
        if let Some(status) = self.mesh.ended(OTHER.service, OTHER.replica) {
            let tail = self.mesh.tail(OTHER.service, OTHER.replica, 10);
            self.unasked.push(format!("the alerter beside the dying ones ended with {status} (I12): {tail}"));
        } else {
            self.mesh.kill9(OTHER.service, OTHER.replica);
        }
        self.deaths.push(Instant::now());
        self.killed += 1;
        OTHER.bury(&self.mesh).await;
    }

    /// Who of the group lives while the one that is to die is not in it yet.
    pub(super) async fn living(&self) -> Vec<String> {
        if self.beside.is_there() { OTHER.group(&self.mesh).await } else { Vec::new() }
    }

    /// How often partitions were taken so far, by whomever.
    async fn taken(&self) -> i64 {
        self.count("SELECT coalesce(sum(epoch), 0)::bigint FROM consumer_offsets WHERE consumer = 'alerter'").await
    }

    async fn owners(&self) -> i64 {
        self.count("SELECT count(DISTINCT owner) FROM consumer_offsets WHERE consumer = 'alerter'").await
    }

    async fn count(&self, sql: &'static str) -> i64 {
        let pool = self.mesh.stack.database().await.store.pool();
        sqlx::query_scalar(sql).fetch_one(pool).await.expect("a count")
    }
}
