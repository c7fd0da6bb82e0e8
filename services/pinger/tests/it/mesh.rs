//! One test's mesh: a users service that serves what the test lists, pingers, and the results topic read back.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{Query, State};
use axum::{Json, Router, routing::get};
use kafka::{Event, GroupConsumer, KafkaConfig};
use model::sight::ProberStatus;
use model::{CheckResult, Clock as _, Monitor, MonitorId, MonitorSpec, ScheduleSegment, SystemClock, WorkspaceId};
use serde_json::{Value, json};
use service::{Context, Env, Process};
use testkit::Stack;
use uuid::Uuid;

pub struct Mesh {
    pub stack: Stack,
    users: Arc<Mutex<Users>>,
    users_address: SocketAddr,
    spools: tempfile::TempDir,
    results: Arc<Mutex<Vec<CheckResult>>>,
    statuses: Arc<Mutex<Vec<ProberStatus>>>,
}

#[derive(Default)]
struct Users {
    source: Uuid,
    revision: i64,
    monitors: Vec<Monitor>,
}

/// One pinger; stopped when dropped or by [`Pinger::stop`].
pub struct Pinger {
    process: Process,
    running: tokio::task::JoinHandle<Result<(), service::Error>>,
    /// Its own runtime, so that it can be killed without a farewell.
    runtime: Option<tokio::runtime::Runtime>,
}

impl Mesh {
    pub async fn new() -> Self {
        let stack = Stack::new();
        stack.create_topics(3).await;
        let users = Arc::new(Mutex::new(Users { source: Uuid::new_v4(), ..Users::default() }));
        let app = Router::new().route("/internal/monitors", get(feed)).with_state(Arc::clone(&users));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let users_address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await });
        let results = Arc::<Mutex<Vec<CheckResult>>>::default();
        let statuses = Arc::<Mutex<Vec<ProberStatus>>>::default();
        tokio::spawn(collect(stack.kafka_brokers.clone(), stack.topics().results, Arc::clone(&results), events::decode_result));
        tokio::spawn(collect(stack.kafka_brokers.clone(), stack.topics().probers, Arc::clone(&statuses), events::decode_prober));
        Self { stack, users, users_address, spools: tempfile::tempdir().unwrap(), results, statuses }
    }

    /// A monitor every 10 s, made at `created_at`.
    pub fn monitor(&self, probe: &Value, created_at: i64) -> MonitorId {
        let spec = json!({"name": "m", "interval_seconds": 10, "timeout_ms": 1000, "regions": ["local"], "probe": probe});
        let spec: MonitorSpec = serde_json::from_value(spec).unwrap();
        let mut users = self.users.lock().unwrap();
        users.revision += 1;
        let monitor = Monitor {
            id: MonitorId(Uuid::new_v4()),
            workspace: WorkspaceId(Uuid::nil()),
            revision: users.revision,
            created_at,
            updated_at: created_at,
            segments: vec![ScheduleSegment { from: created_at, interval_ms: 10_000, regions: spec.regions.clone(), active: true }],
            spec,
        };
        let id = monitor.id;
        users.monitors.push(monitor);
        id
    }

    /// Tells every pinger to look, as the users service does.
    pub async fn tell(&self, monitor: MonitorId) {
        let producer = kafka::Producer::new(&KafkaConfig::new(self.stack.kafka_brokers.as_str(), "test")).unwrap();
        let topic: Arc<str> = self.stack.topics().changes.as_str().into();
        producer.send(kafka::Record::new(topic, monitor.to_string(), "{}")).unwrap().await.unwrap();
    }

    pub fn environment(&self, name: &str) -> HashMap<String, String> {
        let spool = self.spools.path().join(name);
        [
            ("REDIS_URL", self.stack.redis_url.as_str()),
            ("REDIS_PREFIX", &self.stack.redis_prefix),
            ("KAFKA_BROKERS", &self.stack.kafka_brokers),
            ("TOPIC_PREFIX", &self.stack.topic_prefix),
            ("INTERNAL_API_KEY", testkit::INTERNAL_KEY),
            ("USERS_URL", &format!("http://{}", self.users_address)),
            ("ALLOWED_TARGET_NETWORKS", "127.0.0.0/8,::1/128"),
            ("REGION", "local"),
            ("ADMIN_ADDR", "127.0.0.1:0"),
            ("CONFIRM_PAUSE_MS", "20"),
            ("SPOOL_DIR", spool.to_str().unwrap()),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
    }

    #[expect(clippy::unused_self, reason = "a pinger belongs to a mesh")]
    pub fn pinger(&self, environment: HashMap<String, String>) -> Pinger {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let process = Process::new();
        let ctx = Context::new("pinger", Env::from_map(environment), &process);
        let running = runtime.spawn({
            let process = process.clone();
            async move { service::run(&process, std::slice::from_ref(&ctx), pinger::start(ctx.clone())).await }
        });
        Pinger { process, running, runtime: Some(runtime) }
    }

    pub fn results(&self, monitor: MonitorId) -> Vec<CheckResult> {
        self.results.lock().unwrap().iter().filter(|result| result.monitor == monitor).cloned().collect()
    }

    /// Waits for a result that satisfies `wanted`.
    pub async fn result(&self, what: &str, patience: Duration, monitor: MonitorId, wanted: impl Fn(&CheckResult) -> bool) -> CheckResult {
        testkit::eventually(what, patience, || async { self.results(monitor).into_iter().find(|result| wanted(result)) }).await
    }
}

