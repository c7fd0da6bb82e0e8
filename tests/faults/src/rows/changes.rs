//! Users dies between effects and their records, or loses its connection in the middle of a COMMIT, while
//! monitors are created, changed, paused and deleted. A real pinger must hear of each.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use directory::{Client, DirectoryError};
use events::{ChangeKind, MonitorChange};
use model::{Monitor, MonitorId, MonitorSpec, WorkspaceId};
use sqlx::Row as _;
use system_tests::{Farm, Mesh, Plan, Service, monitor};
use uuid::Uuid;

use crate::log::read_all;
use crate::proxy::Proxy;
use crate::row::Row;
use crate::seed::Seed;
use crate::users;
use crate::victim::{Death, Victim};

const POINTS: [&str; 7] = [
    "users::written",
    "users::recorded",
    "users::committed",
    "users::relay_taken",
    "users::relay_sent",
    "users::relay_acked",
    "users::relayed",
];
const BATCH: u64 = 21;
const PATIENCE: Duration = Duration::from_secs(8);
const PROMISE: &str = "what was acknowledged is there; each committed change reaches the log and the pinger, no other does";

type Change = (Uuid, i64, &'static str);

struct Changes {
    mesh: Mesh,
    farm: Farm,
    client: Client,
    workspace: WorkspaceId,
    /// Monitors that users acknowledged and nobody deleted.
    known: Vec<Monitor>,
    named: u64,
    /// Acknowledged changes; a deletion has no revision to tell.
    acknowledged: BTreeSet<Change>,
    deleted: BTreeSet<Uuid>,
    doubtful: u64,
    proxy: Option<Proxy>,
    seed: Seed,
}

/// Crash points.
pub async fn run(seed: &Seed, time: Duration, most: u64) -> Vec<Row> {
    let mut row = Row::new("U", "users dies at 7 points while monitors are changed", PROMISE);
    let began = Instant::now();
    row.aim(&POINTS);
    let mut work = Changes::start(seed.branch("changes"), None).await;
    work.mesh.terminate(Service::Users, 0).await;
    let until = Instant::now() + time;
    while row.trials < most && Instant::now() < until && row.violations.len() < 20 {
        for _ in 0..BATCH.min(most - row.trials) {
            work.crash(&mut row).await;
            if Instant::now() >= until {
                break;
            }
        }
        Victim::of(Service::Users).start(&mut work.mesh, None);
        work.settle(&mut row).await;
        eprintln!("  users: {} trials, {} deaths at points; {}", row.trials, row.exposures, row.compared);
        work.mesh.kill9(Service::Users, 0);
    }
    row.took = began.elapsed();
    vec![row]
}

/// COMMITs cut by the proxy.
pub async fn cuts(seed: &Seed, time: Duration, most: u64) -> Vec<Row> {
    let mut row = Row::new("14c", "users: connection cut during COMMIT (lost, done but unanswered, blind)", PROMISE);
    let began = Instant::now();
    let mut work = Changes::start(seed.branch("changes cuts"), Some(Proxy::to_postgres().await)).await;
    let until = Instant::now() + time;
    while row.exposures < most && Instant::now() < until && row.violations.len() < 20 {
        let before = work.proxy.as_ref().map(Proxy::cuts).unwrap_or_default();
        if let Some(proxy) = &work.proxy {
            proxy.cut_commits(work.seed.number(), 35);
        }
        for _ in 0..60 {
            row.trials += 1;
            work.operate().await;
        }
        if let Some(proxy) = &work.proxy {
            proxy.heal();
            proxy.expose(&before, &mut row);
        }
        work.settle(&mut row).await;
        eprintln!("  users: {} COMMITs cut; {}", row.exposures, row.compared);
    }
    row.took = began.elapsed();
    vec![row]
}

impl Changes {
    async fn start(seed: Seed, proxy: Option<Proxy>) -> Self {
        let farm = Farm::start().await;
        let plan = Plan {
            services: vec![Service::Users, Service::Pinger],
            settings: vec![("RUST_LOG".to_owned(), "warn".to_owned())],
            database_port: proxy.as_ref().map(|proxy| proxy.port),
            ..Plan::default()
        };
        let mesh = Mesh::start(plan).await;
        let (client, workspace) = users::client(&mesh, Some(Duration::from_secs(5))).await;
        Self {
            mesh,
            farm,
            client,
            workspace,
            known: Vec::new(),
            named: 0,
            acknowledged: BTreeSet::new(),
            deleted: BTreeSet::new(),
            doubtful: 0,
            proxy,
            seed,
        }
    }

    async fn crash(&mut self, row: &mut Row) {
        let point = POINTS[usize::try_from(row.trials).unwrap_or(0) % POINTS.len()];
        row.trials += 1;
        let nth = 1 + self.seed.below(3);
        let victim = Victim::of(Service::Users);
        victim.start(&mut self.mesh, Some((point, nth)));
        let begin = Instant::now();
        let death = loop {
            // Refused at once while it starts and once it is dead.
            if !self.operate().await {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            if let Some(death) = victim.look(&mut self.mesh, point) {
                break death;
            }
            if begin.elapsed() > PATIENCE {
                self.mesh.kill9(Service::Users, 0);
                break Death::Killed;
            }
        };
        match death {
            Death::AtPoint => row.exposed(point),
            Death::Killed => *row.places.entry("SIGKILL".to_owned()).or_default() += 1,
            Death::Unasked => row.violated(format!("I12, users ended by itself, armed at {point}")),
        }
    }

    /// One change; whether users answered.
    async fn operate(&mut self) -> bool {
        let what = self.seed.below(10);
        let answer = if self.known.len() < 5 || what < 4 {
            self.named += 1;
            let name = format!("m{}", self.named);
            let spec: MonitorSpec = serde_json::from_value(monitor(&name, &self.farm.url(&name))).expect("a spec");
            self.client.create_monitor("faults", self.workspace, &spec).await.map(|made| Some((made, "monitor.created")))
        } else {
            let at = usize::try_from(self.seed.below(self.known.len() as u64)).unwrap_or(0);
            let before = self.known.swap_remove(at);
            let (client, workspace, id) = (&self.client, self.workspace, before.id);
            let answer = match what {
                4..7 => {
                    let spec = MonitorSpec { timeout_ms: 1000 + u32::try_from(self.seed.below(4000)).unwrap_or(0), ..before.spec.clone() };
                    client.update_monitor("faults", workspace, id, &spec, None).await.map(|made| Some((made, "monitor.updated")))
                }
                7..9 if before.spec.paused => {
                    client.resume_monitor("faults", workspace, id).await.map(|made| Some((made, "monitor.resumed")))
                }
                7..9 => client.pause_monitor("faults", workspace, id).await.map(|made| Some((made, "monitor.paused"))),
                _ => client.delete_monitor("faults", workspace, id).await.map(|()| {
                    self.deleted.insert(id.0);
                    None
                }),
            };
            if answer.as_ref().is_err_and(DirectoryError::is_retryable) {
                // It may have happened or not; what it is now is read before it is used again.
                match client.monitor(workspace, id).await {
                    Ok(now) => self.known.push(now),
                    // Deleted by then, or users is away: it is left alone.
                    Err(_) => self.doubtful += 1,
                }
            }
            answer
        };
        match answer {
            Ok(Some((made, action))) => {
                self.acknowledged.insert((made.id.0, made.revision, action));
                self.known.push(made);
                true
            }
            Err(DirectoryError::Unavailable(_)) => {
                self.doubtful += 1;
                false
            }
            Ok(None) | Err(_) => true,
        }
    }

    /// Users lives in peace until its outbox is empty; then what it acknowledged, what is stored, what is on
    /// the log and what was checked are compared.
    async fn settle(&mut self, row: &mut Row) {
        self.mesh.ready_one(Service::Users, 0).await;
        let pool = self.mesh.stack.database().await.store.pool().clone();
        let begin = Instant::now();
        while sqlx::query_scalar::<_, i64>("SELECT count(*) FROM outbox").fetch_one(&pool).await.expect("a count") > 0 {
            if begin.elapsed() > Duration::from_secs(30) {
                row.violated("records wait in the outbox after 30 s");
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let audited = audited(&pool).await;
        for change in self.acknowledged.difference(&audited).filter(|change| !unchanged(change, &audited)) {
            row.violated(format!("{change:?} was acknowledged and is not there"));
        }
        let mut told = BTreeSet::new();
        let mut last: BTreeMap<Uuid, i64> = BTreeMap::new();
        for message in read_all(&self.mesh.kafka, &self.mesh.stack.topics().changes).await {
            match MonitorChange::decode(message.value.as_deref()) {
                Ok(change) => {
                    let (id, revision) = (change.monitor.0, change.revision);
                    if told.insert((id, revision, action(change.kind))) {
                        let before = last.insert(id, revision);
                        row.require(before.is_none_or(|before| before < revision), || {
                            format!("{id}: revision {revision} came after {before:?}")
                        });
                    }
                }
                Err(error) => row.violated(format!("a change cannot be read: {error}")),
            }
        }
        row.require(told == audited, || {
            format!("the log and the audit trail differ: {:?}", told.symmetric_difference(&audited).collect::<Vec<_>>())
        });
        self.compare_rows(row, &pool, &last).await;
        row.compared = format!(
            "{} changes, {} acknowledged, {} requests without an answer",
            audited.len(),
            self.acknowledged.len() + self.deleted.len(),
            self.doubtful
        );
    }

    /// Monitors as they stand, against the log, and against what the pinger checked.
    async fn compare_rows(&mut self, row: &mut Row, pool: &sqlx::PgPool, last: &BTreeMap<Uuid, i64>) {
        let stored = sqlx::query(
            "SELECT id, revision, name, deleted_at IS NOT NULL AS gone, coalesce((spec->>'paused')::bool, false) AS paused FROM monitors",
        )
        .fetch_all(pool)
        .await
        .expect("monitors");
        let mut active = Vec::new();
        for one in &stored {
            let (id, revision): (Uuid, i64) = (one.get("id"), one.get("revision"));
            row.require(last.get(&id) == Some(&revision), || {
                format!("{id} has revision {revision}, the log ends with {:?}", last.get(&id))
            });
            let (gone, paused): (bool, bool) = (one.get("gone"), one.get("paused"));
            row.require(gone || !self.deleted.contains(&id), || format!("{id} was deleted and is there"));
            if !gone && !paused {
                active.push(one.get::<String, _>("name"));
            }
        }
        let begin = Instant::now();
        while !active.is_empty() && begin.elapsed() < Duration::from_secs(20) {
            active.retain(|name| self.farm.visits(name).is_empty());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        row.require(active.is_empty(), || format!("never checked: {active:?}"));
        // What is in doubt is as the database has it from here on.
        let ids: BTreeSet<Uuid> = stored.iter().filter(|one| !one.get::<bool, _>("gone")).map(|one| one.get("id")).collect();
        self.known.retain(|known| ids.contains(&known.id.0));
        for id in ids.iter().filter(|id| !self.known.iter().any(|known| known.id.0 == **id)).take(50).copied().collect::<Vec<_>>() {
            if let Ok(now) = self.client.monitor(self.workspace, MonitorId(id)).await {
                self.known.push(now);
            }
        }
    }
}

async fn audited(pool: &sqlx::PgPool) -> BTreeSet<Change> {
    let rows =
        sqlx::query("SELECT action, object_id, (detail->>'revision')::bigint AS revision FROM audit_log WHERE action LIKE 'monitor.%'");
    let rows = rows.fetch_all(pool).await.expect("the audit trail");
    let kinds = [ChangeKind::Created, ChangeKind::Updated, ChangeKind::Paused, ChangeKind::Resumed, ChangeKind::Deleted];
    let known = |name: &str| kinds.into_iter().map(action).find(|action| *action == name).unwrap_or("unknown");
    rows.iter().map(|row| (row.get("object_id"), row.get("revision"), known(row.get("action")))).collect()
}

/// An update to what was there already is acknowledged with the revision of the change before.
fn unchanged(change: &Change, audited: &BTreeSet<Change>) -> bool {
    change.2 != "monitor.created" && audited.iter().any(|one| one.0 == change.0 && one.1 == change.1)
}

fn action(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Created => "monitor.created",
        ChangeKind::Updated => "monitor.updated",
        ChangeKind::Paused => "monitor.paused",
        ChangeKind::Resumed => "monitor.resumed",
        ChangeKind::Deleted => "monitor.deleted",
    }
}
