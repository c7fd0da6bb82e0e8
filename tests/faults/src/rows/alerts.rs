//! The alerter dies between effects and their records, while its channels behave as badly as channels do.
//! One mesh of users and alerter; results are written to the log as a pinger would; a Slack webhook, a
//! Slack bot and a signed webhook are told of every transition at once.

mod beside;
pub mod check;
pub mod copies;
mod cuts;
mod outages;
mod proof;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use beside::Beside;
use copies::{BEHAVIOURS, behaviour};
pub use cuts::cuts;
pub use outages::outages;

use directory::Client;
use model::Outcome::{Down, Up};
use model::{CheckResult, MonitorId, MonitorSpec, Slot, WorkspaceId};
use system_tests::{Mesh, Plan, Service, monitor, now};
use testkit::{FakeSlack, SlackBehaviour};

use crate::log::{INTERVAL_MS, Writer, poison, result};
use crate::proxy::Proxy;
use crate::row::Row;
use crate::seed::Seed;
use crate::users;
use crate::victim::{Death, Victim};

/// A message is edited before the one of its recovery is written: only of what was told by itself, and by that message.
const EDITED: &str = "alerter::parent_edited";

const POINTS: [&str; 13] = [
    "alerter::sent",
    "alerter::judged",
    "alerter::before_commit",
    "alerter::committed",
    "alerter::claimed",
    "alerter::settled",
    "alerter::not_sent",
    EDITED,
    "alerter::events_claimed",
    "alerter::events_acked",
    "alerter::taken",
    "alerter::set_aside",
    "alerter::before_advice",
];

/// Trials between two looks at everything.
const BATCH: u64 = 20;
/// New monitors of a trial: twice what [`Alerts::next_results`] takes.
const MOST_NEW: usize = 14;
/// A process that did not come to its point by then is killed instead.
const PATIENCE: Duration = Duration::from_secs(5);
/// From its start to its share of the partitions: two rounds of the group, each heard of at a heartbeat.
const SHARED: Duration = Duration::from_millis(2500);

/// A transition's channel kinds, in the order of [`Alerts::hooks`].
pub(super) const KINDS: [&str; 3] = ["slack_webhook", "slack_bot", "webhook"];

/// A monitor that went down once and came back once: the truth about it.
pub(super) struct Story {
    pub monitor: MonitorId,
    pub down: Slot,
    pub up: Option<Slot>,
}

pub(super) struct Alerts {
    pub mesh: Mesh,
    /// One fake per channel, so that each has a script of its own.
    pub hooks: [FakeSlack; 3],
    writer: Writer,
    client: Client,
    workspace: WorkspaceId,
    fresh: VecDeque<MonitorId>,
    named: u64,
    pub stories: Vec<Story>,
    pub poisons: Vec<Vec<u8>>,
    pub deaths: Vec<Instant>,
    /// From when to when answers of the channels may have been lost on their way.
    pub mute: Vec<(Instant, Instant)>,
    seed: Seed,
    places: BTreeMap<String, u64>,
    /// Of each channel: at which points one died that had met which behaviours.
    cells: [BTreeSet<(&'static str, &'static str)>; 3],
    killed: u64,
    trials: u64,
    unasked: Vec<String>,
    beside: Beside,
    /// In front of the channels, where there is trouble with them.
    ways: Vec<Proxy>,
}

