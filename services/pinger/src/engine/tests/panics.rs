//! A check that panics, against a target that answers; so in real time.

use model::monitor::{ProbeSpec, TcpProbe};
use tokio::net::TcpListener;

use super::*;

/// Panics wherever somebody judges an answer by it.
struct Broken;

impl Clock for Broken {
    fn now_ms(&self) -> Millis {
        panic!("the clock is broken")
    }
}

#[tokio::test]
async fn a_check_that_panics_is_unknown_and_gives_its_place_back() {
    let target = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = target.local_addr().expect("an address").port();
    let monitors = (1..=3).map(|n| {
        // Just made, so that nobody waits for its slot.
        let mut monitor = Monitor::clone(&monitor(n, 600_000, BEGIN - 1, 1));
        monitor.spec.probe = ProbeSpec::Tcp(TcpProbe { host: "127.0.0.1".to_owned(), port, send: None, expect: None });
        Arc::new(monitor)
    });
    let limits = Limits { concurrency: 1, host_concurrency: 1 };
    let egress = EgressConfig { allowed: vec!["127.0.0.0/8".parse().expect("a network")], ..EgressConfig::default() };
    let mut simulation = Simulation::of(Parts::of(limits, &egress, |_| Arc::new(Broken)), monitors.collect());
    simulation.take_all(Some(BEGIN - 1)).await;
    for n in 1..=3 {
        let next = tokio::time::timeout(Duration::from_secs(5), simulation.results.recv()).await;
        let result = next.unwrap_or_else(|_| panic!("check {n} has no result")).expect("the engine runs");
        assert_eq!((result.outcome, result.cause), (Outcome::Unknown, Some(Cause::Internal)));
        assert_eq!(result.detail.as_deref(), Some("the check panicked: the clock is broken"));
    }
    simulation.end().await;
}
