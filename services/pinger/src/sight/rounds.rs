//! Looking around: at the canaries by the clock, at other targets when a failure asks for it.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use model::Millis;
use model::sight::BlindReason;
use tokio_util::sync::CancellationToken;

use super::canary::{Canary, Said};
use super::{Blind, Found, Look, Sight, lock};

/// Between looks, while nothing is wrong.
const PERIOD: Duration = Duration::from_secs(5);
/// Between looks at each canary by itself.
const EACH: Duration = Duration::from_secs(10);
/// Between looks, while something is.
const SHORT_PERIOD: Duration = Duration::from_secs(1);
/// However many failures ask for one.
const SPACING: Duration = Duration::from_millis(150);
/// For an answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// Looks in a row that find light before we say that we see again.
const LIGHTS: u32 = 2;

impl Sight {
    /// Looks around until `stop`, which comes after the last check.
    pub async fn watch(self, stop: CancellationToken) {
        let mut asked = false;
        loop {
            let began = Instant::now();
            let look = async {
                if self.has_canaries() {
                    return Some(self.at_canaries().await);
                }
                // Other people's targets are not asked without a reason.
                if asked || self.is_dark() { Some(self.at_peers().await) } else { None }
            };
            let look = tokio::select! {
                () = stop.cancelled() => return,
                look = look => look,
            };
            self.learn(look, began);
            let short = self.0.blindness.borrow().is_some() || self.is_dark();
            asked = tokio::select! {
                () = stop.cancelled() => return,
                () = self.0.wanted.notified() => true,
                () = tokio::time::sleep(if short { SHORT_PERIOD } else { PERIOD }) => false,
            };
            if asked {
                tokio::time::sleep(SPACING.saturating_sub(began.elapsed())).await;
            }
        }
    }

    /// Asks each canary by itself until `stop`: a dead one must not stand for our network.
    pub async fn watch_canaries(self, stop: CancellationToken) {
        while !self.0.canaries.is_empty() {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(EACH) => {}
            }
            let deadline = Instant::now() + PATIENCE;
            let asked = futures::future::join_all(self.0.canaries.iter().map(|canary| canary.ask(&self.0.egress, deadline)));
            let answers: Vec<bool> = asked.await.into_iter().map(|said| said == Said::Something).collect();
            let mut trust = lock(&self.0.trust);
            for (n, trusted) in trust.asked(&answers, Instant::now()) {
                let canary = self.0.canaries.get(n).map(tracing::field::display);
                if trusted {
                    tracing::info!(canary, "a canary answers again");
                } else {
                    tracing::error!(canary, "a canary stays silent though targets answer: it counts no longer until it answers");
                }
            }
            self.0.metrics.canaries_distrusted.set(i64::try_from(trust.distrusted()).unwrap_or(i64::MAX));
        }
    }

    /// At the canaries: one that answers is enough. A single silent look may be a lost packet.
    async fn at_canaries(&self) -> Look {
        let mut look = self.canaries_once().await;
        if look.found == Found::Dark && !self.is_dark() {
            look = self.canaries_once().await;
        }
        match look.found {
            // None of them may be asked: the settings are wrong, not the network.
            Found::Nothing => self.at_peers().await,
            _ => look,
        }
    }

    fn trusted(&self) -> impl Iterator<Item = &Canary> {
        let trust = lock(&self.0.trust);
        let trusted: Vec<&Canary> =
            self.0.canaries.iter().enumerate().filter(|(n, _)| trust.trusts(*n)).map(|(_, canary)| canary).collect();
        trusted.into_iter()
    }

    async fn canaries_once(&self) -> Look {
        let began = Instant::now();
        let mut waiting: FuturesUnordered<_> = self.trusted().map(|canary| canary.ask(&self.0.egress, began + PATIENCE)).collect();
        let mut found = Found::Nothing;
        while let Some(said) = waiting.next().await {
            match said {
                Said::Something => return Look { began, found: Found::Light },
                Said::Nothing => found = Found::Dark,
                Said::Forbidden => {}
            }
        }
        Look { began, found }
    }

    /// At targets that answered lately: twice, at others each time.
    async fn at_peers(&self) -> Look {
        let mut known = HashSet::new();
        let first = self.peers_once(&mut known).await;
        if first.found != Found::Dark || self.is_dark() {
            return first;
        }
        let second = self.peers_once(&mut known).await;
        if second.found == Found::Nothing {
            // All were asked; once more, as a packet may be lost.
            return self.peers_once(&mut HashSet::new()).await;
        }
        second
    }

    async fn peers_once(&self, asked: &mut HashSet<String>) -> Look {
        let began = Instant::now();
        let sample = lock(&self.0.peers).sample(asked);
        asked.extend(sample.iter().map(|(host, _)| host.clone()));
        if sample.is_empty() {
            return Look { began, found: Found::Nothing };
        }
        let mut waiting: FuturesUnordered<_> =
            sample.iter().map(|(host, port)| self.0.egress.connect(host, *port, began + PATIENCE)).collect();
        while let Some(answer) = waiting.next().await {
            if answer.is_ok() {
                return Look { began, found: Found::Light };
            }
        }
        Look { began, found: Found::Dark }
    }

    /// Draws the conclusion, then lets those know who wait.
    fn learn(&self, look: Option<Look>, began: Instant) {
        let now = Instant::now();
        let dark = {
            let mut darkness = lock(&self.0.darkness);
            match look.map(|look| look.found) {
                Some(Found::Dark) => (darkness.now, darkness.lights) = (true, 0),
                Some(Found::Light) => {
                    darkness.lights = darkness.lights.saturating_add(1);
                    darkness.now &= darkness.lights < LIGHTS;
                }
                Some(Found::Nothing) => darkness.now = false,
                None => {}
            }
            if darkness.now {
                darkness.last = Some(now);
            }
            darkness.now
        };
        let mut troubles = lock(&self.0.troubles);
        if look.is_some_and(|look| look.found == Found::Light) && !dark {
            troubles.forget(BlindReason::Network);
        }
        let trouble = troubles.blind(now);
        drop(troubles);
        let reason = trouble.map(|(reason, _)| reason).or(dark.then_some(BlindReason::Network));
        let since = self.0.clock.now_ms() - Millis::try_from(began.elapsed().as_millis()).unwrap_or(0);
        self.0.blindness.send_if_modified(|blind| match (blind.is_some(), reason) {
            (false, Some(reason)) => {
                self.0.unknown.store(trouble.map_or(0, |(_, slots)| slots), Ordering::Relaxed);
                tracing::error!(reason = reason.as_str(), "this pinger is blind: what it does not reach is unknown, not down");
                *blind = Some(Blind { since, reason });
                true
            }
            (true, None) => {
                tracing::info!(slots = self.slots_unknown(), "this pinger sees again");
                *blind = None;
                true
            }
            _ => false,
        });
        self.0.metrics.blind.set(i64::from(reason.is_some()));
        if let Some(look) = look {
            self.0.looks.send_replace(look);
        }
    }
}
