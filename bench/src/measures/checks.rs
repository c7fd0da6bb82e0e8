//! The pinger: CPU per check against bare loops, memory, lateness, and targets that hang.

use std::time::Duration;

use anyhow::Result;
use model::Schedule;
use testkit::Stack;

use super::{Suite, progress};
use crate::anchors::heap::monitor_id;
use crate::child::{Core, Process};
use crate::cpu::{Meter, memory_of};
use crate::roles::target::{Arrival, arrivals};
use crate::roles::{Count, Ready};
use crate::stats::{Pairs, quantile};

/// How a target is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    /// A lookup that no cache may answer, for each check.
    Named,
    /// A full TLS 1.3 handshake for each check.
    Tls,
}

/// One pinger with its world.
struct Mesh {
    stack: Stack,
    pinger: Process,
    target: u16,
    _world: Vec<Process>,
}

#[derive(Debug, Clone, Copy)]
struct Size {
    monitors: u32,
    interval_seconds: u32,
}

impl Size {
    fn rate(self) -> f64 {
        f64::from(self.monitors) / f64::from(self.interval_seconds)
    }
}

/// After the first interval: what was made up for last has ended, the targets that hang included.
const SETTLED: Duration = Duration::from_secs(2);

pub async fn measure(suite: &mut Suite) -> Result<()> {
    if suite.wants(&["P1", "P5", "P6"]) {
        plain(suite).await?;
    }
    if suite.wants(&["P3"]) {
        let size = suite.size(Size { monitors: 20_000, interval_seconds: 10 }, Size { monitors: 2_500, interval_seconds: 10 });
        let pairs = cost(suite, Kind::Named, size).await?;
        let what = format!("pinger, an uncached lookup per check, {:.0}/s: share of the bare hyper + hickory loop", size.rate());
        suite.share("P3", &what, 0.45, "CPU ms/1000", &pairs);
    }
    if suite.wants(&["P4"]) {
        let size = suite.size(Size { monitors: 10_000, interval_seconds: 10 }, Size { monitors: 2_000, interval_seconds: 10 });
        let pairs = cost(suite, Kind::Tls, size).await?;
        let what = format!("pinger, a full TLS 1.3 handshake per check, {:.0}/s: share of the bare hyper + rustls loop", size.rate());
        suite.share("P4", &what, 0.75, "CPU ms/1000", &pairs);
    }
    if suite.wants(&["P7"]) {
        hanging(suite).await?;
    }
    Ok(())
}

/// P1, P5 and P6 look at the same running pinger.
async fn plain(suite: &mut Suite) -> Result<()> {
    let size = suite.size(Size { monitors: 100_000, interval_seconds: 20 }, Size { monitors: 5_000, interval_seconds: 10 });
    let (mut pairs, mut late, mut bare_late, mut memory, mut skipped) = (Pairs::default(), Vec::new(), Vec::new(), 0, 0.0);
    for n in 0..suite.pairs() {
        progress(&format!("P1: pair {} of {}", n + 1, suite.pairs()));
        let (target, port) = target(suite, false).await?;
        let bare = fresh(suite, port, Kind::Plain, None).await?;
        bare_late.push(heap(suite, port, size).await?);
        let run = run(suite, Kind::Plain, size, target, port, false).await?;
        pairs.push(bare.cpu_ms_per_1000(), run.cpu_ms_per_1000);
        late.push(run.late);
        memory = memory.max(run.memory);
        skipped += run.skipped;
    }
    if suite.wants(&["P1"]) {
        let what = format!(
            "pinger, {} monitors at {} s, fresh connections, Kafka included: share of the bare hyper loop",
            size.monitors, size.interval_seconds
        );
        suite.share("P1", &what, 0.40, "CPU ms/1000", &pairs);
    }
    if suite.wants(&["P5"]) {
        #[expect(clippy::cast_precision_loss, reason = "megabytes")]
        let megabytes = memory as f64 / 1e6;
        let bar = 40.0 + f64::from(size.monitors) / 1000.0;
        suite.below(
            "P5",
            &format!("pinger, resident memory with {} monitors", size.monitors),
            megabytes,
            " MB",
            bar,
            "40 MB + 1 MB per 1000".to_owned(),
        );
    }
    if suite.wants(&["P6"]) {
        let p99 = |runs: &[Vec<f64>], q: f64| crate::stats::median(&runs.iter().map(|run| quantile(run, q)).collect::<Vec<_>>());
        let (ours, bare) = (p99(&late, 0.99), p99(&bare_late, 0.99));
        // The bar of a shared machine: five times the bare pinger alongside, and five milliseconds.
        let bar = (bare * 5.0 + 5.0).max(10.0);
        let note = format!(
            "arrival − slot at the target; p50 {:.1}, p99.9 {:.1} ms; bare heap pinger p99 {bare:.1} ms; {skipped:.0} slots not seen",
            p99(&late, 0.5),
            p99(&late, 0.999)
        );
        suite.below("P6", &format!("pinger, lateness p99 at {:.0}/s on one core", size.rate()), ours, " ms", bar, note);
    }
    Ok(())
}

