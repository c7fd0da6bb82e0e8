//! Which rows run when: most of a trial is waiting, so several meshes run side by side.

use std::time::{Duration, Instant};

use futures::future::join_all;

use crate::rows::{alerts, changes, network, outage, poison, processing, storm, telling, transport};
use crate::{Options, Row, Seed};

/// Runs the table; the rows in its order. What measures times comes first, with nothing beside it. Then half of the time goes to
/// single services, two meshes side by side, the other half to the whole mesh; beside it, meshes whose network, channels and
/// brokers fail, and those whose stores do: these beside all others where there are cores for it, else afterwards.
pub async fn run(options: &Options) -> Vec<Row> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut table = Table { options, seed: Seed::new(options.seed), began: Instant::now() };
    let quick = Box::pin(table.latency()).await;
    table.began = Instant::now();
    let table = &table;
    let one_by_one = async {
        let mut rows = Box::pin(table.floods()).await;
        rows.extend(Box::pin(table.channels()).await);
        rows
    };
    let (main, stores, others) = if table.is_roomy() {
        tokio::join!(Box::pin(table.main()), Box::pin(table.stores()), Box::pin(one_by_one))
    } else {
        let in_turn = async { (Box::pin(table.main()).await, Box::pin(table.stores()).await) };
        let ((main, stores), others) = tokio::join!(Box::pin(in_turn), Box::pin(one_by_one));
        (main, stores, others)
    };
    [quick, main, stores, others].concat()
}

struct Table<'a> {
    options: &'a Options,
    seed: Seed,
    began: Instant,
}

impl Table<'_> {
    /// With two cores, more than three meshes at once are too slow for what is promised of time.
    fn is_roomy(&self) -> bool {
        self.options.short || std::thread::available_parallelism().is_ok_and(|cores| cores.get() >= 4)
    }

    fn wanted(&self, name: &str) -> bool {
        self.options.only.is_empty() || self.options.only.iter().any(|only| only == name)
    }

    /// Beside all the others on two cores these take longer than a test may: in short they run only where they are named.
    fn alone(&self, name: &str) -> bool {
        self.wanted(name) && !(self.options.short && self.options.only.is_empty())
    }

    /// The end of this share of the time.
    fn until(&self, share: f64) -> Instant {
        self.began + Duration::from_secs_f64(self.options.minutes * 60.0 * share)
    }

    fn most(&self, short: u64) -> u64 {
        if self.options.short { short } else { u64::MAX }
    }

    /// Once in short.
    fn rounds(&self, full: u64) -> u64 {
        if self.options.short { 1 } else { full }
    }

    async fn latency(&self) -> Vec<Row> {
        if !self.alone("latency") {
            return Vec::new();
        }
        eprintln!("how soon it is told");
        telling::latency(100, if self.options.short { 1 } else { 6 }).await
    }

    /// Single services, then the whole mesh; in short all at once, as none needs the processor for itself.
    async fn main(&self) -> Vec<Row> {
        let singles = async {
            let (mut rows, others) = tokio::join!(Box::pin(self.alerts()), Box::pin(self.others()));
            rows.extend(others);
            rows
        };
        if self.options.short {
            let (mut rows, mesh) = tokio::join!(Box::pin(singles), Box::pin(self.mesh()));
            rows.extend(mesh);
            return rows;
        }
        let mut rows = singles.await;
        rows.extend(Box::pin(self.mesh()).await);
        rows
    }

    async fn alerts(&self) -> Vec<Row> {
        if !self.wanted("alerts") {
            return Vec::new();
        }
        eprintln!("alerter: crash points × channels");
        // Three meshes where there is room, as they mostly wait: for leases, for Slack's pace.
        let lanes = if self.options.short || !self.is_roomy() { 1 } else { 3 };
        let seeds: Vec<Seed> = (0..lanes).map(|lane| self.seed.branch(&format!("lane {lane}"))).collect();
        let lanes = join_all(seeds.iter().map(|seed| alerts::run(seed, self.until(0.4), self.most(14)))).await;
        lanes.into_iter().reduce(|all, lane| all.into_iter().zip(lane).map(|(row, other)| row.with(other)).collect()).unwrap_or_default()
    }

    async fn others(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        if self.wanted("processing") {
            eprintln!("processor: crash points");
            rows.extend(processing::run(&self.seed, self.until(0.15), self.most(11)).await);
        }
        if self.wanted("changes") {
            eprintln!("users: crash points");
            rows.extend(changes::run(&self.seed, self.until(0.3), self.most(7)).await);
        }
        if self.wanted("cuts") {
            eprintln!("COMMITs cut, stores in trouble");
            rows.extend(alerts::cuts(&self.seed, self.until(0.34), self.most(1)).await);
            rows.extend(processing::cuts(&self.seed, self.until(0.38), self.most(1)).await);
            rows.extend(changes::cuts(&self.seed, self.until(0.41), self.most(1)).await);
            rows.extend(processing::stores(&self.seed, self.until(0.46), self.most(1)).await);
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
        // What heals and compares after each kind takes about 40 s, six times.
        let left = self.until(1.0).saturating_duration_since(Instant::now()).as_secs_f64() / 60.0 - 4.0;
        storm::run(&self.seed, &storm::Kind::ALL, storm::Amount::of(left.max(0.5))).await
    }

    /// Stores, disks and clocks: a mesh of its own, which takes nearly all of the time.
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

    async fn floods(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        if self.alone("poison") {
            eprintln!("poison");
            rows.extend(poison::run(&self.seed, !self.options.short).await);
        }
        // Two and a half minutes cannot be made short.
        if self.wanted("outage") && !self.options.short {
            eprintln!("Kafka away for half an hour's results");
            rows.extend(outage::run(&self.seed).await);
        }
        if self.alone("network") {
            eprintln!("the prober's network cut, real storms");
            rows.extend(network::run(&self.seed, self.rounds(2)).await);
        }
        // In short a single round of it is among the mesh's.
        if self.wanted("rolls") && !self.options.short {
            eprintln!("rolling restarts");
            let amount = storm::Amount { rolls: self.rolls(), ..storm::Amount::SHORT };
            rows.extend(storm::run(&self.seed, &[storm::Kind::Roll], amount).await);
        }
        rows
    }

    async fn channels(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        if self.alone("channels") {
            eprintln!("channels in trouble");
            rows.extend(alerts::outages(&self.seed).await);
        }
        if self.alone("absence") {
            eprintln!("the alerter away for an hour");
            rows.extend(telling::absence(&self.seed, self.rounds(2)).await);
        }
        if self.alone("replicas") {
            eprintln!("one alerter and several");
            rows.extend(Box::pin(telling::replicas(&self.seed, self.rounds(3))).await);
        }
        if self.alone("replay") {
            eprintln!("replays");
            rows.extend(processing::replay(&self.seed, self.rounds(6)).await);
        }
        if self.alone("transport") {
            eprintln!("the way to Kafka in trouble");
            rows.extend(transport::run(&self.seed).await);
        }
        rows
    }

    /// Rounds of rolling restarts: twenty in the usual table.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few minutes")]
    fn rolls(&self) -> u64 {
        (self.options.minutes as u64).clamp(2, 20)
    }

    /// How often each disturbance is tried; once in short.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few minutes")]
    fn disturbances(&self) -> u64 {
        if self.options.short { 1 } else { ((self.options.minutes / 5.0) as u64).max(2) }
    }
}
