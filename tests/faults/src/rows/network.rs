//! The prober's own network is cut under healthy targets; and targets that really fall together.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use model::{Millis, Outcome};
use sqlx::{PgPool, Row as _};
use system_tests::{Farm, Mesh, Plan, monitor, now};
use testkit::FakeSlack;
use uuid::Uuid;

use crate::history::stored;
use crate::log::INTERVAL_MS;
use crate::proxy::{Proxy, Trouble};
use crate::row::Row;
use crate::seed::Seed;

const MONITORS: usize = 1_000;
/// In short.
const FEW: usize = 200;
/// Of so many one falls in a real storm.
const FALLS: usize = 5;
/// Every monitor is checked at least twice in it.
const CUT: Duration = Duration::from_secs(22);
const PATIENCE: Duration = Duration::from_secs(60);

struct Network {
    /// Its processes end with it.
    _mesh: Mesh,
    farm: Farm,
    /// In front of the targets, and of each canary.
    ways: Vec<Proxy>,
    slack: FakeSlack,
    /// By id.
    names: BTreeMap<Uuid, String>,
    pool: PgPool,
}

/// `rounds` of each.
pub async fn run(seed: &Seed, rounds: u64) -> Vec<Row> {
    let monitors = if rounds > 1 { MONITORS } else { FEW };
    let mut cut = Row::new(
        "19",
        format!("the prober's network is cut under {monitors} healthy targets (reset, mute, answers lost)"),
        "no DOWN, no incident, one notice for the region and one when it sees again",
    );
    let mut storm = Row::new(
        "20",
        format!("{} of {monitors} targets fall at once, and rise", monitors / FALLS),
        "each is told down and up again, in less than half as many messages; no other is",
    );
    let mut network = Network::start(monitors).await;
    let mut seed = seed.branch("network");
    for n in 0..rounds {
        let began = Instant::now();
        let trouble = [Trouble::Reset, Trouble::BlackHole, Trouble::StallDown][usize::try_from(n % 3).unwrap_or(0)];
        network.cut(trouble, &mut cut).await;
        cut.took += began.elapsed();
        eprintln!("  network: cut {} times; {}", cut.exposures, cut.compared);
        let began = Instant::now();
        network.storm(&mut seed, &mut storm).await;
        storm.took += began.elapsed();
        eprintln!("  network: {} storms; {}", storm.exposures, storm.compared);
    }
    vec![cut, storm]
}

impl Network {
    async fn start(monitors: usize) -> Self {
        let (farm, slack) = (Farm::start().await, FakeSlack::start().await);
        let mut ways = Vec::new();
        for _ in 0..4 {
            ways.push(Proxy::start(farm.address).await);
        }
        let canaries: Vec<String> = ways.iter().skip(1).map(|way| format!("http://127.0.0.1:{}/canary", way.port)).collect();
        let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let plan = Plan {
            replicas: 2,
            slack: Some(slack.webhook_url()),
            settings: vec![set("CANARIES", &canaries.join(",")), set("FLUSH_SECONDS", "1"), set("RUST_LOG", "warn")],
            ..Plan::default()
        };
        let mesh = Mesh::start(plan).await;
        let api = mesh.login().await;
        let wanted =
            (0..monitors).map(|n| format!("n{n}")).map(|name| monitor(&name, &format!("http://127.0.0.1:{}/{name}", ways[0].port)));
        let names = api.create_all(wanted).await;
        let pool = PgPool::clone(mesh.stack.database().await.store.pool());
        let network = Self { _mesh: mesh, farm, ways, slack, names, pool };
        network.all_up().await;
        network
    }

    /// The newest result of each is up, and later than now.
    async fn all_up(&self) {
        let from = now();
        testkit::eventually("every target is up", PATIENCE, || async {
            let told = stored(&self.pool, &mut Row::scratch()).await;
            let up = |id: &Uuid| told.range((*id, from)..=(*id, i64::MAX)).next_back().is_some_and(|(_, one)| one.0 == Outcome::Up);
            self.names.keys().all(up).then_some(())
        })
        .await;
    }

