//! A whole check: one attempt, and where it failed a second one that confirms it, within the slot.

use std::time::{Duration, Instant};

use model::{MonitorSpec, Outcome};

use crate::assertions::Compiled;
use crate::probe::{Attempt, Prober};

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

/// Runs a check. `room` is how long all attempts together may take: what is left of the slot. Answers
/// the attempt that counts (the last) and how many there were.
pub async fn check(prober: &Prober, spec: &MonitorSpec, compiled: &Compiled, confirm: Confirm, room: Duration) -> (Attempt, u8) {
    let began = Instant::now();
    let timeout = Duration::from_millis(u64::from(spec.timeout_ms));
    let first = prober.attempt(spec, compiled, began + timeout.min(room)).await;
    let Some(pause) = confirm.pause.filter(|_| first.outcome == Outcome::Down) else { return (first, 1) };
    let pause = pause.mul_f64(rand::random_range(0.5..1.5));
    let left = room.saturating_sub(began.elapsed());
    // A second attempt that cannot run its full time would make a slow target look dead.
    if left < pause + timeout {
        return (first, 1);
    }
    tokio::time::sleep(pause).await;
    let second = prober.attempt(spec, compiled, Instant::now() + timeout).await;
    match second.outcome {
        // Our own trouble between two attempts does not take back what the target showed.
        Outcome::Unknown => (first, 2),
        _ => (second, 2),
    }
}
