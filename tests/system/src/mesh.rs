//! A mesh of real processes: any number of replicas of each service, each with an admin port, the users
//! and gateway replicas behind one address each, all of it in a corner of the stack of its own.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use testkit::Stack;

use crate::api::Api;
use crate::balancer::Balancer;
use crate::ports::free_port;
use crate::process::{Process, binary};

/// One of the five services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    Users,
    Pinger,
    Processor,
    Alerter,
    Gateway,
}

impl Service {
    /// In an order in which each finds what it needs, though none insists.
    pub const ALL: [Self; 5] = [Self::Users, Self::Processor, Self::Alerter, Self::Gateway, Self::Pinger];

    pub fn name(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Pinger => "pinger",
            Self::Processor => "processor",
            Self::Alerter => "alerter",
            Self::Gateway => "gateway",
        }
    }
}

/// What kind of mesh to start.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// Replicas of each service; 0 counts as 1.
    pub replicas: usize,
    /// For `SLACK_WEBHOOK_URL`.
    pub slack: Option<String>,
    /// Another broker than the stack's.
    pub kafka: Option<String>,
    /// Only these; empty means all five.
    pub services: Vec<Service>,
    /// Another Redis than the stack's.
    pub redis: Option<String>,
    /// Another PostgreSQL than the stack's.
    pub database: Option<String>,
    /// Where PostgreSQL is reached: the port of something in front of the stack's.
    pub database_port: Option<u16>,
    /// The same for Redis; the test itself goes straight.
    pub redis_port: Option<u16>,
    /// More settings, for all services.
    pub settings: Vec<(String, String)>,
}

struct Replica {
    service: Service,
    name: String,
    environment: HashMap<String, String>,
    admin: SocketAddr,
    process: Option<Process>,
}

