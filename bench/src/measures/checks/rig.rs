//! A pinger with its world: targets, the feed of monitors, Kafka and Redis. And the bare loops before the same targets.

use std::time::Duration;

use anyhow::Result;
use model::Schedule;
use testkit::Stack;

use crate::anchors::heap::monitor_id;
use crate::child::{Core, Process, words};
use crate::cpu::{Meter, memory_of};
use crate::measures::Suite;
use crate::roles::target::{Arrival, arrivals};
use crate::roles::{Count, Ready};

/// How a target is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Plain,
    /// A lookup that no cache may answer, for each check.
    Named,
    /// A full TLS 1.3 handshake for each check.
    Tls,
}

#[derive(Debug, Clone, Copy)]
pub struct Size {
    pub monitors: u32,
    pub interval_seconds: u32,
}

impl Size {
    pub fn rate(self) -> f64 {
        f64::from(self.monitors) / f64::from(self.interval_seconds)
    }

    pub fn interval(self) -> Duration {
        Duration::from_secs(u64::from(self.interval_seconds))
    }

    /// When the n-th monitor is due.
    pub fn schedule(self, n: u32) -> Result<Schedule> {
        let region = "bench".parse().map_err(anyhow::Error::msg)?;
        Ok(Schedule::new(monitor_id(n), &region, i64::from(self.interval_seconds) * 1000))
    }
}

/// What a pinger is to do.
#[derive(Debug, Clone)]
pub struct Task {
    pub kind: Kind,
    pub size: Size,
    /// More words for the feed of monitors.
    pub feed: String,
    /// More settings for the pinger.
    pub settings: Vec<(String, String)>,
}

impl Task {
    pub fn plain(size: Size) -> Self {
        Self { kind: Kind::Plain, size, feed: String::new(), settings: Vec::new() }
    }
}

/// A pinger that runs. The real Kafka and Redis of the test stack take its results and leases.
pub struct Rig {
    pub stack: Stack,
    pub pinger: Process,
    pub size: Size,
    /// Control ports of the targets and of the feed.
    pub target: u16,
    pub feed: u16,
    _world: Vec<Process>,
}

/// What a pinger did for a while.
pub struct Window {
    pub cpu_seconds: f64,
    pub seconds: f64,
    pub seen: Vec<Arrival>,
    pub memory: u64,
}

impl Window {
    #[expect(clippy::cast_precision_loss, reason = "counts of a measurement")]
    pub fn checks(&self) -> f64 {
        self.seen.len() as f64
    }

    pub fn cpu_ms_per_1000(&self) -> f64 {
        self.cpu_seconds * 1e6 / self.checks()
    }
}

/// After the first interval: what was made up for last has ended, the targets that hang included.
const SETTLED: Duration = Duration::from_secs(2);

impl Rig {
    pub async fn start(suite: &Suite, task: &Task, target: (Process, u16)) -> Result<Self> {
        let (size, stack, (target, port)) = (task.size, Stack::new(), target);
        stack.create_topics(6).await;
        let mut world = vec![target];
        let mut arguments =
            words(&format!("users --monitors {} --interval-seconds {} --port {port} {}", size.monitors, size.interval_seconds, task.feed));
        let mut settings = vec![
            ("KAFKA_BROKERS".to_owned(), stack.kafka_brokers.clone()),
            ("TOPIC_PREFIX".to_owned(), stack.topic_prefix.clone()),
            ("REDIS_URL".to_owned(), stack.redis_url.clone()),
            ("REDIS_PREFIX".to_owned(), stack.redis_prefix.clone()),
            ("INTERNAL_API_KEY".to_owned(), testkit::INTERNAL_KEY.to_owned()),
            ("REGION".to_owned(), "bench".to_owned()),
            ("ALLOWED_TARGET_NETWORKS".to_owned(), "127.0.0.0/8".to_owned()),
            ("ADMIN_ADDR".to_owned(), format!("127.0.0.1:{}", system_tests::free_port())),
            ("SPOOL_DIR".to_owned(), suite.scratch.path().join(format!("spool-{}", stack.id)).display().to_string()),
            ("RUST_LOG".to_owned(), "warn".to_owned()),
        ];
        settings.extend(task.settings.iter().cloned());
        match task.kind {
            Kind::Plain => {}
            Kind::Tls => arguments.extend(words("--scheme https")),
            Kind::Named => {
                arguments.push("--named".to_owned());
                let (server, dns) = name_server(suite).await?;
                world.push(server);
                settings.push(("NAME_SERVERS".to_owned(), format!("127.0.0.1:{dns}")));
            }
        }
        let mut users = Process::role(Core::Others, &arguments, suite.scratch.path())?;
        let feed = users.line::<Ready>(Duration::from_secs(10)).await?.port;
        world.push(users);
        settings.push(("USERS_URL".to_owned(), format!("http://127.0.0.1:{feed}")));
        let pinger = Process::service(Core::Alone, "pinger", &settings, suite.scratch.path())?;
        Ok(Self { stack, pinger, size, target: port, feed, _world: world })
    }

