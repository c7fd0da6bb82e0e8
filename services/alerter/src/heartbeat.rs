//! Lets someone else watch the watcher: a URL asked every minute while the present is truly judged, by all alerters together.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use egress::{Egress, HttpRequest};
use model::{Clock, Millis};
use secrecy::{ExposeSecret, SecretString};
use tokio_util::sync::CancellationToken;

/// Checks that began so long ago are the past, whatever the reason: nothing checks, nothing arrives,
/// we lag, or PostgreSQL holds us up.
pub(crate) const SILENCE_MS: Millis = 120_000;
/// The judging loop looks every second; one that did not for so long is stuck.
const STUCK_MS: Millis = 30_000;

/// How far judgement has come. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Pulse(Arc<Beats>);

#[derive(Debug, Default)]
struct Beats {
    /// Up to when every partition is judged and committed, whoever has it, when PostgreSQL was last asked.
    through: AtomicI64,
    /// When the loop last looked, free to go on.
    looked: AtomicI64,
    /// Between checks of the busiest monitor that is ours; 0 without any.
    interval: AtomicI64,
}

impl Pulse {
    /// Every partition is judged up to then.
    pub fn judged(&self, through: Millis) {
        self.0.through.store(through, Ordering::Relaxed);
    }

    /// The loop is not held up. `interval` is the shortest of the monitors it judges, if it has any.
    pub fn looked(&self, interval: Option<Millis>, now: Millis) {
        self.0.looked.store(now, Ordering::Relaxed);
        self.0.interval.store(interval.unwrap_or(0), Ordering::Relaxed);
    }

    /// Whether the present is judged: not the past, and not by a loop that is stuck.
    pub fn is_alive(&self, now: Millis) -> bool {
        let judges = self.0.interval.load(Ordering::Relaxed) > 0;
        judges && now - self.0.through.load(Ordering::Relaxed) <= SILENCE_MS && now - self.0.looked.load(Ordering::Relaxed) <= STUCK_MS
    }
}

/// Asks `url` every `period` while `pulse` is alive.
pub async fn beat(url: SecretString, period: Duration, egress: Egress, pulse: Pulse, clock: Arc<dyn Clock>, shutdown: CancellationToken) {
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(period) => {}
        }
        if !pulse.is_alive(clock.now_ms()) {
            tracing::warn!("the present is not being judged; the heartbeat is withheld");
            continue;
        }
        let request = HttpRequest {
            url: url.expose_secret(),
            method: http::Method::GET,
            headers: &BTreeMap::new(),
            body: Bytes::new(),
            max_redirects: 3,
            verify_tls: true,
            keep_body: 0,
            read_body: 64 * 1024,
        };
        match egress.http(&request, Instant::now() + Duration::from_secs(10)).await {
            Ok(answer) if answer.status < 400 => {}
            Ok(answer) => tracing::warn!(status = answer.status, "the heartbeat was refused"),
            Err(error) => tracing::warn!(%error, "the heartbeat did not arrive"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: Millis = 1_800_000_000_000;

    #[test]
    fn only_the_present_is_a_pulse() {
        let pulse = Pulse::default();
        assert!(!pulse.is_alive(T), "nothing was judged yet");
        pulse.looked(Some(10_000), T);
        pulse.judged(T - 3_600_000);
        assert!(!pulse.is_alive(T), "some partition is an hour behind");
        pulse.judged(T - 1_000);
        assert!(pulse.is_alive(T));
        pulse.looked(Some(10_000), T + 119_000);
        assert!(pulse.is_alive(T + 119_000));
        assert!(!pulse.is_alive(T + 119_000 + STUCK_MS + 1), "a loop that is stuck");
        pulse.looked(Some(10_000), T + 121_000);
        assert!(!pulse.is_alive(T + 121_000), "nothing arrives, or PostgreSQL does not say");
        pulse.looked(None, T);
        assert!(!pulse.is_alive(T), "an alerter without monitors judges nothing");
    }
}
