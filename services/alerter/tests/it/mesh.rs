//! One test's mesh: topics, a database, a fake users service, a fake Slack, and alerters that can be killed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use directory::wire::{Channel, ChannelSettings, MonitorPage};
use events::encode_result;
use kafka::{KafkaConfig, Producer, Record};
use model::monitor::{AlertPolicy, HttpProbe, ProbeSpec};
use model::{Cause, CheckResult, Clock, Monitor, MonitorId, MonitorSpec, Outcome, Phases, Slot, SystemClock, WorkspaceId};
use service::{Context, Env, Process};
use testkit::{FakeSlack, Stack};
use uuid::Uuid;

pub const LONG: Duration = Duration::from_secs(30);
pub const INTERVAL_MS: i64 = 10_000;
const WORKSPACE: WorkspaceId = WorkspaceId(Uuid::from_u128(77));

pub struct Mesh {
    pub stack: Stack,
    pub slack: FakeSlack,
    users: Arc<Mutex<Users>>,
    users_url: String,
    producer: Producer,
    topic: Arc<str>,
    env: HashMap<String, String>,
    /// The slot of the next result; moves one interval with each round.
    pub slot: Slot,
}

#[derive(Default)]
struct Users {
    source: Uuid,
    revision: i64,
    monitors: Vec<Monitor>,
    deleted: Vec<directory::wire::Deleted>,
    channels: Vec<Channel>,
    /// How far their clock is ahead of ours, where they tell it.
    ahead: Option<i64>,
    /// Whoever asks anew is told what was so before the last change, and nobody is told what came since.
    lags: bool,
}

/// How the workspace is told.
#[derive(Clone, Copy)]
pub enum Told {
    SlackWebhook,
    SlackBot,
    /// The bot, its channel set by name.
    SlackBotByName,
    Webhook,
}

impl Mesh {
    /// A mesh with `monitors` monitors told through one channel, on `partitions` partitions.
    pub async fn new(monitors: usize, partitions: i32, told: Told) -> Self {
        Self::with_policy(monitors, partitions, told, AlertPolicy::default()).await
    }

