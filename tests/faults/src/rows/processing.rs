//! The processor dies between effects and their records, or loses its connection in the middle of a COMMIT.
//! Results of simulated slots are written to the log as a pinger would: late, twice, contradictory, poisoned.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use model::{CheckResult, MonitorId, Outcome, Slot};
use system_tests::{Mesh, Plan, Service, now};
use uuid::Uuid;

use crate::history::{Told, live_differs, stored, wins};
use crate::log::{INTERVAL_MS, Writer, poison, read_all, result};
use crate::proxy::{Proxy, Trouble};
use crate::row::Row;
use crate::seed::Seed;
use crate::victim::{Death, Victim};

mod proof;
mod replay;

pub use replay::replay;

const POINTS: [&str; 11] = [
    "processor::folded",
    "processor::before_live",
    "processor::live_written",
    "processor::told",
    "processor::before_flush",
    "processor::days_made",
    "processor::flushed",
    "processor::letter_sent",
    "processor::letters_arrived",
    "processor::before_offsets",
    "processor::offsets_committed",
];
const MONITORS: u128 = 12;
const BATCH: u64 = 22;
const PATIENCE: Duration = Duration::from_secs(6);

struct Processing {
    mesh: Mesh,
    writer: Writer,
    /// What must be told in the end, by a rule of its own: see [`wins`].
    truth: Told,
    newest: Slot,
    poisons: BTreeSet<Vec<u8>>,
    proxy: Option<Proxy>,
    /// In front of Redis, where there is trouble with it too.
    redis: Option<Proxy>,
    seed: Seed,
    trials: u64,
}

/// Crash points.
pub async fn run(seed: &Seed, time: Duration, most: u64) -> Vec<Row> {
    let mut row = Row::new(
        "2",
        "processor dies at 11 points; results late, twice, contradictory; 1 in 30 records poison",
        "each slot counts once; what cannot be read is set aside",
    );
    let began = Instant::now();
    row.aim(&POINTS);
    let mut work = Processing::start(seed.branch("processing"), None, None).await;
    let until = Instant::now() + time;
    while work.trials < most && Instant::now() < until && row.violations.len() < 20 {
        for _ in 0..BATCH.min(most - work.trials) {
            work.crash(&mut row).await;
            if Instant::now() >= until {
                break;
            }
        }
        work.settle(&mut row).await;
        eprintln!("  processor: {} trials, {} deaths at points; {}", work.trials, row.exposures, row.compared);
    }
    row.trials = work.trials;
    row.took = began.elapsed();
    vec![row]
}

/// COMMITs cut by the proxy.
pub async fn cuts(seed: &Seed, time: Duration, most: u64) -> Vec<Row> {
    let mut row = Row::new("14b", "processor: connection cut during COMMIT (lost, done but unanswered, blind)", "each slot counts once");
    let began = Instant::now();
    let proxy = Proxy::to_postgres().await;
    let mut work = Processing::start(seed.branch("processing cuts"), Some(proxy), None).await;
    let until = Instant::now() + time;
    while work.trials < most && Instant::now() < until && row.violations.len() < 20 {
        work.cut(&mut row).await;
        work.settle(&mut row).await;
        eprintln!("  processor: {} COMMITs cut; {}", row.exposures, row.compared);
    }
    row.trials = row.exposures;
    row.took = began.elapsed();
    vec![row]
}

/// PostgreSQL and Redis slow, stalled, mute, reset: one after the other, seconds each.
pub async fn stores(seed: &Seed, time: Duration, most: u64) -> Vec<Row> {
    let mut row = Row::new(
        "15",
        "processor: PostgreSQL and Redis delayed, throttled, stalled one way, mute, reset, cut after n bytes",
        "each slot counts once; live state is history's",
    );
    let began = Instant::now();
    let (database, redis) = (Proxy::to_postgres().await, Proxy::to_redis().await);
    let mut work = Processing::start(seed.branch("stores"), Some(database), Some(redis)).await;
    let until = Instant::now() + time;
    while work.trials < most && Instant::now() < until && row.violations.len() < 20 {
        work.trouble(&mut row).await;
        work.settle(&mut row).await;
        eprintln!("  processor: {} troubles of stores; {}", row.exposures, row.compared);
    }
    row.trials = work.trials;
    row.took = began.elapsed();
    vec![row]
}

