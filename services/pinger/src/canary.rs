//! Doubting ourselves: when all canaries (`CANARY_TARGETS`) fail, it is our network that is gone, and
//! results say so. Consumers read a suspect result as unknown.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use egress::Egress;
use futures::future::join_all;
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;

const PERIOD: Duration = Duration::from_secs(5);
/// After a round in which all failed, or while suspect.
const SHORT_PERIOD: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(3);
/// Rounds in which all fail before results become suspect.
const ROUNDS: u32 = 2;

/// Whether this pinger's results are suspect. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Suspicion(Arc<AtomicBool>);

impl Suspicion {
    pub fn is_suspect(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Dials the canaries (`host:port` each) until `stop`. Without canaries nothing is ever suspect.
pub async fn watch(canaries: Vec<String>, egress: Egress, suspicion: Suspicion, metrics: Metrics, stop: CancellationToken) {
    let canaries: Vec<(String, u16)> = canaries
        .iter()
        .filter_map(|canary| {
            let (host, port) = canary.rsplit_once(':')?;
            Some((host.to_owned(), port.parse().ok()?))
        })
        .collect();
    if canaries.is_empty() {
        stop.cancelled().await;
        return;
    }
    let mut failed_rounds = 0;
    loop {
        let deadline = Instant::now() + PATIENCE;
        let round = join_all(canaries.iter().map(|(host, port)| egress.connect(host, *port, deadline))).await;
        failed_rounds = if round.iter().any(Result::is_ok) { 0 } else { failed_rounds + 1 };
        let suspect = failed_rounds >= ROUNDS;
        if suspicion.0.swap(suspect, Ordering::Relaxed) != suspect {
            metrics.suspect.set(i64::from(suspect));
            if suspect {
                tracing::error!("no canary answers: this pinger's own network seems to be gone; its results are marked suspect");
            } else {
                tracing::info!("a canary answers again; results are no longer suspect");
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(if failed_rounds > 0 { SHORT_PERIOD } else { PERIOD }) => {}
        }
    }
}
