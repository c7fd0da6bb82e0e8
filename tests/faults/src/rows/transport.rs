//! Trouble on the way to Kafka, for the whole mesh: delayed, throttled, stalled one way, mute, reset, cut. Checks go on, results
//! wait on disk, nothing is told down, and all is as before soon after it is over.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use model::{Millis, MonitorId, Outcome, Region, Schedule};
use system_tests::{Broker, Farm, Mesh, Plan, Service, free_port, monitor, now};
use testkit::FakeSlack;
use uuid::Uuid;

use crate::history::{stored, until_told};
use crate::log::INTERVAL_MS;
use crate::proxy::{Proxy, Trouble};
use crate::row::Row;
use crate::seed::Seed;

const MONITORS: usize = 100;
const LASTS: Duration = Duration::from_secs(12);
/// Once it is over, nothing waits any more after so long.
const RECOVERS: Duration = Duration::from_secs(15);
const PATIENCE: Duration = Duration::from_secs(60);
const SERVICES: [Service; 3] = [Service::Pinger, Service::Processor, Service::Alerter];

struct Transport {
    mesh: Mesh,
    way: Proxy,
    slack: FakeSlack,
    names: BTreeMap<Uuid, String>,
    _broker: Broker,
    _farm: Farm,
    _directory: tempfile::TempDir,
}

/// Memory in kB and descriptors of a process.
type Use = (u64, usize);

/// Each trouble once.
pub async fn run(seed: &Seed) -> Vec<Row> {
    let began = Instant::now();
    let mut row = Row::new(
        "15c",
        "the way to Kafka delayed, throttled, stalled one way, mute, reset, cut after n bytes, under the whole mesh",
        "no slot absent, none told down, nobody alarmed; caught up 15 s after it is over; memory and descriptors as before",
    );
    let mut seed = seed.branch("transport");
    let mut transport = Transport::start().await;
    let from = now();
    let before = transport.used();
    let mut slowest = Duration::ZERO;
    let cut = 10_000 + seed.below(200_000);
    for trouble in [
        Trouble::Delay(Duration::from_millis(500)),
        Trouble::Throttle(20_000),
        Trouble::StallUp,
        Trouble::StallDown,
        Trouble::BlackHole,
        Trouble::Reset,
        Trouble::CutAfter(cut),
    ] {
        let name = trouble.name();
        row.trials += 1;
        let met = transport.way.met();
        transport.way.set(trouble);
        tokio::time::sleep(LASTS).await;
        if transport.way.met() > met {
            row.exposed(name);
        }
        transport.way.heal();
        slowest = slowest.max(transport.recovers(name, &mut row).await);
    }
    transport.compare(from, now() - 2 * INTERVAL_MS, &mut row).await;
    transport.compare_use(&before, &mut row);
    row.compared = format!("{}; caught up after at most {} ms", row.compared, slowest.as_millis());
    row.took = began.elapsed();
    eprintln!("  transport: {}", row.compared);
    vec![row]
}

