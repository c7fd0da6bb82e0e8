//! The clock that all alerters share: PostgreSQL's, as each has heard it last. When a message falls due is written by one alerter and
//! read by another; by clocks that differ by minutes it would be told minutes late.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use model::{Clock, Millis};

/// Closer than this a clock is as good as PostgreSQL's: an answer takes its time.
const CLOSE_MS: Millis = 2_000;

/// Our own clock, put right where it is far from PostgreSQL's.
pub struct SharedClock {
    own: Arc<dyn Clock>,
    behind_ms: AtomicI64,
}

impl SharedClock {
    pub fn new(own: Arc<dyn Clock>) -> Self {
        Self { own, behind_ms: AtomicI64::new(0) }
    }

    /// The one that is not put right: for times that are only compared with each other.
    pub fn own(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.own)
    }

    /// PostgreSQL has just said that it is `theirs`.
    pub fn heard(&self, theirs: Millis) {
        let behind = theirs - self.own.now_ms();
        let behind = if behind.abs() < CLOSE_MS { 0 } else { behind };
        let before = self.behind_ms.swap(behind, Ordering::Relaxed);
        if before == 0 && behind != 0 {
            tracing::warn!(behind_ms = behind, "this machine's clock is not PostgreSQL's: messages fall due by the latter");
        }
    }
}

impl Clock for SharedClock {
    fn now_ms(&self) -> Millis {
        self.own.now_ms() + self.behind_ms.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use model::ManualClock;

    use super::*;

    #[test]
    fn a_clock_that_is_far_off_is_put_right_and_one_that_is_close_is_left_alone() {
        const T: Millis = 1_800_000_000_000;
        let clock = SharedClock::new(Arc::new(ManualClock::new(T)));
        let after = |theirs| {
            clock.heard(theirs);
            clock.now_ms()
        };
        assert_eq!(clock.now_ms(), T);
        assert_eq!([after(T - 300_000), after(T + 300_000)], [T - 300_000, T + 300_000]);
        assert_eq!([after(T - 1_999), after(T + 1_999)], [T, T]);
    }
}
