//! The prober's own network: cut, mended, and never the targets' fault.

use std::time::Duration;

use model::sight::{BlindReason, SightState};
use model::{Cause, MonitorId, Outcome};
use serde_json::json;
use testkit::{Behaviour, Target};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::mesh::{Mesh, now};

const PATIENCE: Duration = Duration::from_secs(30);

fn http(target: &Target) -> serde_json::Value {
    json!({"kind": "http", "url": target.url()})
}

/// A TCP server on an address of its own that can be cut off and connected again.
struct Host {
    address: std::net::SocketAddr,
    cut: CancellationToken,
}

impl Host {
    async fn start(ip: &str) -> Self {
        let listener = TcpListener::bind((ip, 0)).await.expect("a loopback address");
        let mut host = Self { address: listener.local_addr().expect("an address"), cut: CancellationToken::new() };
        host.serve(listener);
        host
    }

    fn serve(&mut self, listener: TcpListener) {
        self.cut = CancellationToken::new();
        let cut = self.cut.clone();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    () = cut.cancelled() => return,
                    accepted = listener.accept() => drop(accepted),
                }
            }
        });
    }

    async fn mend(&mut self) {
        let listener = testkit::eventually("the port again", PATIENCE, || async { TcpListener::bind(self.address).await.ok() }).await;
        self.serve(listener);
    }

    fn probe(&self) -> serde_json::Value {
        json!({"kind": "tcp", "host": self.address.ip().to_string(), "port": self.address.port()})
    }
}

async fn all_up(mesh: &Mesh, monitors: &[MonitorId]) {
    for monitor in monitors {
        mesh.result("an up", PATIENCE, *monitor, |result| result.outcome == Outcome::Up).await;
    }
}