    async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&self.pool).await.expect("a count")
    }

    /// Until `wanted` is counted, or patience ends.
    async fn until(&self, sql: &'static str, wanted: i64) -> i64 {
        let began = Instant::now();
        loop {
            let found = self.count(sql).await;
            if found >= wanted || began.elapsed() > PATIENCE {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    async fn cut(&mut self, trouble: Trouble, row: &mut Row) {
        const NOTICES: &str = "SELECT count(*) FROM notices n JOIN deliveries d ON d.notice_id = n.id WHERE d.state = 'sent'";
        const INCIDENTS: &str = "SELECT count(*) FROM incidents";
        row.trials += 1;
        let (notices, incidents, met) = (self.count(NOTICES).await, self.count(INCIDENTS).await, self.ways[0].met());
        let from = now();
        self.ways.iter().for_each(|way| way.set(trouble));
        tokio::time::sleep(CUT).await;
        // It is told while it lasts, not only afterwards.
        let opened = self.until(NOTICES, notices + 1).await - notices;
        row.require(opened == 1, || format!("{opened} notices of a blindness"));
        self.ways.iter().for_each(Proxy::heal);
        let to = now();
        if self.ways[0].met() > met {
            row.exposed(&format!("{trouble:?}"));
        }
        self.all_up().await;
        let closed = self.until(NOTICES, notices + 2).await - notices;
        row.require(closed == 2, || format!("{closed} notices of a blindness and its end"));
        let opened = self.count(INCIDENTS).await - incidents;
        row.require(opened == 0, || format!("{opened} incidents of healthy targets"));
        let told = stored(&self.pool, row).await;
        let within = told.iter().filter(|((_, slot), _)| (from - INTERVAL_MS..to + INTERVAL_MS).contains(slot));
        let outcomes: Vec<Outcome> = within.map(|(_, one)| one.0).collect();
        let down = outcomes.iter().filter(|outcome| **outcome == Outcome::Down).count();
        row.require(down == 0, || format!("I9, {down} healthy slots are told down"));
        let unknown = outcomes.iter().filter(|outcome| **outcome == Outcome::Unknown).count();
        row.require(unknown >= self.names.len(), || format!("only {unknown} slots of the cut are unknown"));
        row.compared = format!("{} slots around the last cut, {unknown} of them unknown", outcomes.len());
    }

    async fn storm(&mut self, seed: &mut Seed, row: &mut Row) {
        row.trials += 1;
        let mut names: Vec<String> = self.names.values().cloned().collect();
        seed.shuffle(&mut names);
        names.truncate(self.names.len() / FALLS);
        let from = now();
        let posts = self.slack.taken().len();
        for (down, kind) in [(true, "opened"), (false, "resolved")] {
            for name in &names {
                self.farm.set_down(name, down);
            }
            self.told(&names, kind, from, row).await;
        }
        row.exposed("storm");
        let messages = self.slack.taken().len() - posts;
        row.require(messages < names.len(), || format!("{messages} messages about one storm"));
        row.compared = format!("{} targets, {messages} messages about the last storm", names.len());
    }

    /// Each of these has an alert of this kind since `from` that was sent or is told by another's message; no other has.
    async fn told(&self, names: &[String], kind: &str, from: Millis, row: &mut Row) {
        let began = Instant::now();
        loop {
            let alerts = sqlx::query(
                "SELECT i.monitor_id, bool_and(d.state IN ('sent', 'folded')) AS told FROM alerts a JOIN incidents i ON i.id = a.incident_id
                 JOIN deliveries d ON d.alert_id = a.id WHERE a.kind = $1 AND a.at >= to_timestamp($2::bigint / 1000.0) GROUP BY 1",
            )
            .bind(kind)
            .bind(from)
            .fetch_all(&self.pool)
            .await
            .expect("alerts");
            let told: Vec<&String> =
                alerts.iter().filter(|one| one.get("told")).filter_map(|one| self.names.get(&one.get::<Uuid, _>("monitor_id"))).collect();
            let lacking = names.iter().filter(|name| !told.contains(name)).count();
            if lacking > 0 && began.elapsed() < PATIENCE {
                tokio::time::sleep(Duration::from_millis(200)).await;
                continue;
            }
            row.require(lacking == 0, || format!("I7, {lacking} of {} are not told {kind}", names.len()));
            let others = told.iter().filter(|name| !names.contains(name)).count();
            row.require(others == 0, || format!("I6, {others} that did not fall are told {kind}"));
            return;
        }
    }
}
