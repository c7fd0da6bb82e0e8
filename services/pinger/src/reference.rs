//! Whether this machine's clock can be trusted. A slot is an instant of the wall clock: a pinger whose clock
//! is off would check slots of the past or the future. So it listens to two other clocks, Redis' and that of
//! users, and stands back where both contradict it. Between two answers they go on by the monotonic clock,
//! which no step moves; where only one contradicts, or only one is known, it is as likely the one to be wrong.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use model::Millis;

use crate::metrics::Metrics;

/// Off by more than this is not to be trusted: a fifth of the shortest interval.
const OFF_MS: Millis = 2_000;
/// Trusted again below this, so that a drifting clock does not come and go.
const RIGHT_MS: Millis = 1_000;
/// An answer that took longer says too little.
const SLOWEST: Duration = Duration::from_millis(700);

/// Who else has a clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Redis,
    Users,
}

/// What other clocks said last. Shared by those who hear of them and those who depend on the time.
pub struct Reference {
    state: Mutex<State>,
    metrics: Metrics,
}

#[derive(Debug, Default)]
struct State {
    /// What a clock showed, and when by the monotonic clock.
    redis: Option<(Millis, Instant)>,
    users: Option<(Millis, Instant)>,
    off: bool,
}

impl Reference {
    pub fn new(metrics: Metrics) -> Self {
        Self { state: Mutex::default(), metrics }
    }

    /// A clock showed `time` at some moment between `asked` and `answered`.
    pub fn heard(&self, source: Source, time: Millis, asked: Instant, answered: Instant) {
        let took = answered.saturating_duration_since(asked);
        if took > SLOWEST {
            return;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let heard = Some((time, asked + took / 2));
        match source {
            Source::Redis => state.redis = heard,
            Source::Users => state.users = heard,
        }
    }

    /// Whether both other clocks contradict `now`, this machine's.
    pub fn is_off(&self, now: Millis) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let skew = |heard: Option<(Millis, Instant)>| {
            heard.map(|(time, at)| now - time - i64::try_from(at.elapsed().as_millis()).unwrap_or(i64::MAX))
        };
        let (redis, users) = (skew(state.redis), skew(state.users));
        if let Some(redis) = redis {
            #[expect(clippy::cast_precision_loss, reason = "a difference of clocks")]
            self.metrics.clock_skew.set(redis as f64 / 1000.0);
        }
        let most = if state.off { RIGHT_MS } else { OFF_MS };
        let contradicts = |skew: Option<Millis>| skew.is_some_and(|skew| skew.abs() > most);
        let off = contradicts(redis) && contradicts(users);
        if off != state.off {
            if off {
                tracing::error!(
                    redis_ms = redis,
                    users_ms = users,
                    "this machine's clock is off; its shards are left to others until it is right"
                );
            } else {
                tracing::info!(redis_ms = redis, "this machine's clock is right again");
            }
            state.off = off;
        }
        off
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference() -> Reference {
        Reference::new(Metrics::register(&prometheus::Registry::new()).expect("metrics"))
    }

    #[test]
    fn one_contradiction_is_not_enough_and_two_are() {
        let (reference, now) = (reference(), Instant::now());
        assert!(!reference.is_off(1_000_000), "nothing is known");
        reference.heard(Source::Redis, 1_300_000, now, now);
        assert!(!reference.is_off(1_000_000), "Redis may be wrong");
        reference.heard(Source::Users, 1_000_000, now, now);
        assert!(!reference.is_off(1_000_000), "users agrees with us");
        reference.heard(Source::Users, 1_299_500, now, now);
        assert!(reference.is_off(1_000_000));
        assert!(reference.is_off(1_298_300), "nearly right is not right yet");
        assert!(!reference.is_off(1_300_000));
        assert!(!reference.is_off(1_300_900));
        assert!(reference.is_off(1_600_000), "a step, before anybody was asked again");
    }

    #[test]
    fn an_answer_that_took_long_says_nothing() {
        let (reference, now) = (reference(), Instant::now());
        for source in [Source::Redis, Source::Users] {
            reference.heard(source, 5_000_000, now, now + Duration::from_secs(7));
        }
        assert!(!reference.is_off(1_000_000));
    }
}
