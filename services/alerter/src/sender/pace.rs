//! How fast a channel may be written to: so many messages within a window, and fewer while a storm lasts. What is
//! remembered for it lies in PostgreSQL, where all alerters see it; here are the rules.

use std::time::Duration;

use model::Millis;
use store::incidents::ChannelPace;

/// A channel rests after a message for many alerts: this long after the first, longer by as much after each that follows. Whoever
/// has just read that fifty targets are down gains nothing from a message a second.
const REST_MS: Millis = 5_000;
const LONGEST_REST_MS: Millis = 15_000;

/// Takes room for up to `wanted` messages where a channel takes `count` within `window`; says for how many there is some.
pub fn take(pace: &mut ChannelPace, wanted: usize, count: usize, window: Duration, now: Millis) -> usize {
    let window = Millis::try_from(window.as_millis()).unwrap_or(Millis::MAX);
    // What lies ahead of a clock that was set back says nothing.
    pace.sent.retain(|at| *at <= now && now - *at < window);
    let room = if pace.until > now { 0 } else { wanted.min(count.saturating_sub(pace.sent.len())) };
    pace.sent.extend(std::iter::repeat_n(now, room));
    let oldest = pace.sent.len().checked_sub(count).and_then(|over| pace.sent.get(over));
    pace.until = pace.until.max(oldest.map_or(0, |at| at.saturating_add(window)));
    room
}

/// Notes that messages arrived, each for many alerts or for one.
pub fn told(pace: &mut ChannelPace, together: bool, now: Millis) {
    pace.together = if together { pace.together.saturating_add(1) } else { 0 };
    if together {
        rest(pace, now + REST_MS.saturating_mul(pace.together.into()).min(LONGEST_REST_MS));
    }
}

/// Nobody sends before `until`.
pub fn rest(pace: &mut ChannelPace, until: Millis) {
    pace.until = pace.until.max(until);
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(5);
    const T: Millis = 1_800_000_000_000;

    #[test]
    fn a_burst_passes_and_the_next_waits_for_the_window() {
        let mut pace = ChannelPace::default();
        for at in [T, T + 1] {
            assert_eq!(take(&mut pace, 2, 5, WINDOW, at), 2);
            assert!(pace.until <= at);
        }
        assert_eq!(take(&mut pace, 2, 5, WINDOW, T + 2), 1, "there is room for one more");
        assert_eq!(pace.until, T + 5_000);
        assert_eq!(take(&mut pace, 1, 5, WINDOW, T + 4_999), 0);
        assert_eq!(take(&mut pace, 9, 5, WINDOW, T + 5_000), 2, "the two of the beginning are past");
        assert_eq!(take(&mut pace, 9, 5, WINDOW, T + 5_001), 2);
    }

    #[test]
    fn a_storm_is_told_in_growing_steps_and_calm_ends_it() {
        let (mut pace, mut now, mut steps) = (ChannelPace::default(), T, Vec::new());
        for _ in 0..4 {
            assert_eq!(take(&mut pace, 1, 5, WINDOW, now), 1);
            told(&mut pace, true, now);
            steps.push((pace.until - now) / 1000);
            now = pace.until;
        }
        assert_eq!(steps, [5, 10, 15, 15]);
        told(&mut pace, false, now);
        told(&mut pace, true, now);
        assert_eq!(pace.until, now + REST_MS);
    }

    #[test]
    fn what_the_channel_asked_for_stands_over_its_pace() {
        let mut pace = ChannelPace::default();
        rest(&mut pace, T + 60_000);
        assert_eq!(take(&mut pace, 1, 5, WINDOW, T + 59_999), 0);
        rest(&mut pace, T + 1_000);
        assert_eq!(take(&mut pace, 1, 5, WINDOW, T + 59_999), 0, "a shorter wish does not undo a longer one");
        assert_eq!(take(&mut pace, 1, 5, WINDOW, T + 60_000), 1);
    }

    #[test]
    fn messages_of_a_clock_that_was_set_back_take_no_room() {
        let mut pace = ChannelPace { sent: vec![T + 3_600_000; 5], ..ChannelPace::default() };
        assert_eq!(take(&mut pace, 1, 5, WINDOW, T), 1);
    }
}