    pub async fn with_policy(monitors: usize, partitions: i32, told: Told, policy: AlertPolicy) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let corner = Stack::new();
        let topics = corner.create_topics(partitions).await;
        let slack = FakeSlack::start().await;
        let workspace = WORKSPACE;
        let settings = match told {
            Told::SlackWebhook => ChannelSettings::SlackWebhook { url: slack.webhook_url().into() },
            Told::SlackBot => ChannelSettings::SlackBot { token: "xoxb-test".into(), channel: "C0FAKE".to_owned() },
            Told::SlackBotByName => ChannelSettings::SlackBot { token: "xoxb-test".into(), channel: "#ops".to_owned() },
            Told::Webhook => ChannelSettings::Webhook { url: slack.sink_url().into(), secret: Some("s3cret".into()) },
        };
        let channel = Channel { id: Uuid::new_v4().into(), workspace, name: "ops".to_owned(), default: true, updated_at: 1, settings };
        let now = SystemClock.now_ms();
        let list: Vec<Monitor> = (0..monitors).map(|n| monitor(workspace, n, &policy, now)).collect();
        let users = Arc::new(Mutex::new(Users {
            source: Uuid::new_v4(),
            revision: i64::try_from(monitors).expect("few"),
            monitors: list,
            channels: vec![channel],
            ..Users::default()
        }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let users_url = format!("http://{}", listener.local_addr().expect("address"));
        let router = Router::new()
            .route("/internal/monitors", get(monitors_feed))
            .route("/internal/channels", get(|State(users): State<Arc<Mutex<Users>>>| async move { Json(lock(&users).channels.clone()) }))
            .with_state(Arc::clone(&users));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let env = corner.environment().await;
        let producer = Producer::new(&KafkaConfig::new(corner.kafka_brokers.clone(), "test")).expect("a producer");
        // Slots in the recent past, so that a few rounds stay out of the future.
        Self { stack: corner, slack, users, users_url, producer, topic: topics.results.into(), env, slot: now - 20 * INTERVAL_MS }
    }

    pub fn monitors(&self) -> Vec<Monitor> {
        lock(&self.users).monitors.clone()
    }

    pub fn monitor(&self, n: usize) -> MonitorId {
        self.monitors()[n].id
    }

    /// Another log under the same services, as when the embedded broker starts anew.
    pub fn use_log(&mut self, brokers: &str) {
        self.env.insert("KAFKA_BROKERS".to_owned(), brokers.to_owned());
        self.env.insert("KAFKA_FETCH_WAIT_MS".to_owned(), "50".to_owned());
        self.producer = Producer::new(&KafkaConfig::new(brokers, "test")).expect("a producer");
    }

    /// Changes a monitor as users would; the alerter is told through the topic of changes.
    pub async fn change(&self, id: MonitorId, change: impl FnOnce(&mut Monitor)) {
        {
            let mut users = lock(&self.users);
            users.revision += 1;
            let revision = users.revision;
            let monitor = users.monitors.iter_mut().find(|monitor| monitor.id == id).expect("a monitor");
            change(monitor);
            monitor.revision = revision;
        }
        self.tell_change(id).await;
    }

    /// A monitor as users would make it next, of which nobody is told.
    pub fn make(&self) -> Monitor {
        let users = lock(&self.users);
        let made = monitor(WORKSPACE, users.monitors.len(), &AlertPolicy::default(), SystemClock.now_ms());
        Monitor { revision: users.revision + 1, ..made }
    }

    /// Users tell of a monitor.
    pub async fn add(&self, monitor: Monitor) {
        let id = monitor.id;
        {
            let mut users = lock(&self.users);
            users.revision = monitor.revision;
            users.monitors.push(monitor);
        }
        self.tell_change(id).await;
    }

    /// Somebody sets the bot's channel to another one. An alerter that runs hears of it later.
    pub fn set_slack_channel(&self, name: &str) {
        let mut users = lock(&self.users);
        users.channels[0].settings = ChannelSettings::SlackBot { token: "xoxb-test".into(), channel: name.to_owned() };
    }

    /// Another channel, used by the monitors that name it.
    pub fn add_channel(&self, name: &str) {
        let settings = ChannelSettings::Webhook { url: self.slack.sink_url().into(), secret: Some("s3cret".into()) };
        let channel =
            Channel { id: Uuid::new_v4().into(), workspace: WORKSPACE, name: name.to_owned(), default: false, updated_at: 1, settings };
        lock(&self.users).channels.push(channel);
    }

    pub async fn delete(&self, id: MonitorId) {
        {
            let mut users = lock(&self.users);
            users.revision += 1;
            let revision = users.revision;
            users.monitors.retain(|monitor| monitor.id != id);
            users.deleted.push(directory::wire::Deleted { id, revision });
        }
        self.tell_change(id).await;
    }

    /// Users tell the time from now on, so much ahead of ours.
    pub fn set_users_ahead(&self, ms: i64) {
        lock(&self.users).ahead = Some(ms);
    }

    /// Whether the list of monitors lags by the last change.
    pub fn set_lag(&self, lags: bool) {
        lock(&self.users).lags = lags;
    }

    async fn tell_change(&self, id: MonitorId) {
        let record = Record::new(self.stack.topics().changes.into(), id.to_string().into_bytes(), b"{}".to_vec());
        self.producer.send(record).expect("room").await.expect("an ack");
    }

    /// One result of each given monitor in the next slot, acknowledged by Kafka.
    pub async fn round(&mut self, outcomes: &[(MonitorId, Outcome)]) {
        let slot = self.slot;
        self.slot += INTERVAL_MS;
        let results: Vec<CheckResult> = outcomes.iter().map(|(monitor, outcome)| result(*monitor, slot, *outcome)).collect();
        self.produce(&results).await;
    }

    pub async fn all(&mut self, outcome: Outcome) {
        let outcomes: Vec<_> = self.monitors().iter().map(|monitor| (monitor.id, outcome)).collect();
        self.round(&outcomes).await;
    }

    pub async fn produce(&self, results: &[CheckResult]) {
        let mut acks = Vec::new();
        for result in results {
            let value = encode_result(result).expect("JSON");
            let record = Record::new(Arc::clone(&self.topic), result.monitor.to_string().into_bytes(), value);
            acks.push(self.producer.send(record).expect("room"));
        }
        for ack in acks {
            ack.await.expect("an ack");
        }
    }

    /// A setting of the alerters to come.
    pub fn set(&mut self, name: &str, value: &str) {
        self.env.insert(name.to_owned(), value.to_owned());
    }

    /// One record, acknowledged by Kafka.
    pub async fn send(&self, record: Record) {
        self.producer.send(record).expect("room").await.expect("an ack");
    }

    /// Starts an alerter on a runtime of its own.
    pub fn alerter(&self) -> Alerter {
        let mut env = self.env.clone();
        for (name, value) in
            [("USERS_URL", self.users_url.as_str()), ("SLACK_API_URL", &self.slack.api_url()), ("PUBLIC_URL", "https://up.example.org")]
        {
            env.insert(name.to_owned(), value.to_owned());
        }
        let process = Process::new();
        let ctx = Context::new("alerter", Env::from_map(env), &process);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        let started = ctx.clone();
        runtime.spawn(async move { alerter::start(started).await.expect("the alerter starts") });
        Alerter { process, ctx, runtime: Some(runtime) }
    }

    pub async fn store(&self) -> store::Store {
        self.stack.database().await.store.clone()
    }

    /// Runs SQL that gives nothing.
    pub async fn run(&self, sql: &'static str) {
        self.stack.database().await.run(sql).await;
    }

    /// The number a query gives.
    pub async fn count(&self, sql: &'static str) -> i64 {
        self.stack.database().await.number(sql).await
    }

    /// The text a query gives.
    pub async fn text(&self, sql: &'static str) -> String {
        self.stack.database().await.text(sql).await
    }
}

/// A running alerter.
pub struct Alerter {
    process: Process,
    ctx: Context,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Alerter {
    /// As SIGKILL: nothing is finished, nothing is committed.
    pub fn kill(mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }

    /// As SIGTERM: commits, leaves the group, ends.
    pub async fn stop(mut self) {
        self.process.shutdown().cancel();
        tokio::time::sleep(Duration::from_millis(1500)).await;
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
        assert!(self.process.take_failure().is_none(), "the alerter failed");
    }

    /// The value of a metric without labels, or the sum over its labels.
    pub fn metric(&self, name: &str) -> f64 {
        let families = self.ctx.metrics().gather();
        let family = families.iter().find(|family| family.name() == name);
        family.map_or(0.0, |family| {
            family.get_metric().iter().map(|metric| metric.get_counter().get_value() + metric.get_gauge().get_value()).sum()
        })
    }
}

impl Drop for Alerter {
    fn drop(&mut self) {
        if let Some(failure) = self.process.take_failure() {
            eprintln!("the alerter failed: {failure}");
        }
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn monitor(workspace: WorkspaceId, n: usize, policy: &AlertPolicy, now: i64) -> Monitor {
    let revision = i64::try_from(n).expect("few") + 1;
    Monitor {
        id: Uuid::now_v7().into(),
        workspace,
        revision,
        created_at: now,
        updated_at: now,
        spec: MonitorSpec {
            name: format!("Shop {n}"),
            probe: ProbeSpec::Http(HttpProbe {
                url: format!("https://shop{n}.example.org/"),
                method: model::monitor::HttpMethod::Get,
                headers: std::collections::BTreeMap::default(),
                body: None,
                max_redirects: 5,
                verify_tls: true,
            }),
            interval_seconds: 10,
            timeout_ms: 5000,
            regions: vec!["local".parse().expect("a region")],
            assertions: Vec::new(),
            alert: policy.clone(),
            paused: false,
            tags: std::collections::BTreeMap::default(),
        },
        segments: Vec::new(),
    }
}

pub fn result(monitor: MonitorId, slot: Slot, outcome: Outcome) -> CheckResult {
    CheckResult {
        monitor,
        region: "local".parse().expect("a region"),
        slot,
        interval_ms: INTERVAL_MS,
        outcome,
        cause: (outcome == Outcome::Down).then_some(Cause::Status),
        detail: (outcome == Outcome::Down).then(|| "503 Service Unavailable".to_owned()),
        latency_us: Some(12_000),
        phases: Phases::default(),
        status: Some(503),
        certificate_expires_at: None,
        attempts: 1,
        started_at: SystemClock.now_ms(),
        epoch: 1,
        pinger: "test".to_owned(),
        revision: 1,
        suspect: false,
    }
}

async fn monitors_feed(
    State(users): State<Arc<Mutex<Users>>>,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Json<MonitorPage>, StatusCode> {
    let since: i64 = query.get("since").and_then(|since| since.parse().ok()).unwrap_or(0);
    let users = lock(&users);
    let revision = users.revision - i64::from(users.lags);
    if users.lags && since > 0 {
        return Err(StatusCode::SERVICE_UNAVAILABLE);
    }
    let told = since + 1..=revision;
    Ok(Json(MonitorPage {
        source: users.source,
        revision,
        monitors: users.monitors.iter().filter(|monitor| told.contains(&monitor.revision)).cloned().collect(),
        deleted: users.deleted.iter().filter(|gone| told.contains(&gone.revision)).copied().collect(),
        more: false,
        now: users.ahead.map(|ahead| SystemClock.now_ms() + ahead),
    }))
}

fn lock(users: &Mutex<Users>) -> std::sync::MutexGuard<'_, Users> {
    users.lock().unwrap_or_else(PoisonError::into_inner)
}