/// Runs trials for about `time`, or so many, and gives a row per channel.
pub async fn run(seed: &Seed, time: Duration, most: u64) -> Vec<Row> {
    let began = Instant::now();
    let mut rows = [
        Row::new(
            "3",
            "alerter dies at 13 points, alone and beside another that gets its partitions × Slack webhook: 200, 429, 5xx, hang, reset, refused connection, slow",
            "no alert is missed; a copy too many only where the answer was lost, one message per death, and it says so",
        ),
        Row::new("4", "the same × Slack bot, which can be read back", "each alert once: none missed, none twice"),
        Row::new(
            "4b",
            "the same × signed webhook",
            "each alert under one webhook-id; a repeat only where the answer was lost, one message per death, and it says so",
        ),
    ];
    let mut alerts = Alerts::start(seed.branch("alerts"), false).await;
    let until = Instant::now() + time;
    while alerts.trials < most && Instant::now() < until {
        let batch = BATCH.min(most - alerts.trials);
        for n in 0..batch {
            // The second half of them beside another alerter.
            if n == batch / 2 {
                alerts.begin_beside().await;
            }
            alerts.trial().await;
            if Instant::now() >= until {
                break;
            }
        }
        alerts.end_beside().await;
        alerts.settle(&mut rows).await;
        alerts.check(&mut rows).await;
        eprintln!(
            "  alerter: {} trials, {} deaths at points, {} stories",
            alerts.trials,
            alerts.places.values().sum::<u64>(),
            alerts.stories.len()
        );
        if rows.iter().any(|row| row.violations.len() > 20) {
            break;
        }
    }
    alerts.expire().await;
    alerts.check_log(&mut rows).await;
    for (row, cells) in rows.iter_mut().zip(&alerts.cells) {
        row.aim(&POINTS);
        row.compared = format!("{}, {} of {} pairs of point and behaviour", row.compared, cells.len(), POINTS.len() * BEHAVIOURS);
        row.trials = alerts.trials;
        row.exposures = alerts.places.values().sum();
        row.places.extend(alerts.places.clone());
        row.places.insert("SIGKILL".to_owned(), alerts.killed);
        row.places.insert("beside another alerter".to_owned(), alerts.beside.deaths);
        row.places.insert("partitions that changed hands there".to_owned(), alerts.beside.moves);
        for what in &alerts.unasked {
            row.violations.push(what.clone());
        }
        row.took = began.elapsed();
    }
    rows.into()
}