fn outcomes(mesh: &Mesh, monitors: &[MonitorId], since: i64) -> Vec<(Outcome, Option<Cause>)> {
    let results = monitors.iter().flat_map(|monitor| mesh.results(*monitor));
    results.filter(|result| result.started_at >= since).map(|result| (result.outcome, result.cause)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_canaries_silent_what_fails_is_unknown_from_the_first_failure_on() {
    let mesh = Mesh::new().await;
    let (canaries, target) = ([Target::start().await, Target::start().await], Target::start().await);
    let monitors: Vec<_> = (0..20).map(|_| mesh.monitor(&http(&target), now() - 3_600_000)).collect();
    let mut environment = mesh.environment("a");
    environment.insert("CANARIES".to_owned(), format!("{},{}", canaries[0].address, canaries[1].url()));
    let pinger = mesh.pinger(environment);
    all_up(&mesh, &monitors).await;

    // A real failure, the canaries fine: down.
    target.set(Behaviour::Refuse);
    let began = now();
    for monitor in &monitors {
        mesh.result("a down", PATIENCE, *monitor, |result| result.started_at >= began && result.outcome == Outcome::Down).await;
    }
    target.up();
    let mended = now();
    for monitor in &monitors {
        mesh.result("up again", PATIENCE, *monitor, |result| result.started_at >= mended && result.outcome == Outcome::Up).await;
    }

    // The same failure, the canaries silent: unknown, without one exception.
    for one in canaries.iter().chain([&target]) {
        one.set(Behaviour::Refuse);
    }
    let cut = now();
    for monitor in &monitors {
        mesh.result("an unknown", PATIENCE, *monitor, |result| result.started_at >= cut + 100 && result.outcome == Outcome::Unknown).await;
    }
    let during = outcomes(&mesh, &monitors, cut + 100);
    assert!(during.iter().all(|one| *one == (Outcome::Unknown, Some(Cause::LocalNetwork))), "{during:?}");
    let blind = mesh.status("blindness", PATIENCE, |status| status.state == SightState::Blind).await;
    assert_eq!((blind.reason, blind.region.as_str()), (Some(BlindReason::Network), "local"));
    assert!((0..12_000).contains(&(blind.since - cut)), "{} ms after the cut", blind.since - cut);

    for one in canaries.iter().chain([&target]) {
        one.up();
    }
    let sees = mesh.status("sight", PATIENCE, |status| status.state == SightState::Sees && status.since > blind.since).await;
    let lit = now();
    for monitor in &monitors {
        mesh.result("up at last", PATIENCE, *monitor, |result| result.started_at >= lit && result.outcome == Outcome::Up).await;
    }
    let unknown = outcomes(&mesh, &monitors, cut).iter().filter(|(outcome, _)| *outcome == Outcome::Unknown).count();
    assert_eq!(sees.slots_unknown, unknown as u64);
    assert_eq!(outcomes(&mesh, &monitors, cut + 100).iter().filter(|(outcome, _)| *outcome == Outcome::Down).count(), 0);
    pinger.stop().await;
    mesh.status("farewell", PATIENCE, |status| status.state == SightState::Left).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_canaries_the_targets_that_answered_lately_tell() {
    let mesh = Mesh::new().await;
    let mut hosts = Vec::new();
    for n in 2..12 {
        hosts.push(Host::start(&format!("127.0.0.{n}")).await);
    }
    let monitors: Vec<_> = hosts.iter().map(|host| mesh.monitor(&host.probe(), now() - 3_600_000)).collect();
    let pinger = mesh.pinger(mesh.environment("a"));
    all_up(&mesh, &monitors).await;

    // A fifth of them is really down: each is told.
    let storm = now();
    hosts[0].cut.cancel();
    hosts[1].cut.cancel();
    for monitor in &monitors[..2] {
        mesh.result("a down", PATIENCE, *monitor, |result| result.started_at >= storm && result.outcome == Outcome::Down).await;
    }
    hosts[0].mend().await;
    hosts[1].mend().await;
    let mended = now();
    for monitor in &monitors[..2] {
        mesh.result("up again", PATIENCE, *monitor, |result| result.started_at >= mended && result.outcome == Outcome::Up).await;
    }

    // All of them at once: that is us.
    let cut = now();
    for host in &hosts {
        host.cut.cancel();
    }
    for monitor in &monitors {
        mesh.result("an unknown", PATIENCE, *monitor, |result| result.started_at >= cut + 100 && result.outcome == Outcome::Unknown).await;
    }
    let during = outcomes(&mesh, &monitors, cut + 100);
    assert!(during.iter().all(|(outcome, _)| *outcome == Outcome::Unknown), "{during:?}");
    mesh.status("blindness", PATIENCE, |status| status.state == SightState::Blind).await;
    for host in &mut hosts {
        host.mend().await;
    }
    let lit = now();
    for monitor in &monitors {
        mesh.result("up at last", PATIENCE, *monitor, |result| result.started_at >= lit && result.outcome == Outcome::Up).await;
    }
    mesh.status("sight", PATIENCE, |status| status.state == SightState::Sees && status.since > cut).await;
    pinger.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_resolver_blinds_the_prober_and_a_mended_one_is_said_once() {
    let mesh = Mesh::new().await;
    for n in 0..3 {
        mesh.monitor(&json!({"kind": "http", "url": format!("http://shop{n}.example.test/")}), now() - 3_600_000);
    }
    let mut mute = mesh.environment("a");
    mute.insert("NAME_SERVERS".to_owned(), "127.0.0.1:1".to_owned());
    let pinger = mesh.pinger(mute);
    let blind = mesh.status("blindness", PATIENCE, |status| status.state == SightState::Blind).await;
    assert_eq!(blind.reason, Some(BlindReason::Resolver));
    let cache = mesh.stack.cache().await;
    let probers = cache.probers(&"local".parse().unwrap(), now()).await.unwrap();
    assert_eq!(probers.len(), 1);
    assert_eq!((probers[0].state, probers[0].since), (SightState::Blind, blind.since));
    pinger.stop().await;
}