impl Processing {
    async fn start(seed: Seed, proxy: Option<Proxy>, redis: Option<Proxy>) -> Self {
        let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let plan = Plan {
            services: vec![Service::Processor],
            settings: vec![set("FLUSH_SECONDS", "0.2"), set("RUST_LOG", "warn")],
            database_port: proxy.as_ref().map(|proxy| proxy.port),
            redis_port: redis.as_ref().map(|proxy| proxy.port),
            ..Plan::default()
        };
        let mut mesh = Mesh::start(plan).await;
        let writer = Writer::new(&mesh.kafka, &mesh.stack.topics().results);
        mesh.terminate(Service::Processor, 0).await;
        // Hours that lie behind, so that some are past what Redis keeps.
        let newest = now() - 5 * 3_600_000;
        Self {
            mesh,
            writer,
            truth: Told::new(),
            newest: newest - newest % INTERVAL_MS,
            poisons: BTreeSet::new(),
            proxy,
            redis,
            seed,
            trials: 0,
        }
    }

    /// Results of the next slots and of some before, in any order; each is added to the truth.
    fn results(&mut self) -> Vec<CheckResult> {
        let mut results = Vec::new();
        for monitor in 1..=MONITORS {
            let monitor = MonitorId(Uuid::from_u128(monitor << 64));
            for n in 0..=self.seed.below(2) {
                let slot = self.newest + INTERVAL_MS * i64::try_from(n).unwrap_or(0);
                results.push(self.any(monitor, slot));
            }
            if self.seed.chance(30) {
                let back = i64::try_from(self.seed.below(400)).unwrap_or(0);
                results.push(self.any(monitor, self.newest - INTERVAL_MS * back));
            }
        }
        self.newest = (self.newest + 3 * INTERVAL_MS).min(now() - INTERVAL_MS);
        let again: Vec<CheckResult> = results.iter().filter(|_| self.seed.chance(10)).cloned().collect();
        results.extend(again);
        self.seed.shuffle(&mut results);
        for result in &results {
            let new = (result.outcome, result.latency_us.map(|us| (us + 50) / 100 * 100));
            let place = (result.monitor.0, result.slot);
            if self.truth.get(&place).is_none_or(|old| wins(new, *old)) {
                self.truth.insert(place, new);
            }
        }
        results
    }

    fn any(&mut self, monitor: MonitorId, slot: Slot) -> CheckResult {
        let outcome = match self.seed.below(20) {
            0 => Outcome::Unknown,
            1 => Outcome::Missed,
            2 => Outcome::Degraded,
            3..6 => Outcome::Down,
            _ => Outcome::Up,
        };
        let latency = u32::try_from(self.seed.below(2_000_000)).unwrap_or(0);
        result(monitor, slot, outcome, latency)
    }

    async fn write(&mut self, poisoned: bool) {
        let results = self.results();
        let mut records: Vec<(MonitorId, Vec<u8>)> =
            results.iter().map(|result| (result.monitor, events::encode_result(result).expect("JSON"))).collect();
        if poisoned {
            let bytes = poison(self.seed.number(), self.seed.number());
            let at = usize::try_from(self.seed.below(records.len() as u64)).unwrap_or(0);
            records.insert(at, (records[at].0, bytes.clone()));
            self.poisons.insert(bytes);
        }
        self.writer.records(records).await;
    }

    async fn crash(&mut self, row: &mut Row) {
        let point = POINTS[usize::try_from(self.trials).unwrap_or(0) % POINTS.len()];
        self.trials += 1;
        let letters = point.contains("letter");
        let nth = if !letters && self.seed.chance(40) { 2 } else { 1 };
        let victim = Victim::of(Service::Processor);
        victim.start(&mut self.mesh, Some((point, nth)));
        let poisoned = letters || self.seed.chance(50);
        self.write(poisoned).await;
        tokio::time::sleep(Duration::from_millis(900 + self.seed.below(600))).await;
        self.write(letters).await;
        match victim.wait(&mut self.mesh, point, PATIENCE).await {
            Death::AtPoint => row.exposed(point),
            Death::Killed => *row.places.entry("SIGKILL".to_owned()).or_default() += 1,
            Death::Unasked => row.violated(format!("I12, the processor ended by itself, armed at {point}")),
        }
        victim.bury(&self.mesh).await;
    }

    async fn cut(&mut self, row: &mut Row) {
        let victim = Victim::of(Service::Processor);
        victim.start(&mut self.mesh, None);
        let before = self.proxy.as_ref().map(Proxy::cuts).unwrap_or_default();
        if let Some(proxy) = &self.proxy {
            proxy.cut_commits(self.seed.number(), 60);
        }
        for _ in 0..40 {
            self.trials += 1;
            self.write(self.seed.clone().chance(10)).await;
            tokio::time::sleep(Duration::from_millis(150 + self.seed.below(150))).await;
        }
        if let Some(proxy) = &self.proxy {
            proxy.heal();
            proxy.expose(&before, row);
        }
        self.mesh.kill9(Service::Processor, 0);
        victim.bury(&self.mesh).await;
    }

