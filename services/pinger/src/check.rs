//! A whole check: one attempt, where it failed a second one that confirms it, within the slot, and
//! before a failure counts a doubt about ourselves.

use std::time::{Duration, Instant};

use model::{MonitorSpec, Outcome};

use crate::assertions::Compiled;
use crate::probe::{Attempt, Prober};
use crate::sight::Sight;

/// How a failure is confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Confirm {
    /// Mean pause before the second attempt, jittered by half; none confirms nothing.
    pub pause: Option<Duration>,
}

impl Default for Confirm {
    fn default() -> Self {
        Self { pause: Some(Duration::from_millis(200)) }
    }
}

/// What a check came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The attempt that counts: the last.
    pub attempt: Attempt,
    pub attempts: u8,
    /// It failed while we were blind, so it says nothing about the target.
    pub doubted: bool,
}

/// Runs a check. `room` is how long all attempts together may take: what is left of the slot.
pub async fn check(
    prober: &Prober,
    sight: Option<&Sight>,
    spec: &MonitorSpec,
    compiled: &Compiled,
    confirm: Confirm,
    room: Duration,
) -> Checked {
    let began = Instant::now();
    let (attempt, attempts, failed) = confirmed(prober, sight, spec, compiled, confirm, room, began).await;
    let bad = matches!(attempt.outcome, Outcome::Down | Outcome::Degraded);
    let doubted = match sight {
        Some(sight) if attempt.outcome == Outcome::Down => sight.doubts(&spec.probe, began, failed).await,
        Some(sight) => bad && sight.is_dark(),
        None => false,
    };
    let attempt = if doubted { attempt.doubted() } else { attempt };
    Checked { attempt, attempts, doubted }
}

/// The attempt that counts, how many there were, and since when something that answers elsewhere speaks
/// against the target: a second failure stood out whatever made the first one.
async fn confirmed(
    prober: &Prober,
    sight: Option<&Sight>,
    spec: &MonitorSpec,
    compiled: &Compiled,
    confirm: Confirm,
    room: Duration,
    began: Instant,
) -> (Attempt, u8, Instant) {
    let timeout = Duration::from_millis(u64::from(spec.timeout_ms));
    let first = prober.attempt(spec, compiled, began + timeout.min(room)).await;
    let ended = Instant::now();
    let Some(pause) = confirm.pause.filter(|_| first.outcome == Outcome::Down) else { return (first, 1, ended) };
    let pause = pause.mul_f64(rand::random_range(0.5..1.5));
    let left = room.saturating_sub(began.elapsed());
    // A second attempt that cannot run its full time would make a slow target look dead. While nothing
    // can be reached it would tell nothing.
    if left < pause + timeout || sight.is_some_and(Sight::is_dark) {
        return (first, 1, ended);
    }
    tokio::time::sleep(pause).await;
    let again = Instant::now();
    let second = prober.attempt(spec, compiled, again + timeout).await;
    match second.outcome {
        // Our own trouble: a failure that could not be confirmed is no word about the target.
        Outcome::Unknown => (second, 2, Instant::now()),
        _ => (second, 2, again),
    }
}
