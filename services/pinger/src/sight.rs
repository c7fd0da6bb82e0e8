//! Whether this pinger sees. A target that cannot be reached is down only if something else can be
//! reached: the canaries (`CANARIES`), or, where none are set or none can be trusted, targets that answered
//! lately. Until that is known a failure is held; when nothing answers, we are blind, and the failure is unknown.

mod canary;
mod peers;
mod rounds;
mod troubles;
mod trust;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use egress::Egress;
use model::sight::BlindReason;
use model::{Cause, Clock, Millis, MonitorId, Outcome, ProbeSpec};
use tokio::sync::{Notify, watch};

pub use canary::{Canary, parse};
use peers::Peers;
use troubles::Troubles;
use trust::Trust;

use crate::metrics::Metrics;
use crate::probe::Attempt;

/// A failure is held no longer: two silent rounds take half of it.
const HOLD: Duration = Duration::from_secs(8);

/// This pinger's sight. Cheap to clone.
#[derive(Clone)]
pub struct Sight(Arc<Inner>);

struct Inner {
    egress: Egress,
    canaries: Vec<Canary>,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
    peers: Mutex<Peers>,
    troubles: Mutex<Troubles>,
    trust: Mutex<Trust>,
    /// Somebody wants to know now.
    wanted: Notify,
    /// The last look around.
    looks: watch::Sender<Look>,
    darkness: Mutex<Darkness>,
    blindness: watch::Sender<Option<Blind>>,
    /// Slots that became unknown in the blindness, or in the last one.
    unknown: AtomicU64,
}

/// One look around.
#[derive(Debug, Clone, Copy)]
struct Look {
    began: Instant,
    found: Found,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    /// Something answers.
    Light,
    /// Nothing does.
    Dark,
    /// There is nothing to look at.
    Nothing,
}

#[derive(Debug, Default)]
struct Darkness {
    now: bool,
    /// When it was last known to be dark.
    last: Option<Instant>,
    /// Looks in a row that found light while it was held to be dark.
    lights: u32,
}

/// A blindness that is not over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blind {
    pub since: Millis,
    pub reason: BlindReason,
}

impl Sight {
    pub fn new(egress: Egress, canaries: Vec<Canary>, clock: Arc<dyn Clock>, metrics: Metrics) -> Self {
        let trust = Mutex::new(Trust::of(canaries.len()));
        Self(Arc::new(Inner {
            egress,
            trust,
            canaries,
            clock,
            metrics,
            peers: Mutex::default(),
            troubles: Mutex::default(),
            wanted: Notify::new(),
            looks: watch::Sender::new(Look { began: Instant::now(), found: Found::Nothing }),
            darkness: Mutex::default(),
            blindness: watch::Sender::new(None),
            unknown: AtomicU64::new(0),
        }))
    }

    /// The blindness, and every change of it.
    pub fn blindness(&self) -> watch::Receiver<Option<Blind>> {
        self.0.blindness.subscribe()
    }

    /// Slots that became unknown in this blindness, or in the last one.
    pub fn slots_unknown(&self) -> u64 {
        self.0.unknown.load(Ordering::Relaxed)
    }

    /// Whether nothing can be reached now. Answers at once.
    pub fn is_dark(&self) -> bool {
        lock(&self.0.darkness).now
    }

    /// Whether a failure may be our own: the check began at `began`, and a look around that began at
    /// `failed` or later tells. Waits for one where there was none yet.
    pub async fn doubts(&self, probe: &ProbeSpec, began: Instant, failed: Instant) -> bool {
        if self.was_dark_since(began) {
            return true;
        }
        let mut looks = self.0.looks.subscribe();
        if !self.has_canaries() {
            let latest = peers::place(probe).and_then(|(host, _)| lock(&self.0.peers).evidence(&host));
            // Nobody to compare with, or somebody else answered since.
            if latest.is_none_or(|answered| answered >= failed) {
                return false;
            }
        }
        self.0.wanted.notify_one();
        let look = tokio::time::timeout(HOLD, looks.wait_for(|look| look.began >= failed)).await;
        let dark = matches!(look, Ok(Ok(look)) if look.found == Found::Dark);
        dark || self.was_dark_since(began)
    }

    /// Whether there are canaries whose silence says something.
    fn has_canaries(&self) -> bool {
        let trust = lock(&self.0.trust);
        (0..self.0.canaries.len()).any(|n| trust.trusts(n))
    }

    fn was_dark_since(&self, began: Instant) -> bool {
        let darkness = lock(&self.0.darkness);
        darkness.now || darkness.last.is_some_and(|last| last >= began)
    }

    /// Takes note of a check that ended; `doubted` where its failure was held to be ours.
    pub fn note(&self, monitor: MonitorId, probe: &ProbeSpec, attempt: &Attempt, doubted: bool) {
        let trouble = (attempt.outcome == Outcome::Unknown && !doubted).then(|| trouble(attempt.cause)).flatten();
        lock(&self.0.troubles).note(monitor, trouble, Instant::now());
        if (trouble.is_some() || doubted) && self.0.blindness.borrow().is_some() {
            self.0.unknown.fetch_add(1, Ordering::Relaxed);
        }
        if trouble.is_some() {
            self.0.wanted.notify_one();
        }
        if attempt.latency_us.is_some() || attempt.outcome == Outcome::Down || doubted {
            lock(&self.0.trust).checked(attempt.latency_us.is_some());
        }
        self.compare(probe, attempt);
    }

    /// Remembers who answers: what a canary's silence, or the lack of one, is held against.
    fn compare(&self, probe: &ProbeSpec, attempt: &Attempt) {
        let now = Instant::now();
        let answered = attempt.latency_us.is_some();
        let telling = if answered { lock(&self.0.peers).wants(now) } else { attempt.outcome == Outcome::Down };
        let Some((host, port)) = telling.then(|| peers::place(probe)).flatten() else { return };
        let mut peers = lock(&self.0.peers);
        if answered { peers.answered(host, port, now) } else { peers.failed(&host) }
    }
}

/// The trouble of ours that a cause tells of; what one monitor's settings bring about is none.
fn trouble(cause: Option<Cause>) -> Option<BlindReason> {
    match cause? {
        Cause::Resolver => Some(BlindReason::Resolver),
        Cause::Resources => Some(BlindReason::Resources),
        Cause::LocalNetwork => Some(BlindReason::Network),
        _ => None,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
