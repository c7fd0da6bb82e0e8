//! How fast a channel may be written to: so many messages within a window, and fewer while a storm lasts.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// A channel rests after a message for many alerts: this long after the first, longer by as much after each that follows. Whoever
/// has just read that fifty targets are down gains nothing from a message a second.
const REST: Duration = Duration::from_secs(5);
const LONGEST_REST: Duration = Duration::from_secs(15);

/// What became of a channel's claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    OneByOne,
    /// Many in each message.
    Together,
    /// The channel did not take it.
    Not,
}

/// When the last messages went out.
#[derive(Debug, Default)]
pub struct Pace {
    sent: VecDeque<Instant>,
    /// Claims told together, with none told one by one between them.
    together: u32,
}

impl Pace {
    /// Notes messages; says until when to wait.
    pub fn sent(&mut self, messages: usize, told: Told, count: usize, window: Duration, now: Instant) -> Option<Instant> {
        let rest = match told {
            Told::Not => None,
            Told::OneByOne => {
                self.together = 0;
                None
            }
            Told::Together => {
                self.together = self.together.saturating_add(1);
                Some(now + REST.saturating_mul(self.together).min(LONGEST_REST))
            }
        };
        self.note(messages, count, window, now).max(rest)
    }

    fn note(&mut self, messages: usize, count: usize, window: Duration, now: Instant) -> Option<Instant> {
        self.sent.extend(std::iter::repeat_n(now, messages));
        while self.sent.front().is_some_and(|first| *first + window <= now) {
            self.sent.pop_front();
        }
        let over = self.sent.len().checked_sub(count)?;
        self.sent.get(over).map(|at| *at + window)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(5);

    #[test]
    fn a_burst_passes_and_the_next_waits_for_the_window() {
        let (mut pace, begin) = (Pace::default(), Instant::now());
        for _ in 0..4 {
            assert_eq!(pace.sent(1, Told::OneByOne, 5, WINDOW, begin), None);
        }
        assert_eq!(pace.sent(1, Told::OneByOne, 5, WINDOW, begin), Some(begin + WINDOW));
        assert_eq!(pace.sent(1, Told::OneByOne, 5, WINDOW, begin + WINDOW), None);
    }

    #[test]
    fn a_storm_is_told_in_growing_steps_and_calm_ends_it() {
        let (mut pace, mut now, mut steps) = (Pace::default(), Instant::now(), Vec::new());
        for _ in 0..4 {
            let until = pace.sent(1, Told::Together, 5, WINDOW, now).expect("a rest");
            steps.push((until - now).as_secs());
            now = until;
            // A refusal neither tells anyone nor is it calm.
            assert_eq!(pace.sent(1, Told::Not, 5, WINDOW, now), None);
        }
        assert_eq!(steps, [5, 10, 15, 15]);
        now += WINDOW;
        assert_eq!(pace.sent(1, Told::OneByOne, 5, WINDOW, now), None);
        assert_eq!(pace.sent(1, Told::Together, 5, WINDOW, now), Some(now + REST));
    }
}