    /// Waits until checks arrive at nearly their rate, and a whole interval longer.
    ///
    /// Until then the pinger also makes up, at a pace, for the slots that were overdue when it started. Such a check belongs to a
    /// slot up to an interval old, which says when the pinger began and nothing about how punctual it is.
    pub async fn settled(&self) -> Result<()> {
        let rate = self.size.rate() * 0.8;
        for _ in 0..240 {
            arrivals(self.target).await?;
            tokio::time::sleep(Duration::from_millis(500)).await;
            #[expect(clippy::cast_precision_loss, reason = "counts of a measurement")]
            let seen = arrivals(self.target).await?.len() as f64 * 2.0;
            if seen >= rate {
                tokio::time::sleep(self.size.interval() + SETTLED).await;
                return Ok(());
            }
        }
        anyhow::bail!("the pinger does not reach {rate:.0} checks/s within two minutes: {}", self.pinger.tail())
    }

    /// Looks at it for so long.
    pub async fn window(&self, length: Duration) -> Result<Window> {
        let pid = self.pinger.pid()?;
        arrivals(self.target).await?;
        let meter = Meter::start(pid)?;
        tokio::time::sleep(length).await;
        let (cpu_seconds, seconds) = meter.read()?;
        let seen = arrivals(self.target).await?;
        anyhow::ensure!(!seen.is_empty(), "the pinger checked nothing: {}", self.pinger.tail());
        Ok(Window { cpu_seconds, seconds, seen, memory: memory_of(pid)? })
    }

    pub async fn end(self) -> Result<()> {
        self.pinger.terminate(Duration::from_secs(40)).await?;
        Ok(())
    }
}

/// Milliseconds between the slot an arrival belongs to and the arrival.
pub fn lateness(seen: &[Arrival], size: Size) -> Result<Vec<f64>> {
    seen.iter().map(|arrival| late(arrival, size)).collect()
}

/// The same of one.
pub fn late(Arrival(n, at_us, _): &Arrival, size: Size) -> Result<f64> {
    let slot = size.schedule(*n)?.at_or_before(at_us / 1000);
    #[expect(clippy::cast_precision_loss, reason = "microseconds within an interval")]
    let late = (at_us - slot * 1000) as f64 / 1000.0;
    Ok(late)
}

pub async fn target(suite: &Suite, tls: bool) -> Result<(Process, u16)> {
    let arguments = words(if tls { "target --tls" } else { "target" });
    let mut target = Process::role(Core::Others, &arguments, suite.scratch.path())?;
    let port = target.line::<Ready>(Duration::from_secs(10)).await?.port;
    Ok((target, port))
}

pub async fn name_server(suite: &Suite) -> Result<(Process, u16)> {
    let mut server = Process::role(Core::Others, &words("dns"), suite.scratch.path())?;
    let port = server.line::<Ready>(Duration::from_secs(10)).await?.port;
    Ok((server, port))
}

/// The bare loop of fresh connections.
pub async fn fresh(suite: &Suite, port: u16, kind: Kind, dns: Option<u16>) -> Result<Count> {
    let seconds = suite.size(3.0, 1.5);
    let mut arguments = words(&format!("fresh-loop --port {port} --seconds {seconds}"));
    if kind == Kind::Tls {
        arguments.push("--tls".to_owned());
    }
    if let Some(dns) = dns {
        arguments.extend(words(&format!("--dns {dns}")));
    }
    let mut bare = Process::role(Core::Alone, &arguments, suite.scratch.path())?;
    let count: Count = bare.line(Duration::from_secs(30)).await?;
    anyhow::ensure!(count.operations > 0 && count.errors * 100 < count.operations, "the bare loop failed: {count:?}");
    Ok(count)
}

/// The bare heap pinger at the same rate; its lateness at the target, in milliseconds.
pub async fn heap(suite: &Suite, port: u16, size: Size) -> Result<Vec<f64>> {
    let seconds = suite.size(5.0, 2.0);
    let arguments = words(&format!(
        "heap-pinger --port {port} --monitors {} --interval-ms {} --seconds {seconds}",
        size.monitors,
        size.interval_seconds * 1000
    ));
    arrivals(port).await?;
    let mut bare = Process::role(Core::Alone, &arguments, suite.scratch.path())?;
    bare.line::<Count>(Duration::from_secs(40)).await?;
    lateness(&arrivals(port).await?, size)
}
