//! The prober's own network, resolver or descriptors are gone under healthy targets; and targets that really fall together.

mod dark;
mod descriptors;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use model::{Millis, Outcome};
use sqlx::{PgPool, Row as _};
use system_tests::{Farm, Mesh, Plan, monitor, now};
use testkit::FakeSlack;
use uuid::Uuid;

use dark::Dark;

use crate::dns::{NameServer, Says};
use crate::history::stored;
use crate::proxy::{Proxy, Trouble};
use crate::row::Row;
use crate::seed::Seed;

const MONITORS: usize = 1_000;
/// In short.
const FEW: usize = 200;
/// Of so many one is named by its address; the others need the resolver.
const BY_ADDRESS: usize = 4;
/// Of so many one falls in a real storm.
const FALLS: usize = 5;
const PATIENCE: Duration = Duration::from_secs(60);

struct Network {
    mesh: Mesh,
    names_at: NameServer,
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
    let mut resolver = Row::new(
        "19b",
        format!("the prober's resolver is gone under {monitors} healthy targets, three of four named (SERVFAIL, mute)"),
        "no DOWN, no incident, one notice for the region and one when it sees again; what needs no name stays up",
    );
    let mut descriptors = Row::new(
        "19c",
        format!("the probers get no more file descriptors under {monitors} healthy targets"),
        "no DOWN, no incident, one notice for the region and one when there are some again",
    );
    let mut storm = Row::new(
        "20",
        format!("{} of {monitors} targets fall at once, and rise", monitors / FALLS),
        "each is told down and up again, in less than half as many messages; no other is",
    );
    let mut network = Network::start(monitors).await;
    let mut seed = seed.branch("network");
    for n in 0..rounds {
        let nth = usize::try_from(n).unwrap_or(0);
        network.go_dark(Dark::Cut([Trouble::Reset, Trouble::BlackHole][nth % 2]), &mut cut).await;
        network.go_dark(Dark::Resolver([Says::Failure, Says::Nothing][nth % 2]), &mut resolver).await;
        if n == 0 {
            network.go_dark(Dark::Cut(Trouble::StallDown), &mut cut).await;
            network.go_dark(Dark::Descriptors, &mut descriptors).await;
        }
        let began = Instant::now();
        network.storm(&mut seed, &mut storm).await;
        storm.took += began.elapsed();
        eprintln!("  network: {} storms; {}", storm.exposures, storm.compared);
    }
    vec![cut, resolver, descriptors, storm]
}

impl Network {
    async fn start(monitors: usize) -> Self {
        let (farm, slack) = (Farm::start().await, FakeSlack::start().await);
        let mut ways = Vec::new();
        for _ in 0..4 {
            ways.push(Proxy::start(farm.address).await);
        }
        let names_at = NameServer::start().await;
        let canaries: Vec<String> = ways.iter().skip(1).map(|way| format!("http://127.0.0.1:{}/canary", way.port)).collect();
        let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let plan = Plan {
            replicas: 2,
            slack: Some(slack.webhook_url()),
            settings: vec![
                set("CANARIES", &canaries.join(",")),
                set("NAME_SERVERS", &names_at.address.to_string()),
                set("FLUSH_SECONDS", "1"),
                set("RUST_LOG", "warn"),
            ],
            ..Plan::default()
        };
        let mesh = Mesh::start(plan).await;
        let api = mesh.login().await;
        let wanted = (0..monitors).map(|n| {
            let host = if n.is_multiple_of(BY_ADDRESS) { "127.0.0.1".to_owned() } else { format!("n{n}.faults.test") };
            monitor(&format!("n{n}"), &format!("http://{host}:{}/n{n}", ways[0].port))
        });
        let names = api.create_all(wanted).await;
        let pool = PgPool::clone(mesh.stack.database().await.store.pool());
        let network = Self { mesh, names_at, farm, ways, slack, names, pool };
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
