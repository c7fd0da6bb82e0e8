//! How soon a transition is told: in peace, and when the alerter that would tell it is killed.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use model::MonitorId;
use system_tests::{Service, now};

use super::{Telling, verdict};
use crate::log::INTERVAL_MS;
use crate::row::Row;

/// What is promised of the median and of one in a hundred in peace, and of one in a hundred after a kill.
const HALF: Duration = Duration::from_millis(250);
const NEARLY_ALL: Duration = Duration::from_secs(1);
const FAILOVER: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_secs(40);
/// Transitions around one kill.
const AROUND: usize = 60;

/// So many transitions in peace, then so many kills, each amid a stream of transitions.
pub async fn latency(transitions: usize, kills: usize) -> Vec<Row> {
    let mut telling = Telling::start(2).await;
    let calm = telling.in_peace(transitions).await;
    let failover = telling.amid_kills(kills).await;
    vec![calm, failover]
}

impl Telling {
    async fn in_peace(&self, transitions: usize) -> Row {
        let began = Instant::now();
        let mut row = Row::new("28", "no fault: one target after another falls", "from the result to the POST: p50 < 250 ms, p99 < 1 s");
        // Nothing is held back any more once one was told.
        let first = self.monitors("first ", 1).await.into_values().map(|id| (id.to_string(), id)).collect::<BTreeMap<_, _>>();
        // The alerters hear of it.
        tokio::time::sleep(Duration::from_secs(2)).await;
        for id in first.values() {
            self.fall(*id).await;
        }
        self.times(&first.into_keys().map(|id| (id, began)).collect(), &mut row).await;
        let mut written = BTreeMap::new();
        for id in self.monitors("calm ", transitions).await.into_values() {
            row.trials += 1;
            written.insert(id.to_string(), Instant::now());
            self.fall(id).await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let times = self.times(&written, &mut row).await;
        for _ in &times {
            row.exposed("told");
        }
        let (half, nearly_all) = (at(&times, 50), at(&times, 99));
        row.require(half < HALF && nearly_all < NEARLY_ALL, || format!("p50 {half:?}, p99 {nearly_all:?}"));
        row.compared = format!("{} transitions, p50 {} ms, p99 {} ms", times.len(), half.as_millis(), nearly_all.as_millis());
        row.took = began.elapsed();
        eprintln!("  latency: {}", row.compared);
        row
    }

    async fn amid_kills(&mut self, kills: usize) -> Row {
        let began = Instant::now();
        let mut row = Row::new("28b", "one of two alerters is killed amid transitions", "each is told, 99 of 100 within 10 s");
        let (mut all, mut longest_of) = (Vec::new(), Vec::new());
        for kill in 0..kills {
            row.trials += 1;
            let victim = kill % 2;
            let mut written = BTreeMap::new();
            for (n, id) in self.monitors(&format!("kill {kill} "), AROUND).await.into_values().enumerate() {
                if n == AROUND / 3 {
                    self.mesh.kill9(Service::Alerter, victim);
                }
                written.insert(id.to_string(), Instant::now());
                self.fall(id).await;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            let times = self.times(&written, &mut row).await;
            longest_of.push(at(&times, 100).as_millis());
            if at(&times, 100) > NEARLY_ALL {
                row.exposed("partitions of the dead");
            }
            all.extend(times);
            self.mesh.restart(Service::Alerter, victim);
            self.mesh.ready_one(Service::Alerter, victim).await;
            // Both have partitions again.
            tokio::time::sleep(Duration::from_secs(4)).await;
        }
        all.sort_unstable();
        let nearly_all = at(&all, 99);
        row.require(nearly_all < FAILOVER, || format!("p99 {nearly_all:?}"));
        row.compared = format!("{} transitions, p99 {} ms, longest of each kill {longest_of:?} ms", all.len(), nearly_all.as_millis());
        row.took = began.elapsed();
        eprintln!("  latency: {}", row.compared);
        row
    }

    /// A target that was up goes down.
    async fn fall(&self, id: MonitorId) {
        let slot = now() - INTERVAL_MS;
        self.writer.results(&[verdict(id, slot, true), verdict(id, slot + INTERVAL_MS, false)]).await;
    }

    /// How long each took to be told, the shortest first.
    async fn times(&self, written: &BTreeMap<String, Instant>, row: &mut Row) -> Vec<Duration> {
        let began = Instant::now();
        loop {
            let told = self.told();
            let time = |(id, at): (&String, &Instant)| Some(told.get(id)?.first()?.at.saturating_duration_since(*at));
            let mut times: Vec<Duration> = written.iter().filter_map(time).collect();
            if times.len() == written.len() || began.elapsed() > PATIENCE {
                row.require(times.len() == written.len(), || format!("I7, {} are not told", written.len() - times.len()));
                times.sort_unstable();
                return times;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// The percentile of sorted times.
fn at(times: &[Duration], percent: usize) -> Duration {
    times.get((times.len() * percent / 100).min(times.len().saturating_sub(1))).copied().unwrap_or(Duration::MAX)
}
