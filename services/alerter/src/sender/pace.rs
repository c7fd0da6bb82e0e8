//! How fast a channel may be written to: so many messages within a window.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// When the last messages went out.
#[derive(Debug, Default)]
pub struct Pace(VecDeque<Instant>);

impl Pace {
    /// Notes messages; says until when to wait if the window is full.
    pub fn sent(&mut self, messages: usize, count: usize, window: Duration, now: Instant) -> Option<Instant> {
        self.0.extend(std::iter::repeat_n(now, messages));
        while self.0.front().is_some_and(|first| *first + window <= now) {
            self.0.pop_front();
        }
        let over = self.0.len().checked_sub(count)?;
        self.0.get(over).map(|at| *at + window)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_the_next_waits_for_the_window() {
        let (mut pace, begin, window) = (Pace::default(), Instant::now(), Duration::from_secs(5));
        for _ in 0..4 {
            assert_eq!(pace.sent(1, 5, window, begin), None);
        }
        assert_eq!(pace.sent(1, 5, window, begin), Some(begin + window));
        assert_eq!(pace.sent(1, 5, window, begin + window), None);
    }
}