/// P7: one target in ten answers after five seconds.
async fn hanging(suite: &mut Suite) -> Result<()> {
    let size = suite.size(Size { monitors: 100_000, interval_seconds: 60 }, Size { monitors: 2_000, interval_seconds: 10 });
    let (target, port) = target(suite, false).await?;
    let run = run(suite, Kind::Plain, size, target, port, true).await?;
    let note = format!("of {:.0}/s nominal; lateness p99 {:.1} ms; {:.0} MB resident", size.rate(), quantile(&run.late, 0.99), {
        #[expect(clippy::cast_precision_loss, reason = "megabytes")]
        let megabytes = run.memory as f64 / 1e6;
        megabytes
    });
    suite.above(
        "P7",
        &format!("pinger, {} monitors at {} s, one target in ten hangs 5 s: share of the slots run", size.monitors, size.interval_seconds),
        run.rate / size.rate(),
        "×",
        0.98,
        note,
    );
    Ok(())
}

/// Pairs of a bare loop and the pinger, by CPU per 1000 checks.
async fn cost(suite: &Suite, kind: Kind, size: Size) -> Result<Pairs> {
    let mut pairs = Pairs::default();
    for n in 0..suite.pairs() {
        progress(&format!("{kind:?}: pair {} of {}", n + 1, suite.pairs()));
        let (target, port) = target(suite, kind == Kind::Tls).await?;
        let dns = if kind == Kind::Named { Some(name_server(suite).await?) } else { None };
        let bare = fresh(suite, port, kind, dns.as_ref().map(|(_, port)| *port)).await?;
        drop(dns);
        let run = run(suite, kind, size, target, port, false).await?;
        pairs.push(bare.cpu_ms_per_1000(), run.cpu_ms_per_1000);
    }
    Ok(pairs)
}

struct Run {
    cpu_ms_per_1000: f64,
    rate: f64,
    /// Milliseconds from the slot to the arrival at the target.
    late: Vec<f64>,
    memory: u64,
    /// Slots of the window whose request never came.
    skipped: f64,
}

/// Starts a pinger on its own core, lets it settle, and looks at it for a while.
///
/// It settles for one whole interval: until then it also makes up, at a pace, for the slots that were overdue when it started.
/// Such a check belongs to a slot up to an interval old, which says when the pinger began and nothing about how punctual it is.
async fn run(suite: &Suite, kind: Kind, size: Size, target: Process, port: u16, hang: bool) -> Result<Run> {
    let mesh = mesh(suite, kind, size, target, port, hang).await?;
    let settle = Duration::from_secs(u64::from(size.interval_seconds)) + SETTLED;
    let window = Duration::from_secs(suite.size(10, 4));
    wait_for_rate(&mesh, size.rate() * 0.8).await?;
    tokio::time::sleep(settle).await;
    let pid = mesh.pinger.pid()?;
    arrivals(mesh.target).await?;
    let meter = Meter::start(pid)?;
    tokio::time::sleep(window).await;
    let (cpu, seconds) = meter.read()?;
    let seen = arrivals(mesh.target).await?;
    let memory = memory_of(pid)?;
    anyhow::ensure!(!seen.is_empty(), "the pinger checked nothing: {}", mesh.pinger.tail());
    mesh.pinger.terminate(Duration::from_secs(40)).await?;
    drop(mesh.stack);
    #[expect(clippy::cast_precision_loss, reason = "counts of a measurement")]
    let count = seen.len() as f64;
    Ok(Run {
        cpu_ms_per_1000: cpu * 1e6 / count,
        rate: count / seconds,
        late: lateness(&seen, size),
        memory,
        skipped: (size.rate() * seconds - count).max(0.0).floor(),
    })
}

/// The pinger has loaded its monitors and taken its shards when checks arrive at nearly their rate.
async fn wait_for_rate(mesh: &Mesh, rate: f64) -> Result<()> {
    for _ in 0..240 {
        arrivals(mesh.target).await?;
        tokio::time::sleep(Duration::from_millis(500)).await;
        #[expect(clippy::cast_precision_loss, reason = "counts of a measurement")]
        let seen = arrivals(mesh.target).await?.len() as f64 * 2.0;
        if seen >= rate {
            return Ok(());
        }
    }
    anyhow::bail!("the pinger does not reach {rate:.0} checks/s within two minutes: {}", mesh.pinger.tail())
}