impl Alerts {
    /// `ways`: a proxy in front of each channel.
    async fn start(seed: Seed, ways: bool) -> Self {
        let hooks = [FakeSlack::start().await, FakeSlack::start().await, FakeSlack::start().await];
        let mut urls = [hooks[0].webhook_url(), hooks[1].api_url(), hooks[2].sink_url()];
        let mut proxies = Vec::new();
        if ways {
            for (hook, url) in hooks.iter().zip(&mut urls) {
                let way = Proxy::start(hook.address).await;
                *url = url.replace(&format!(":{}/", hook.address.port()), &format!(":{}/", way.port));
                proxies.push(way);
            }
        }
        let [webhook, api, sink] = urls;
        let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let settings = vec![
            set("SLACK_API_URL", &api),
            set("SLACK_BOT_TOKEN", "xoxb-test"),
            set("SLACK_CHANNEL", "C0FAKE"),
            set("WEBHOOK_URL", &sink),
            set("WEBHOOK_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
            set("RUST_LOG", "warn"),
        ];
        let services = vec![Service::Users, Service::Alerter];
        let mut mesh = Mesh::start(Plan { slack: Some(webhook), settings, services, replicas: 2, ..Plan::default() }).await;
        let writer = Writer::new(&mesh.kafka, &mesh.stack.topics().results);
        let (client, workspace) = users::client(&mesh, None).await;
        // Every life of the alerter from here on is a trial.
        mesh.stop(Service::Alerter).await;
        Self {
            mesh,
            hooks,
            writer,
            client,
            workspace,
            fresh: VecDeque::new(),
            named: 0,
            stories: Vec::new(),
            poisons: Vec::new(),
            deaths: Vec::new(),
            mute: Vec::new(),
            seed,
            places: BTreeMap::new(),
            cells: [const { BTreeSet::new() }; 3],
            killed: 0,
            trials: 0,
            unasked: Vec::new(),
            beside: Beside::default(),
            ways: proxies,
        }
    }

    /// A monitor that nothing happened to yet.
    async fn monitor(&mut self) -> MonitorId {
        self.stock(1).await;
        self.fresh.pop_front().expect("there are some")
    }

    /// Makes so many ahead at least.
    async fn stock(&mut self, least: usize) {
        while self.fresh.len() < least {
            for _ in 0..40 {
                self.named += 1;
                let name = format!("Shop {}", self.named);
                let spec: MonitorSpec =
                    serde_json::from_value(monitor(&name, &format!("http://127.0.0.1:9/{}", self.named))).expect("a spec");
                let made = self.client.create_monitor("faults", self.workspace, &spec).await.expect("a monitor");
                self.fresh.push_back(made.id);
            }
        }
    }

    /// Recoveries of what is down, and new troubles.
    async fn next_results(&mut self) -> Vec<CheckResult> {
        let more = match self.seed.below(10) {
            0 => 7,
            // So that some are in each one's partitions.
            _ if self.beside.is_there() => 4,
            1..4 => 2,
            _ => 1,
        };
        self.results_of(more).await
    }

    /// The same, of so many new ones.
    async fn results_of(&mut self, more: u64) -> Vec<CheckResult> {
        let mut results = Vec::new();
        for story in self.stories.iter_mut().filter(|story| story.up.is_none()) {
            let slot = (story.down + INTERVAL_MS).max(now() - INTERVAL_MS);
            story.up = Some(slot);
            results.push(result(story.monitor, slot, Up, 1000));
        }
        for _ in 0..more {
            let monitor = self.monitor().await;
            let down = now() - 2 * INTERVAL_MS;
            results.push(result(monitor, down - INTERVAL_MS, Up, 1000));
            results.push(result(monitor, down, Down, 1000));
            // Some are over before anyone was told.
            let up = self.seed.chance(25).then_some(down + INTERVAL_MS);
            results.extend(up.map(|up| result(monitor, up, Up, 1000)));
            self.stories.push(Story { monitor, down, up });
        }
        results
    }

    async fn trial(&mut self) {
        let n = self.trials;
        self.trials += 1;
        // The window that matters most comes every third time; otherwise in turn.
        let point = if n.is_multiple_of(3) { POINTS[0] } else { POINTS[usize::try_from(n - n / 3 - 1).unwrap_or(0) % POINTS.len()] };
        self.behave(point);
        let rare = matches!(point, "alerter::taken" | "alerter::set_aside" | "alerter::before_advice" | EDITED);
        let once = self.beside.is_there() || rare;
        let nth = if self.seed.chance(30) && !once { 2 } else { 1 };
        let victim = Victim::of(Service::Alerter);
        // What another one holds that lives runs out in its own time.
        if self.seed.chance(60) && !self.beside.is_there() {
            self.expire().await;
        }
        let results = if point == EDITED { self.results_of(1).await } else { self.next_results().await };
        if point == "alerter::set_aside" || self.seed.chance(10) {
            let bytes = poison(self.seed.number(), n);
            let key = self.stories[0].monitor;
            self.writer.records(vec![(key, bytes.clone())]).await;
            self.poisons.push(bytes);
        }
        let before = self.hooks.each_ref().map(|hook| hook.posts().len());
        let living = self.living().await;
        // Not while it may die: its death would be noted late.
        self.stock(MOST_NEW).await;
        let mut died = None;
        victim.start(&mut self.mesh, Some((point, nth)));
        // Before, during or after its start.
        let pause = Duration::from_millis(self.seed.below(1200));
        self.rest(victim, pause, &mut died).await;
        self.writer.results(&results).await;
        if self.beside.is_there() || point == EDITED {
            // Once it has its share of the partitions; and what it told recovers.
            self.rest(victim, SHARED, &mut died).await;
            let results = if point == EDITED { self.results_of(1).await } else { self.next_results().await };
            self.writer.results(&results).await;
        }
        let patience = if matches!(point, "alerter::before_advice" | EDITED) { PATIENCE * 2 } else { PATIENCE };
        let death = victim.wait(&mut self.mesh, point, patience).await;
        self.deaths.push(died.unwrap_or_else(Instant::now));
        match death {
            Death::AtPoint => {
                *self.places.entry(point.to_owned()).or_default() += 1;
                for ((cells, hook), before) in self.cells.iter_mut().zip(&self.hooks).zip(before) {
                    cells.extend(hook.posts()[before..].iter().map(|post| (point, behaviour(post))));
                }
            }
            Death::Killed => self.killed += 1,
            Death::Unasked => self.unasked.push(format!("the alerter ended by itself in trial {n}, armed at {point} (I12)")),
        }
        self.beside.deaths += u64::from(self.beside.is_there() && death == Death::AtPoint);
        victim.bury_beside(&self.mesh, &living).await;
    }

    /// Waits so long, and notes when it has died meanwhile.
    async fn rest(&mut self, victim: Victim, time: Duration, died: &mut Option<Instant>) {
        let until = Instant::now() + time;
        while Instant::now() < until {
            if died.is_none() && self.mesh.has_ended(victim.service, victim.replica) {
                *died = Some(Instant::now());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// What the channels do with the next messages.
    fn behave(&mut self, point: &str) {
        // A message that is told in peace has an answer to edit.
        for hook in self.hooks.iter().filter(|_| point != EDITED) {
            for _ in 0..3 {
                let behaviour = if point == "alerter::not_sent" {
                    SlackBehaviour::Status(503)
                } else {
                    match self.seed.below(40) {
                        0..20 => continue,
                        20..24 => SlackBehaviour::RateLimited(1),
                        24..28 => SlackBehaviour::Status(*self.seed.pick(&[500, 502, 503])),
                        28..32 => SlackBehaviour::Reset,
                        32..35 => SlackBehaviour::Drop,
                        35..39 => SlackBehaviour::Slow(Duration::from_millis(self.seed.below(800))),
                        _ => SlackBehaviour::Hang,
                    }
                };
                hook.script([behaviour]);
            }
        }
    }

    /// While no alerter lives: its claims are given up as they would be by one that has been there for a while, and its pauses are over,
    /// so that nobody waits for them.
    async fn expire(&self) {
        let pool = self.mesh.stack.database().await.store.pool();
        for sql in [
            "UPDATE deliveries SET state = 'pending', doubtful = true, owner = NULL, lease_until = NULL WHERE state = 'sending'",
            "UPDATE deliveries SET due_at = now() WHERE state = 'pending' AND due_at > now()",
            "UPDATE alerts SET lease_until = now() - interval '1 s' WHERE published_at IS NULL AND lease_until IS NOT NULL",
        ] {
            sqlx::query(sql).execute(pool).await.expect("PostgreSQL");
        }
    }

    /// Lets the alerter live in peace until nothing waits.
    async fn settle(&mut self, rows: &mut [Row]) {
        for hook in &self.hooks {
            hook.forget_script();
        }
        let mut results = Vec::new();
        for story in self.stories.iter_mut().filter(|story| story.up.is_none()) {
            let slot = (story.down + INTERVAL_MS).max(now() - INTERVAL_MS);
            story.up = Some(slot);
            results.push(result(story.monitor, slot, Up, 1000));
        }
        self.writer.results(&results).await;
        self.expire().await;
        let victim = Victim::of(Service::Alerter);
        victim.start(&mut self.mesh, None);
        let quiet = check::quiet(&self.mesh, Duration::from_secs(120)).await;
        for row in rows {
            row.require(quiet.is_ok(), || format!("not quiet after 120 s: {}", quiet.as_ref().err().cloned().unwrap_or_default()));
        }
        self.mesh.kill9(Service::Alerter, 0);
        self.deaths.push(Instant::now());
        self.killed += 1;
        victim.bury(&self.mesh).await;
    }
}
