//! Kafka is away for as many results as half an hour has: checks go on, results wait within the spool's
//! bound, the oldest steady successes are given up first, each as a recorded gap, and all of it is drained
//! fast and in order.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use model::{Cause, CheckResult, Millis, Outcome, Slot};
use system_tests::{Broker, Farm, Mesh, Plan, Service, monitor, now};
use testkit::FakeSlack;
use uuid::Uuid;

use crate::history::until_told;
use crate::log::{INTERVAL_MS, read_all};
use crate::row::Row;
use crate::seed::Seed;

/// At 10 s, for two and a half minutes: what 300 monitors at 60 s give in half an hour.
const MONITORS: usize = 600;
const AWAY: Duration = Duration::from_secs(150);
const SPOOL_MB: u64 = 2;
/// Down and up again early in the outage; down from then on.
const OVER: usize = 8;
const STAYS: usize = 8;
const LATER: Duration = Duration::from_secs(120);

struct Outage {
    mesh: Mesh,
    broker: Broker,
    farm: Farm,
    slack: FakeSlack,
    /// By id.
    names: BTreeMap<Uuid, String>,
    over: Vec<String>,
    stays: Vec<String>,
    _directory: tempfile::TempDir,
}

pub async fn run(seed: &Seed) -> Vec<Row> {
    let began = Instant::now();
    let mut row = Row::new(
        "8",
        "Kafka away for the results of half an hour (150 s at 60 a second), 2 MB of spool",
        "≥ 99.9 % of slots checked; spool within its bound, oldest steady successes first, each a recorded gap; \
         drained in order at ≥ 20 × real time; at most one message per monitor; no slot absent",
    );
    let mut outage = Outage::start(seed.branch("outage")).await;
    outage.break_and_heal(&mut row).await;
    row.took = began.elapsed();
    eprintln!("  outage: {}", row.compared);
    vec![row]
}