    async fn trouble(&mut self, row: &mut Row) {
        let victim = Victim::of(Service::Processor);
        victim.start(&mut self.mesh, None);
        self.mesh.ready_one(Service::Processor, 0).await;
        let troubles = [
            Trouble::Delay(Duration::from_millis(300)),
            Trouble::Throttle(2000),
            Trouble::StallUp,
            Trouble::StallDown,
            Trouble::BlackHole,
            Trouble::Reset,
            Trouble::CutAfter(self.seed.below(3000)),
        ];
        // Each at each of both, in turn.
        let round = self.trials / troubles.len() as u64;
        for (n, trouble) in (round..).zip(troubles) {
            let at_redis = n.is_multiple_of(2);
            let Some(proxy) = (if at_redis { &self.redis } else { &self.proxy }) else { return };
            let before = proxy.met();
            proxy.set(trouble);
            self.trials += 1;
            let count = 2 + self.seed.below(10);
            for _ in 0..count {
                self.write(false).await;
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            let Some(proxy) = (if at_redis { &self.redis } else { &self.proxy }) else { return };
            // It counts only where something was under way.
            if proxy.met() > before {
                row.exposed(&format!("{} {}", if at_redis { "Redis" } else { "PostgreSQL" }, trouble.name()));
            }
            proxy.heal();
            tokio::time::sleep(Duration::from_millis(600)).await;
        }
        self.mesh.kill9(Service::Processor, 0);
        victim.bury(&self.mesh).await;
    }

    /// Lets it read to the end, then compares.
    async fn settle(&mut self, row: &mut Row) {
        let victim = Victim::of(Service::Processor);
        victim.start(&mut self.mesh, None);
        self.mesh.ready_one(Service::Processor, 0).await;
        let config = kafka::KafkaConfig::new(&self.mesh.kafka, "faults");
        let topic = self.mesh.stack.topics().results;
        let group = self.mesh.group("processor");
        let ends = kafka::end_offsets(&config, &topic, Duration::from_secs(30)).await.expect("offsets");
        let begin = Instant::now();
        loop {
            let committed = kafka::committed_offsets(&config, &group, &topic, Duration::from_secs(30)).await.unwrap_or_default();
            let read = ends.iter().zip(&committed).all(|(end, committed)| committed.unwrap_or(0) == *end);
            if read && !committed.is_empty() {
                break;
            }
            if begin.elapsed() > Duration::from_secs(60) {
                row.violated(format!("not read to the end after 60 s: {committed:?} of {ends:?}"));
                break;
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        self.compare(row, ends.iter().sum()).await;
        self.mesh.kill9(Service::Processor, 0);
        victim.bury(&self.mesh).await;
    }

    /// What is told against the truth.
    async fn compare(&self, row: &mut Row, records: i64) {
        let topic = self.mesh.stack.topics().results;
        let pool = self.mesh.stack.database().await.store.pool().clone();
        let told = stored(&pool, row).await;
        let lacking = self.truth.iter().filter(|(place, _)| !told.contains_key(place)).count();
        let surplus = told.keys().filter(|place| !self.truth.contains_key(place)).count();
        let other = self.truth.iter().filter(|(place, truth)| told.get(place).is_some_and(|told| told != *truth)).count();
        row.require(lacking + surplus + other == 0, || {
            format!("I2, history lacks {lacking} slots, has {surplus} too many, {other} otherwise")
        });
        let mut differs = live_differs(&self.mesh, &pool, &told, false).await;
        let begin = Instant::now();
        while !differs.is_empty() && self.mesh.runs(Service::Processor, 0) && begin.elapsed() < Duration::from_secs(10) {
            tokio::time::sleep(Duration::from_millis(300)).await;
            differs = live_differs(&self.mesh, &pool, &told, false).await;
        }
        row.require(differs.is_empty(), || differs.join("; "));
        let letters = read_all(&self.mesh.kafka, &events::Topics::dead_letter(&topic)).await;
        let letters: BTreeSet<Vec<u8>> = letters.iter().map(|message| message.value.as_deref().unwrap_or_default().to_vec()).collect();
        row.require(letters == self.poisons, || format!("{} dead letters of {} poison records", letters.len(), self.poisons.len()));
        row.compared = format!("{records} records, {} slots, {} dead letters", told.len(), letters.len());
    }
}