impl Mesh {
    /// Waits for a pinger to say something of itself.
    pub async fn status(&self, what: &str, patience: Duration, wanted: impl Fn(&ProberStatus) -> bool) -> ProberStatus {
        testkit::eventually(what, patience, || async { self.statuses.lock().unwrap().iter().find(|one| wanted(one)).cloned() }).await
    }
}

pub fn now() -> i64 {
    SystemClock.now_ms()
}

impl Pinger {
    /// SIGTERM: drains.
    pub async fn stop(mut self) {
        self.process.shutdown().cancel();
        (&mut self.running).await.expect("no panic").expect("a clean end");
        self.end();
    }

    /// SIGKILL: everything stops where it is.
    pub fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for Pinger {
    fn drop(&mut self) {
        self.end();
    }
}

async fn feed(State(users): State<Arc<Mutex<Users>>>, Query(query): Query<HashMap<String, String>>) -> Json<Value> {
    let users = users.lock().unwrap();
    let since: i64 = query.get("since").and_then(|since| since.parse().ok()).unwrap_or(0);
    let monitors: Vec<&Monitor> = users.monitors.iter().filter(|monitor| monitor.revision > since).collect();
    Json(json!({"source": users.source, "revision": users.revision, "monitors": monitors, "deleted": [], "more": false}))
}

async fn collect<T>(
    brokers: String,
    topic: String,
    results: Arc<Mutex<Vec<T>>>,
    decode: impl Fn(Option<&[u8]>, Option<&[u8]>) -> Result<T, events::DecodeError>,
) {
    let mut consumer =
        GroupConsumer::new(&KafkaConfig::new(brokers, "test").fetch_wait_ms(20), &format!("{topic}-test"), &[&topic]).unwrap();
    loop {
        match consumer.next(500, Duration::from_millis(10)).await {
            Ok(Event::Batch(messages)) => {
                let decoded = messages
                    .iter()
                    .map(|message| decode(message.key.as_deref(), message.value.as_deref()).expect("every record can be read"));
                results.lock().unwrap().extend(decoded);
            }
            Ok(Event::Assigned(assignment)) => assignment.start(HashMap::new()),
            Ok(Event::Revoked(revocation)) => revocation.done(),
            Err(error) => eprintln!("results: {error}"),
        }
    }
}