impl Outage {
    async fn start(mut seed: Seed) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let broker = Broker::start(directory.path()).await;
        let (farm, slack) = (Farm::start().await, FakeSlack::start().await);
        let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let plan = Plan {
            slack: Some(slack.webhook_url()),
            kafka: Some(broker.address()),
            settings: vec![set("SPOOL_MB", &SPOOL_MB.to_string()), set("FLUSH_SECONDS", "1"), set("RUST_LOG", "warn")],
            ..Plan::default()
        };
        let mesh = Mesh::start(plan).await;
        let api = mesh.login().await;
        let wanted = (0..MONITORS).map(|n| format!("o{n}")).map(|name| monitor(&name, &farm.url(&name)));
        let names = api.create_all(wanted).await;
        let mut chosen: Vec<String> = names.values().cloned().collect();
        seed.shuffle(&mut chosen);
        let (over, stays) = (chosen[..OVER].to_vec(), chosen[OVER..OVER + STAYS].to_vec());
        Self { mesh, broker, farm, slack, names, over, stays, _directory: directory }
    }

    async fn break_and_heal(&mut self, row: &mut Row) {
        row.trials += 1;
        testkit::eventually("every target is checked", LATER, || async {
            self.names.values().all(|name| !self.farm.visits(name).is_empty()).then_some(())
        })
        .await;
        tokio::time::sleep(Duration::from_secs(5)).await;
        let spool = PathBuf::from(self.mesh.setting(Service::Pinger, 0, "SPOOL_DIR").expect("a spool"));
        self.broker.stop();
        let (stopped, began) = (now(), Instant::now());
        let mut most = 0;
        let mut turned = 0;
        while began.elapsed() < AWAY {
            if turned == 0 && began.elapsed() > Duration::from_secs(2) {
                self.over.iter().chain(&self.stays).for_each(|name| self.farm.set_down(name, true));
                turned = 1;
            } else if turned == 1 && began.elapsed() > Duration::from_secs(16) {
                self.over.iter().for_each(|name| self.farm.set_down(name, false));
                turned = 2;
            }
            most = most.max(bytes_in(&spool));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let waiting = self.mesh.metric(Service::Pinger, 0, "upmesh_pinger_spool_records").await.unwrap_or(0.0);
        let resumed = now();
        self.broker.resume().await;
        let began = Instant::now();
        while self.mesh.metric(Service::Pinger, 0, "upmesh_pinger_spool_records").await != Some(0.0) && began.elapsed() < LATER {
            most = most.max(bytes_in(&spool));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        if waiting > 0.0 {
            row.exposed("results waited on disk");
        }
        let limit = SPOOL_MB * 1024 * 1024;
        row.require(most <= limit, || format!("the spool took {most} bytes, it may take {limit}"));
        row.compared = format!("{waiting} results waited in at most {most} bytes; ");
        self.compare(stopped, resumed, row).await;
        if let Some(status) = self.mesh.ended(Service::Pinger, 0) {
            row.violated(format!("I12, the pinger ended with {status}"));
        }
    }

    async fn compare(&self, stopped: Millis, resumed: Millis, row: &mut Row) {
        let (from, to) = (stopped + 1000, resumed - 2000);
        self.compare_checks(from, to, row).await;
        let mut results = Vec::new();
        for message in read_all(&self.mesh.kafka, &self.mesh.stack.topics().results).await {
            match events::decode_result(message.key.as_deref(), message.value.as_deref()) {
                Ok(result) if (from..to).contains(&result.slot) => results.push((message.timestamp_ms, result)),
                Ok(_) => {}
                Err(error) => row.violated(format!("a result cannot be read: {error}")),
            }
        }
        compare_drain(&results, (from, to), row);
        compare_gaps(&results, row);
        self.compare_messages(row).await;
    }

    /// Every slot of the outage was checked when it was due, and is told: up, down, or given up.
    async fn compare_checks(&self, from: Millis, to: Millis, row: &mut Row) {
        let pool = self.mesh.stack.database().await.store.pool().clone();
        let region: model::Region = "local".parse().expect("a region");
        let (mut due, mut run) = (Vec::new(), 0);
        for (id, name) in &self.names {
            let visits = self.farm.visits(name);
            for slot in model::Schedule::new(model::MonitorId(*id), &region, INTERVAL_MS).slots(from, to) {
                due.push((*id, slot));
                run += usize::from(visits.iter().any(|visit| (slot - 5..slot + INTERVAL_MS).contains(&visit.at)));
            }
        }
        row.require(run * 1000 >= due.len() * 999, || format!("{run} of {} slots were checked while Kafka was away", due.len()));
        let told = until_told(&pool, &due, Duration::from_secs(30)).await;
        let absent = due.iter().filter(|place| !told.contains_key(place)).count();
        row.require(absent == 0, || format!("I10, {absent} of {} slots are absent", due.len()));
        row.compared = format!("{}{run} of {} slots checked; ", row.compared, due.len());
    }

    /// One message for what is down, one that tells all of what is over, none about others.
    async fn compare_messages(&self, row: &mut Row) {
        let told = |name: &str| {
            let id = self.names.iter().find(|(_, known)| *known == name).map(|(id, _)| id.to_string()).unwrap_or_default();
            self.slack.taken().iter().filter(|post| post.body.to_string().contains(&id)).count()
        };
        let began = Instant::now();
        while self.stays.iter().chain(&self.over).any(|name| told(name) == 0) && began.elapsed() < Duration::from_secs(40) {
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        tokio::time::sleep(Duration::from_secs(5)).await;
        for name in self.stays.iter().chain(&self.over) {
            row.require(told(name) == 1, || format!("{name} was told {} times", told(name)));
        }
        let named =
            self.names.iter().filter(|(id, _)| self.slack.taken().iter().any(|post| post.body.to_string().contains(&id.to_string())));
        row.require(named.count() == OVER + STAYS, || "monitors that were up all the time were told of".to_owned());
        row.compared = format!("{}{} messages about {} monitors", row.compared, self.slack.taken().len(), OVER + STAYS);
    }
}

/// In order for each monitor, and twenty times as fast as it came.
fn compare_drain(results: &[(Millis, CheckResult)], (from, to): (Millis, Millis), row: &mut Row) {
    let (first, last) = results.iter().fold((Millis::MAX, 0), |(first, last), (at, _)| (first.min(*at), last.max(*at)));
    let took = (last - first).max(1);
    let times = (to - from) / took;
    row.require(times >= 20, || format!("{} results drained in {took} ms, {times} times real time", results.len()));
    let mut newest: BTreeMap<Uuid, Slot> = BTreeMap::new();
    let mut back = 0;
    for (_, result) in results {
        let before = newest.insert(result.monitor.0, result.slot);
        back += usize::from(before.is_some_and(|before| before > result.slot));
    }
    row.require(back == 0, || format!("{back} results came after a later one of their monitor"));
    row.compared = format!("{}{} drained in {took} ms, {times} × real time; ", row.compared, results.len());
}

/// What was given up is steady, and the oldest: only what was in the file on its way to Kafka is older.
fn compare_gaps(results: &[(Millis, CheckResult)], row: &mut Row) {
    let evicted = |result: &CheckResult| result.outcome == Outcome::Missed && result.cause == Some(Cause::Evicted);
    let mut gaps: Vec<Slot> = results.iter().filter(|(_, result)| evicted(result)).map(|(_, result)| result.slot).collect();
    let mut kept: Vec<Slot> = results.iter().filter(|(_, result)| result.outcome == Outcome::Up).map(|(_, result)| result.slot).collect();
    gaps.sort_unstable();
    kept.sort_unstable();
    if !gaps.is_empty() {
        row.exposed("the spool was full");
    }
    let downs = results.iter().filter(|(_, result)| result.outcome == Outcome::Down).count();
    row.require(downs >= OVER + STAYS * 10, || format!("of the failures only {downs} are left"));
    // A file is an eighth of the spool, and checks of one instant end in any order.
    let newest_gap = gaps.last().copied().unwrap_or(0);
    let older = kept.iter().filter(|slot| **slot < newest_gap - 1000).count();
    let of_a_file = usize::try_from(SPOOL_MB * 1024 * 1024 / 8 / 300).unwrap_or(0);
    row.require(older <= of_a_file, || format!("{older} successes are kept that are older than the newest given up"));
    row.compared = format!("{}{} given up, {} successes and {downs} failures kept; ", row.compared, gaps.len(), kept.len());
}

fn bytes_in(directory: &Path) -> u64 {
    let files = std::fs::read_dir(directory).into_iter().flatten().flatten();
    files
        .filter(|entry| entry.path().extension().is_some_and(|extension| extension == "spool"))
        .filter_map(|entry| Some(entry.metadata().ok()?.len()))
        .sum()
}
