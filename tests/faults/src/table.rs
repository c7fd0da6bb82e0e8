//! Which rows run when: most of a trial is waiting, so several meshes run side by side.

use std::time::Duration;

use futures::future::{LocalBoxFuture, join_all};
use tokio::sync::Semaphore;

use crate::rows::{alerts, changes, network, outage, poison, processing, storm, telling, transport};
use crate::{Options, Row, Seed};

/// Runs the table. What measures times and speeds comes first, with nothing beside it; then the rest in the order in which it stands
/// here, so many meshes at once as there is room for. What takes longest comes early, so that the end finds no long one alone.
pub async fn run(options: &Options) -> Vec<Row> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let table = Table { options, seed: Seed::new(options.seed), lanes: Semaphore::new(lanes(options)) };
    let mut rows = Box::pin(table.latency()).await;
    rows.extend(Box::pin(table.outage()).await);
    let jobs: [LocalBoxFuture<'_, Vec<Row>>; 12] = [
        Box::pin(table.alerts()),
        Box::pin(table.singles()),
        Box::pin(table.rolls()),
        Box::pin(table.mesh()),
        Box::pin(table.stores()),
        Box::pin(table.network()),
        Box::pin(table.channels()),
        Box::pin(table.transport()),
        Box::pin(table.poison()),
        Box::pin(table.replay()),
        Box::pin(table.replicas()),
        Box::pin(table.absence()),
    ];
    rows.extend(join_all(jobs.map(|job| table.in_a_lane(job))).await.concat());
    rows
}

/// With two cores, more than three meshes at once are too slow for what is promised of time.
fn lanes(options: &Options) -> usize {
    if is_roomy(options) { 4 } else { 3 }
}

fn is_roomy(options: &Options) -> bool {
    !options.short && std::thread::available_parallelism().is_ok_and(|cores| cores.get() >= 4)
}

struct Table<'a> {
    options: &'a Options,
    seed: Seed,
    lanes: Semaphore,
}

