//! A whole mesh of two replicas each on a broker and a Redis of its own, real checks of targets that go up
//! and down, and one kind of fault after the other; after each, quiet, and a comparison of everything.

mod alerts;
mod check;
mod clocks;
mod disturb;
mod inject;
mod rolls;
mod spool;
mod stores;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use model::Millis;
use system_tests::{Api, Broker, Farm, Mesh, Plan, Postgres, Redis, Service, monitor, now};
use testkit::FakeSlack;

pub use disturb::Fault;
pub use inject::Kind;

use crate::log::INTERVAL_MS;
use crate::row::Row;
use crate::seed::Seed;

const MONITORS: usize = 40;
/// A target stays as it is for this long at least, so that a check sees it.
const STEADY: Duration = Duration::from_secs(24);

pub(super) struct Storm {
    pub mesh: Mesh,
    /// Of its own where it is to be stopped.
    pub postgres: Option<Postgres>,
    pub broker: Broker,
    pub redis: Redis,
    pub farm: Farm,
    pub slack: FakeSlack,
    pub api: Api,
    /// Name and id.
    pub monitors: Vec<(String, String)>,
    flipped: BTreeMap<String, (bool, Instant)>,
    /// From when to when a sender could not say what became of its messages: it was dead or stood still, or PostgreSQL was away.
    pub unsure: Vec<(Instant, Instant)>,
    /// From when to when no slot may go unchecked.
    pub unbroken: Vec<(Millis, Millis)>,
    pub seed: Seed,
    pub began: Millis,
    _directory: tempfile::TempDir,
}

/// How much of each kind.
#[derive(Debug, Clone, Copy)]
pub struct Amount {
    pub points: u64,
    pub kills: u64,
    pub pauses: u64,
    pub flushes: u64,
    pub outages: u64,
    pub rolls: u64,
    /// Of each [`Fault`].
    pub disturbances: u64,
}

impl Amount {
    pub const SHORT: Self = Self { points: 4, kills: 4, pauses: 1, flushes: 1, outages: 1, rolls: 1, disturbances: 1 };

    /// About `minutes` of faults.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few minutes")]
    pub fn of(minutes: f64) -> Self {
        let n = |per_minute: f64| ((minutes * per_minute) as u64).max(1);
        Self { points: n(6.0), kills: n(8.0), pauses: n(0.6), flushes: n(1.5), outages: n(0.5).max(2), rolls: n(0.3), disturbances: n(1.0) }
    }
}

pub async fn run(seed: &Seed, kinds: &[Kind], amount: Amount) -> Vec<Row> {
    let short = amount.disturbances <= 1;
    let own = kinds.iter().any(|kind| matches!(kind, Kind::Disturb(_)));
    let mut storm =
        Storm::start(seed.branch(if own { "stores" } else { "storm" }), own.then_some(if short { MONITORS } else { 4 * MONITORS })).await;
    let mut rows = Vec::new();
    for kind in kinds.iter().copied() {
        let mut row = kind.row();
        let began = Instant::now();
        storm.inject(kind, amount, &mut row).await;
        storm.heal(&mut row).await;
        // In short, what was disturbed is compared once, at the end.
        if !(own && short) || rows.len() + 1 == kinds.len() {
            storm.check(&mut row).await;
        }
        row.took = began.elapsed();
        eprintln!("  mesh: {}: {} of {} hit; {}", row.fault, row.exposures, row.trials, row.compared);
        rows.push(row);
    }
    rows
}

impl Storm {
    /// `own`: with a PostgreSQL of its own, too, and so many monitors: enough to fill a small disk.
    async fn start(seed: Seed, own: Option<usize>) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let broker = Broker::start(directory.path()).await;
        let redis = Redis::start(directory.path()).await;
        let postgres = if own.is_some() { Some(Postgres::start().await) } else { None };
        let (farm, slack) = (Farm::start().await, FakeSlack::start().await);
        let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let plan = Plan {
            replicas: 2,
            slack: Some(slack.webhook_url()),
            kafka: Some(broker.address()),
            redis: Some(redis.url()),
            database: postgres.as_ref().map(Postgres::url),
            settings: vec![set("LEASE_MS", "2000"), set("FLUSH_SECONDS", "1"), set("RUST_LOG", "warn")],
            ..Plan::default()
        };
        let mesh = Mesh::start(plan).await;
        let api = mesh.login().await;
        let began = now();
        let mut monitors = Vec::new();
        for n in 0..own.unwrap_or(MONITORS) {
            let name = format!("t{n}");
            let id = api.create(monitor(&name, &farm.url(&name))).await;
            monitors.push((name, id));
        }
        if own.is_some() {
            // A pinger hears of a new monitor through Kafka, which is the first to go.
            testkit::eventually("every target is checked", Duration::from_mins(2), || async {
                monitors.iter().all(|(name, _)| !farm.visits(name).is_empty()).then_some(())
            })
            .await;
        }
        Self {
            mesh,
            postgres,
            broker,
            redis,
            farm,
            slack,
            api,
            monitors,
            flipped: BTreeMap::new(),
            unsure: Vec::new(),
            unbroken: Vec::new(),
            seed,
            began,
            _directory: directory,
        }
    }

    /// Turns some targets over, those that stood for long enough.
    pub(super) fn flip(&mut self) {
        for _ in 0..2 {
            let (name, _) = self.seed.pick(&self.monitors).clone();
            let (down, since) = self.flipped.get(&name).copied().unwrap_or((false, Instant::now()));
            let fresh = !self.flipped.contains_key(&name);
            if fresh || since.elapsed() > STEADY {
                self.farm.set_down(&name, !down);
                self.flipped.insert(name, (!down, Instant::now()));
            }
        }
    }

    /// Waits, with targets that go on to change.
    pub(super) async fn live(&mut self, time: Duration) {
        let until = Instant::now() + time;
        while Instant::now() < until {
            self.flip();
            tokio::time::sleep(Duration::from_millis(700).min(until.saturating_duration_since(Instant::now()))).await;
        }
    }

    /// Of the slots due in the window, how many there are and how many were really checked.
    async fn executed(&self, from: Millis, to: Millis) -> (usize, usize) {
        let names: BTreeMap<String, &str> = self.monitors.iter().map(|(name, id)| (id.clone(), name.as_str())).collect();
        let (mut due, mut run) = (0, 0);
        for (monitor, slot) in self.due(to).await.into_iter().filter(|(_, slot)| *slot >= from) {
            let Some(name) = names.get(&monitor.to_string()) else { continue };
            due += 1;
            let within = |at: Millis| at >= slot - 5 && at < slot + INTERVAL_MS;
            run += usize::from(self.farm.visits(name).iter().any(|visit| within(visit.at)));
        }
        (due, run)
    }

    /// Everything runs, and what died by itself is a violation (I12).
    async fn heal(&mut self, row: &mut Row) {
        for service in Service::ALL {
            for replica in 0..2 {
                if let Some(status) = self.mesh.ended(service, replica) {
                    row.violated(format!("I12, {} {replica} ended with {status}: {}", service.name(), self.mesh.tail(service, replica, 6)));
                }
                if !self.mesh.runs(service, replica) {
                    self.mesh.restart(service, replica);
                }
            }
        }
        self.mesh.ready().await;
    }
}