/// Milliseconds between the slot an arrival belongs to and the arrival.
fn lateness(seen: &[Arrival], size: Size) -> Vec<f64> {
    let Ok(region) = "bench".parse() else { return Vec::new() };
    seen.iter()
        .map(|Arrival(n, at_us, _)| {
            let slot = Schedule::new(monitor_id(*n), &region, i64::from(size.interval_seconds) * 1000).at_or_before(at_us / 1000);
            #[expect(clippy::cast_precision_loss, reason = "microseconds within an interval")]
            let late = (at_us - slot * 1000) as f64 / 1000.0;
            late
        })
        .collect()
}

async fn mesh(suite: &Suite, kind: Kind, size: Size, target: Process, port: u16, hang: bool) -> Result<Mesh> {
    let stack = Stack::new();
    stack.create_topics(6).await;
    let mut world = vec![target];
    let mut arguments = words(&format!("users --monitors {} --interval-seconds {} --port {port}", size.monitors, size.interval_seconds));
    let mut settings = vec![
        ("KAFKA_BROKERS".to_owned(), stack.kafka_brokers.clone()),
        ("TOPIC_PREFIX".to_owned(), stack.topic_prefix.clone()),
        ("REDIS_URL".to_owned(), stack.redis_url.clone()),
        ("REDIS_PREFIX".to_owned(), stack.redis_prefix.clone()),
        ("INTERNAL_API_KEY".to_owned(), "bench-internal-key".to_owned()),
        ("REGION".to_owned(), "bench".to_owned()),
        ("ALLOWED_TARGET_NETWORKS".to_owned(), "127.0.0.0/8".to_owned()),
        ("ADMIN_ADDR".to_owned(), format!("127.0.0.1:{}", system_tests::free_port())),
        ("SPOOL_DIR".to_owned(), suite.scratch.path().join("spool").display().to_string()),
        ("RUST_LOG".to_owned(), "warn".to_owned()),
    ];
    match kind {
        Kind::Plain => {}
        Kind::Tls => arguments.extend(words("--scheme https")),
        Kind::Named => {
            arguments.push("--named".to_owned());
            let (server, dns) = name_server(suite).await?;
            world.push(server);
            settings.push(("NAME_SERVERS".to_owned(), format!("127.0.0.1:{dns}")));
        }
    }
    if hang {
        arguments.push("--hang".to_owned());
    }
    let mut users = Process::role(Core::Any, &arguments, suite.scratch.path())?;
    let users_port = users.line::<Ready>(Duration::from_secs(10)).await?.port;
    world.push(users);
    settings.push(("USERS_URL".to_owned(), format!("http://127.0.0.1:{users_port}")));
    let pinger = Process::service(Core::Subject, "pinger", &settings, suite.scratch.path())?;
    Ok(Mesh { stack, pinger, target: port, _world: world })
}

async fn target(suite: &Suite, tls: bool) -> Result<(Process, u16)> {
    let arguments = words(if tls { "target --tls" } else { "target" });
    let mut target = Process::role(Core::World, &arguments, suite.scratch.path())?;
    let port = target.line::<Ready>(Duration::from_secs(10)).await?.port;
    Ok((target, port))
}

async fn name_server(suite: &Suite) -> Result<(Process, u16)> {
    let mut server = Process::role(Core::World, &words("dns"), suite.scratch.path())?;
    let port = server.line::<Ready>(Duration::from_secs(10)).await?.port;
    Ok((server, port))
}

/// The bare loop of fresh connections.
async fn fresh(suite: &Suite, port: u16, kind: Kind, dns: Option<u16>) -> Result<Count> {
    let seconds = suite.size(3.0, 1.5);
    let mut arguments = words(&format!("fresh-loop --port {port} --seconds {seconds}"));
    if kind == Kind::Tls {
        arguments.push("--tls".to_owned());
    }
    if let Some(dns) = dns {
        arguments.extend(words(&format!("--dns {dns}")));
    }
    let mut bare = Process::role(Core::Subject, &arguments, suite.scratch.path())?;
    let count: Count = bare.line(Duration::from_secs(30)).await?;
    anyhow::ensure!(count.operations > 0 && count.errors * 100 < count.operations, "the bare loop failed: {count:?}");
    Ok(count)
}

/// The bare heap pinger at the same rate; its lateness at the target, in milliseconds.
async fn heap(suite: &Suite, port: u16, size: Size) -> Result<Vec<f64>> {
    let seconds = suite.size(5.0, 2.0);
    let arguments = words(&format!(
        "heap-pinger --port {port} --monitors {} --interval-ms {} --seconds {seconds}",
        size.monitors,
        size.interval_seconds * 1000
    ));
    arrivals(port).await?;
    let mut bare = Process::role(Core::Subject, &arguments, suite.scratch.path())?;
    bare.line::<Count>(Duration::from_secs(40)).await?;
    Ok(lateness(&arrivals(port).await?, size))
}

/// A command line as a list.
pub fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}