impl Table<'_> {
    /// Each waits for its turn; what is not wanted takes none.
    async fn in_a_lane(&self, job: LocalBoxFuture<'_, Vec<Row>>) -> Vec<Row> {
        let _lane = self.lanes.acquire().await;
        job.await
    }

    fn wanted(&self, name: &str) -> bool {
        self.options.only.is_empty() || self.options.only.iter().any(|only| only == name)
    }

    /// Beside all the others on two cores these take longer than a test may: in short they run only where they are named.
    fn alone(&self, name: &str) -> bool {
        self.wanted(name) && !(self.options.short && self.options.only.is_empty())
    }

    /// This share of the minutes there are. Three rows run at once, and what has a length of its own (Kafka's absence, rolling restarts)
    /// takes more than half of that: the shares add up to little more than one. In short the number of trials is the limit.
    fn share(&self, share: f64) -> Duration {
        let share = if self.options.short { 1.0 } else { share };
        Duration::from_secs_f64(self.options.minutes * 60.0 * share)
    }

    fn most(&self, short: u64) -> u64 {
        if self.options.short { short } else { u64::MAX }
    }

    /// Once in short.
    fn rounds(&self, full: u64) -> u64 {
        if self.options.short { 1 } else { full }
    }

    /// The rows of a group, where it is wanted.
    async fn group(&self, wanted: bool, title: &str, rows: LocalBoxFuture<'_, Vec<Row>>) -> Vec<Row> {
        if !wanted {
            return Vec::new();
        }
        eprintln!("{title}");
        rows.await
    }

    async fn latency(&self) -> Vec<Row> {
        self.group(self.alone("latency"), "how soon it is told", Box::pin(telling::latency(100, if self.options.short { 1 } else { 6 })))
            .await
    }

    async fn alerts(&self) -> Vec<Row> {
        if !self.wanted("alerts") {
            return Vec::new();
        }
        eprintln!("alerter: crash points × channels");
        // Three meshes where there is room, as they mostly wait: for leases, for Slack's pace.
        let lanes = if is_roomy(self.options) { 3 } else { 1 };
        let seeds: Vec<Seed> = (0..lanes).map(|lane| self.seed.branch(&format!("lane {lane}"))).collect();
        let lanes = join_all(seeds.iter().map(|seed| alerts::run(seed, self.share(0.25), self.most(14)))).await;
        lanes.into_iter().reduce(|all, lane| all.into_iter().zip(lane).map(|(row, other)| row.with(other)).collect()).unwrap_or_default()
    }

    async fn singles(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        if self.wanted("processing") {
            eprintln!("processor: crash points");
            rows.extend(processing::run(&self.seed, self.share(0.1), self.most(11)).await);
        }
        if self.wanted("changes") {
            eprintln!("users: crash points");
            rows.extend(changes::run(&self.seed, self.share(0.1), self.most(7)).await);
        }
        if self.wanted("cuts") {
            eprintln!("COMMITs cut, stores in trouble");
            rows.extend(alerts::cuts(&self.seed, self.share(0.04), self.most(1)).await);
            rows.extend(processing::cuts(&self.seed, self.share(0.03), self.most(1)).await);
            rows.extend(changes::cuts(&self.seed, self.share(0.02), self.most(1)).await);
            rows.extend(processing::stores(&self.seed, self.share(0.03), self.most(1)).await);
        }
        rows
    }

    async fn mesh(&self) -> Vec<Row> {
        if !self.wanted("mesh") {
            return Vec::new();
        }
        if self.options.short {
            return storm::run(&self.seed, &storm::Kind::SHORT, storm::Amount::SHORT).await;
        }
        eprintln!("the whole mesh: pinger crash points, kills, pauses, FLUSHALL, broker, rebalances");
        // What heals and compares after each kind takes about 40 s, six times; and a trial is longer than its fault.
        let left = (self.share(0.45).as_secs_f64() / 60.0 - 4.0) / 1.5;
        storm::run(&self.seed, &storm::Kind::ALL, storm::Amount::of(left.max(0.5))).await
    }

    /// Stores, disks and clocks: a mesh of its own.
    async fn stores(&self) -> Vec<Row> {
        let faults: &[storm::Fault] = if self.options.short { &storm::Fault::SHORT } else { &storm::Fault::ALL };
        let wanted = |fault: &&storm::Fault| self.alone("stores") || self.alone(fault.row().id);
        let kinds: Vec<storm::Kind> = faults.iter().filter(wanted).map(|fault| storm::Kind::Disturb(*fault)).collect();
        if kinds.is_empty() {
            return Vec::new();
        }
        eprintln!("disks, stores and clocks");
        let amount = storm::Amount { disturbances: self.disturbances(), ..storm::Amount::SHORT };
        storm::run(&self.seed, &kinds, amount).await
    }

    async fn poison(&self) -> Vec<Row> {
        self.group(self.alone("poison"), "poison", Box::pin(poison::run(&self.seed, !self.options.short))).await
    }

    /// Two and a half minutes cannot be made short.
    async fn outage(&self) -> Vec<Row> {
        self.group(self.wanted("outage") && !self.options.short, "Kafka away for half an hour's results", Box::pin(outage::run(&self.seed)))
            .await
    }

    async fn network(&self) -> Vec<Row> {
        self.group(
            self.alone("network"),
            "the prober's network, resolver and descriptors gone, real storms",
            Box::pin(network::run(&self.seed, self.rounds(2))),
        )
        .await
    }

    /// In short a single round of it is among the mesh's.
    async fn rolls(&self) -> Vec<Row> {
        let amount = storm::Amount { rolls: self.restarts(), ..storm::Amount::SHORT };
        let rolls = storm::run(&self.seed, &[storm::Kind::Roll], amount);
        self.group(self.wanted("rolls") && !self.options.short, "rolling restarts", Box::pin(rolls)).await
    }

    async fn channels(&self) -> Vec<Row> {
        self.group(self.alone("channels"), "channels in trouble", Box::pin(alerts::outages(&self.seed))).await
    }

    async fn absence(&self) -> Vec<Row> {
        self.group(self.alone("absence"), "the alerter away for an hour", Box::pin(telling::absence(&self.seed, self.rounds(2)))).await
    }

    async fn replicas(&self) -> Vec<Row> {
        self.group(self.alone("replicas"), "one alerter and several", Box::pin(telling::replicas(&self.seed, self.rounds(3)))).await
    }

    async fn replay(&self) -> Vec<Row> {
        self.group(self.alone("replay"), "replays", Box::pin(processing::replay(&self.seed, self.rounds(6)))).await
    }

    async fn transport(&self) -> Vec<Row> {
        self.group(self.alone("transport"), "the way to Kafka in trouble", Box::pin(transport::run(&self.seed))).await
    }

    /// Rounds of rolling restarts: twenty in the usual table.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few minutes")]
    fn restarts(&self) -> u64 {
        (self.options.minutes as u64).clamp(2, 20)
    }

    /// How often each disturbance is tried; once in short.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few minutes")]
    fn disturbances(&self) -> u64 {
        if self.options.short { 1 } else { ((self.options.minutes / 5.0) as u64).max(2) }
    }
}