impl Replica {
    /// Waits until it says that it is ready.
    async fn ready(&mut self) {
        let process = self.process.as_mut().expect("it runs");
        let api = Api::anonymous(self.admin);
        let begin = Instant::now();
        loop {
            assert!(process.is_running(), "{} ended at the start:\n{}", self.name, process.tail(30));
            let answer = api.try_raw(reqwest::Method::GET, "/ready", None).await;
            if answer.as_ref().is_ok_and(|answer| answer.status == 200) {
                return;
            }
            let said = answer.map_or_else(|error| error.to_string(), |answer| answer.body.to_string());
            assert!(begin.elapsed() < Duration::from_mins(1), "{} is not ready: {said}\n{}", self.name, process.tail(30));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// The running mesh. Its processes end, and what it stored goes, when it is dropped.
pub struct Mesh {
    replicas: Vec<Replica>,
    pub gateway: SocketAddr,
    pub users: SocketAddr,
    pub stack: Stack,
    /// The broker its services use.
    pub kafka: String,
    _balancers: Vec<Balancer>,
    directory: tempfile::TempDir,
}

/// Login of the first administrator, as [`Stack::environment`] sets it.
const EMAIL: &str = "admin@upmesh.test";
const PASSWORD: &str = "correct horse battery staple";

impl Mesh {
    /// Starts every service and waits until each says that it is ready.
    pub async fn start(plan: Plan) -> Self {
        let mut stack = Stack::new();
        if let Some(redis) = plan.redis.clone() {
            stack.redis_url = redis;
        }
        if let Some(database) = plan.database.clone() {
            stack.use_database_server(database);
        }
        let kafka = plan.kafka.clone().unwrap_or_else(|| stack.kafka_brokers.clone());
        if plan.kafka.is_some() {
            let config = kafka::KafkaConfig::new(&kafka, "system-tests");
            kafka::ensure_topics(&config, &stack.topics().specs(6), 1).await.expect("topics on the private broker");
        } else {
            stack.create_topics(6).await;
        }
        let directory = tempfile::tempdir().expect("a directory");
        let count = plan.replicas.max(1);
        let addresses = |n: usize| -> Vec<SocketAddr> { (0..n).map(|_| SocketAddr::from(([127, 0, 0, 1], free_port()))).collect() };
        let (users_at, gateways_at) = (addresses(count), addresses(count));
        let users = Balancer::start(users_at.clone()).await;
        let gateways = Balancer::start(gateways_at.clone()).await;

        let mut base = stack.environment().await;
        for (name, port) in [("DATABASE_URL", plan.database_port), ("REDIS_URL", plan.redis_port)] {
            let Some(port) = port else { continue };
            base.insert(name.to_owned(), through(&base[name], port));
        }
        let mut set = |name: &str, value: String| base.insert(name.to_owned(), value);
        set("KAFKA_BROKERS", kafka.clone());
        set("USERS_URL", format!("http://{}", users.address));
        set("PUBLIC_URL", format!("http://{}", gateways.address));
        set("FLUSH_SECONDS", "2".to_owned());
        set("RUST_LOG", "info".to_owned());
        if let Some(slack) = plan.slack {
            set("SLACK_WEBHOOK_URL", slack);
        }
        for (name, value) in plan.settings {
            set(&name, value);
        }

        let mut replicas = Vec::new();
        for service in Service::ALL.into_iter().filter(|service| plan.services.is_empty() || plan.services.contains(service)) {
            for n in 0..count {
                let name = format!("{}-{n}", service.name());
                let admin = SocketAddr::from(([127, 0, 0, 1], free_port()));
                let data = directory.path().join(&name);
                std::fs::create_dir_all(&data).expect("a data directory");
                let mut environment = base.clone();
                let mut set = |name: &str, value: String| environment.insert(name.to_owned(), value);
                set("ADMIN_ADDR", admin.to_string());
                set("USERS_ADDR", users_at[n].to_string());
                set("GATEWAY_ADDR", gateways_at[n].to_string());
                set("SPOOL_DIR", data.join("spool").display().to_string());
                set("DATA_DIR", data.display().to_string());
                replicas.push(Replica { service, name, environment, admin, process: None });
            }
        }
        let (gateway, users_address) = (gateways.address, users.address);
        let mut mesh = Self { replicas, gateway, users: users_address, stack, kafka, _balancers: vec![users, gateways], directory };
        for n in 0..mesh.replicas.len() {
            mesh.spawn(n);
        }
        mesh.ready().await;
        mesh
    }

    /// Waits until every process that runs says that it is ready.
    pub async fn ready(&mut self) {
        for replica in &mut self.replicas {
            if replica.process.is_some() {
                replica.ready().await;
            }
        }
    }

    /// Waits until one replica, which must run, says that it is ready.
    pub async fn ready_one(&mut self, service: Service, replica: usize) {
        let n = self.index(service, replica);
        self.replicas[n].ready().await;
    }

    /// A session of the first administrator.
    pub async fn login(&self) -> Api {
        Api::login(self.gateway, EMAIL, PASSWORD).await
    }

    /// kill -9 of one replica.
    pub fn kill9(&mut self, service: Service, replica: usize) {
        let n = self.index(service, replica);
        let mut process = self.replicas[n].process.take().expect("it runs");
        process.kill9();
    }

    /// SIGTERM to one replica, and its end; how long that took.
    pub async fn terminate(&mut self, service: Service, replica: usize) -> Duration {
        let n = self.index(service, replica);
        let mut process = self.replicas[n].process.take().expect("it runs");
        let begin = Instant::now();
        let status = process.terminate(Duration::from_secs(30)).await;
        assert!(status.success(), "{} ended with {status} after SIGTERM:\n{}", process.name, process.tail(30));
        begin.elapsed()
    }

    /// SIGTERM to all replicas of a service.
    pub async fn stop(&mut self, service: Service) {
        for n in 0..self.replicas.iter().filter(|replica| replica.service == service).count() {
            self.terminate(service, n).await;
        }
    }

    /// Other settings for one replica, from its next start on.
    pub fn set(&mut self, service: Service, replica: usize, name: &str, value: &str) {
        let n = self.index(service, replica);
        self.replicas[n].environment.insert(name.to_owned(), value.to_owned());
    }

    /// Where one replica reaches PostgreSQL, from its next start on: the port of something in front of it.
    pub fn set_database_port(&mut self, service: Service, replica: usize, port: u16) {
        let n = self.index(service, replica);
        let url = through(&self.replicas[n].environment["DATABASE_URL"], port);
        self.set(service, replica, "DATABASE_URL", &url);
    }

    /// One setting of one replica.
    pub fn setting(&self, service: Service, replica: usize, name: &str) -> Option<String> {
        self.replicas[self.index(service, replica)].environment.get(name).cloned()
    }

    /// Starts a replica that was ended, with the settings it had.
    pub fn restart(&mut self, service: Service, replica: usize) {
        let n = self.index(service, replica);
        self.spawn(n);
    }

    /// Starts a replica that was ended, with settings for this life only.
    pub fn restart_with(&mut self, service: Service, replica: usize, settings: impl Iterator<Item = (String, String)>) {
        let n = self.index(service, replica);
        let before = self.replicas[n].environment.clone();
        self.replicas[n].environment.extend(settings);
        self.spawn(n);
        self.replicas[n].environment = before;
    }

    /// How a replica ended, where it did by itself: once, then it counts as ended.
    pub fn ended(&mut self, service: Service, replica: usize) -> Option<ExitStatus> {
        let n = self.index(service, replica);
        let status = self.replicas[n].process.as_mut()?.ended()?;
        self.replicas[n].process = None;
        Some(status)
    }

    /// Whether it has ended, which [`Self::ended`] is still to tell how.
    pub fn has_ended(&mut self, service: Service, replica: usize) -> bool {
        let n = self.index(service, replica);
        self.replicas[n].process.as_mut().is_some_and(|process| process.ended().is_some())
    }

    /// Whether a replica has a process.
    pub fn runs(&self, service: Service, replica: usize) -> bool {
        self.replicas[self.index(service, replica)].process.is_some()
    }

    /// Any signal to one replica.
    pub fn signal(&self, service: Service, replica: usize, name: &str) {
        self.replicas[self.index(service, replica)].process.as_ref().expect("it runs").signal(name);
    }

    /// The last lines one replica has logged.
    pub fn tail(&self, service: Service, replica: usize, lines: usize) -> String {
        let log = self.log(service, replica);
        let all: Vec<&str> = log.lines().collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }

    /// Everything one replica has logged, over all its lives.
    pub fn log(&self, service: Service, replica: usize) -> String {
        std::fs::read_to_string(self.log_path(&self.replicas[self.index(service, replica)].name)).unwrap_or_default()
    }

    /// The settings of one replica, for `upmesh` and for processes a test starts itself.
    pub fn environment(&self, service: Service) -> HashMap<String, String> {
        self.replicas[self.index(service, 0)].environment.clone()
    }

    /// The process of one replica that runs.
    pub fn process_id(&self, service: Service, replica: usize) -> u32 {
        self.replicas[self.index(service, replica)].process.as_ref().expect("it runs").id()
    }

    /// Where one replica of users or gateway listens itself, without the balancer.
    pub fn port(&self, service: Service, replica: usize) -> u16 {
        let name = if service == Service::Users { "USERS_ADDR" } else { "GATEWAY_ADDR" };
        let address: SocketAddr = self.replicas[self.index(service, replica)].environment[name].parse().expect("an address");
        address.port()
    }

    /// The admin address of one replica.
    pub fn admin(&self, service: Service, replica: usize) -> SocketAddr {
        self.replicas[self.index(service, replica)].admin
    }

    /// The consumer group of a service in this mesh.
    pub fn group(&self, service: &str) -> String {
        format!("{}{service}", self.stack.topic_prefix)
    }

    /// Records of the log that a service's first replica has not read yet, by its own metrics.
    pub async fn lag(&self, service: Service) -> Option<i64> {
        let answer = Api::anonymous(self.admin(service, 0)).try_raw(reqwest::Method::GET, "/metrics", None).await.ok()?;
        let text = answer.body.as_str()?.to_owned();
        let lags: Vec<i64> = text
            .lines()
            .filter(|line| line.starts_with("upmesh_kafka_consumer_lag_records"))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .map(|lag| {
                #[expect(clippy::cast_possible_truncation, reason = "a count of records")]
                let lag = lag as i64;
                lag
            })
            .collect();
        (!lags.is_empty()).then(|| lags.iter().sum())
    }

    /// A metric of one replica, summed over its labels; none while it does not answer.
    pub async fn metric(&self, service: Service, replica: usize, name: &str) -> Option<f64> {
        let answer = Api::anonymous(self.admin(service, replica)).try_raw(reqwest::Method::GET, "/metrics", None).await.ok()?;
        let text = answer.body.as_str()?.to_owned();
        let of_name = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
        Some(text.lines().filter(of_name).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum())
    }

    fn log_path(&self, name: &str) -> PathBuf {
        self.directory.path().join(format!("{name}.log"))
    }

    fn index(&self, service: Service, replica: usize) -> usize {
        let mut of_service = self.replicas.iter().enumerate().filter(|(_, one)| one.service == service);
        of_service.nth(replica).unwrap_or_else(|| panic!("there is no {} {replica}", service.name())).0
    }

    fn spawn(&mut self, n: usize) {
        let replica = &mut self.replicas[n];
        assert!(replica.process.is_none(), "{} runs already", replica.name);
        let command = Command::new(binary(replica.service.name()));
        replica.process = Some(Process::start(&replica.name, command, &replica.environment, self.directory.path()));
    }
}

/// The same URL by another port.
fn through(url: &str, port: u16) -> String {
    let (start, rest) = url.rsplit_once(':').expect("the URL names a port");
    let path = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    format!("{start}:{port}{path}")
}