impl Transport {
    async fn start() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let behind = free_port();
        let way = Proxy::start(SocketAddr::from(([127, 0, 0, 1], behind))).await;
        let broker = Broker::start_behind(directory.path(), behind, way.port).await;
        let (farm, slack) = (Farm::start().await, FakeSlack::start().await);
        let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let plan = Plan {
            slack: Some(slack.webhook_url()),
            kafka: Some(format!("127.0.0.1:{}", way.port)),
            settings: vec![set("FLUSH_SECONDS", "1"), set("RUST_LOG", "warn")],
            ..Plan::default()
        };
        let mesh = Mesh::start(plan).await;
        let api = mesh.login().await;
        let wanted = (0..MONITORS).map(|n| format!("k{n}")).map(|name| monitor(&name, &farm.url(&name)));
        let names = api.create_all(wanted).await;
        testkit::eventually("every target is checked", PATIENCE, || async {
            names.values().all(|name| !farm.visits(name).is_empty()).then_some(())
        })
        .await;
        tokio::time::sleep(Duration::from_secs(10)).await;
        Self { mesh, way, slack, names, _broker: broker, _farm: farm, _directory: directory }
    }

    /// How long until nothing waits: on disk, in the log, for Kafka.
    async fn recovers(&mut self, name: &str, row: &mut Row) -> Duration {
        let began = Instant::now();
        loop {
            let waits = self.mesh.metric(Service::Pinger, 0, "upmesh_pinger_spool_records").await;
            let (processor, alerter) = (self.mesh.lag(Service::Processor).await, self.mesh.lag(Service::Alerter).await);
            // A few are always under way.
            let few = |lag: Option<i64>| lag.is_some_and(|lag| lag < 50);
            if waits == Some(0.0) && few(processor) && few(alerter) {
                return began.elapsed();
            }
            if began.elapsed() > PATIENCE {
                row.violated(format!("{name}: after a minute {waits:?} results wait, lags are {processor:?} and {alerter:?}"));
                return began.elapsed();
            }
            for service in Service::ALL {
                if let Some(status) = self.mesh.ended(service, 0) {
                    row.violated(format!("I12, {name}: {} ended with {status}", service.name()));
                }
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            if began.elapsed() > RECOVERS && began.elapsed() < RECOVERS + Duration::from_millis(150) {
                row.violated(format!("{name}: after {RECOVERS:?} {waits:?} results wait, lags are {processor:?} and {alerter:?}"));
            }
        }
    }

    async fn compare(&self, from: Millis, to: Millis, row: &mut Row) {
        let pool = self.mesh.stack.database().await.store.pool().clone();
        let region: Region = "local".parse().expect("a region");
        let due: Vec<(Uuid, Millis)> = self
            .names
            .keys()
            .flat_map(|id| Schedule::new(MonitorId(*id), &region, INTERVAL_MS).slots(from, to).map(|slot| (*id, slot)))
            .collect();
        until_told(&pool, &due, Duration::from_secs(20)).await;
        // Once more, for what history itself contradicts.
        let told = stored(&pool, row).await;
        let absent = due.iter().filter(|place| !told.contains_key(place)).count();
        row.require(absent == 0, || format!("I10, {absent} of {} slots are absent", due.len()));
        let up = due.iter().filter(|place| told.get(place).is_some_and(|told| told.0 == Outcome::Up)).count();
        row.require(up * 1000 >= due.len() * 999, || format!("{up} of {} slots were checked", due.len()));
        let down = told.values().filter(|told| told.0 == Outcome::Down).count();
        row.require(down == 0, || format!("I9, {down} healthy slots are told down"));
        let posts = self.slack.taken().len();
        row.require(posts == 0, || format!("I6, {posts} messages about nothing"));
        row.compared = format!("{} slots, {up} up", due.len());
    }

    fn used(&self) -> Vec<Use> {
        SERVICES.iter().map(|service| used(self.mesh.process_id(*service, 0))).collect()
    }

    fn compare_use(&self, before: &[Use], row: &mut Row) {
        for ((service, before), after) in SERVICES.iter().zip(before).zip(self.used()) {
            let name = service.name();
            // What a debug build touches first only now is no growth.
            let most = before.0 + before.0 / 5 + 20_000;
            row.require(after.0 <= most, || format!("{name} uses {} kB, {} before", after.0, before.0));
            row.require(after.1 <= before.1 + 20, || format!("{name} has {} descriptors open, {} before", after.1, before.1));
            row.compared =
                format!("{}; {name} {} → {} MB, {} → {} descriptors", row.compared, before.0 / 1000, after.0 / 1000, before.1, after.1);
        }
    }
}

fn used(pid: u32) -> Use {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().split(' ').next()?.parse().ok()).unwrap_or(0);
    let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count);
    (memory, descriptors)
}
