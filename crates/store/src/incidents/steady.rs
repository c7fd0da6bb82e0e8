//! Whether claims that ran out may be taken over: not after PostgreSQL was away, as their owners could not renew them then. One
//! that has just come cannot know whether it was.

use std::time::{Duration, Instant};

use model::Millis;

/// Whoever claims looks every two seconds. A longer gap than this between two answers means that PostgreSQL was away, or we were.
/// A shorter absence lets no claim run out that is renewed every few seconds.
const GAP_MS: Millis = 7_500;

/// How long PostgreSQL has answered one that looks again and again, by PostgreSQL's own clock.
#[derive(Debug, Clone, Default)]
pub struct Steady {
    last: Option<(Millis, Instant)>,
    /// When it answered first, or again after the last gap.
    since: Option<Millis>,
}

impl Steady {
    /// What PostgreSQL's clock is by now, as it was when it answered last.
    pub fn heard(&self) -> Option<Millis> {
        self.last.map(|(at, said)| at + Millis::try_from(said.elapsed().as_millis()).unwrap_or(0))
    }

    /// PostgreSQL answers, and its clock says `now`. Gives whether claims that ran out may be taken over: at first and after a gap
    /// their owners, which may live and know what became of their messages, have one `lease` to say so.
    pub fn answered(&mut self, now: Millis, lease: Duration) -> bool {
        // A clock that was set back begins anew, too: nobody is to wait for it to come round again.
        if self.last.replace((now, Instant::now())).is_none_or(|(last, _)| !(0..=GAP_MS).contains(&(now - last))) {
            self.since = Some(now);
        }
        let lease = Millis::try_from(lease.as_millis()).unwrap_or(Millis::MAX);
        self.since.is_some_and(|since| now - since >= lease)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(15);

    #[test]
    fn at_first_and_after_a_gap_others_have_a_lease_to_come_back() {
        let mut steady = Steady::default();
        let mut at = |seconds: Millis| steady.answered(seconds * 1000, LEASE);
        assert_eq!([at(-15), at(-8), at(-1)], [false; 3], "it may have been away until just now");
        assert!(at(0) && at(2) && at(9));
        // Away for a minute.
        assert_eq!([at(69), at(71), at(76), at(83)], [false; 4]);
        assert!(at(84) && at(86));
        assert_eq!([at(94), at(101), at(108)], [false; 3], "each gap counts");
        assert!(at(109));
        // Set back by an hour.
        assert_eq!([at(-3491), at(-3485), at(-3478)], [false; 3]);
        assert!(at(-3476));
    }
}
