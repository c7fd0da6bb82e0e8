//! Counts of an hour as text: numbers in the order of the outcomes' codes, trailing zeros left out.

use model::Outcome;
use model::uptime::Counts;

/// `60` is sixty times up; `58,0,2` fifty-eight times up and twice down.
pub fn encode_counts(counts: &Counts) -> String {
    let used = Outcome::ALL.iter().rposition(|outcome| counts.get(*outcome) > 0).map_or(1, |last| last + 1);
    let numbers: Vec<String> = Outcome::ALL[..used].iter().map(|outcome| counts.get(*outcome).to_string()).collect();
    numbers.join(",")
}

/// Nothing where the text is none of ours.
pub fn decode_counts(text: &[u8]) -> Option<Counts> {
    let mut counts = Counts::default();
    let mut numbers = std::str::from_utf8(text).ok()?.split(',');
    for outcome in Outcome::ALL {
        match numbers.next() {
            Some(number) => counts.add_many(outcome, number.parse().ok()?),
            None => break,
        }
    }
    numbers.next().is_none().then_some(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_survive_the_trip_and_rubbish_is_refused() {
        for counts in [
            Counts::default(),
            Counts { up: 60, ..Counts::default() },
            Counts { up: 58, down: 2, ..Counts::default() },
            Counts { up: 1, degraded: 2, down: 3, unknown: 4, missed: 5, maintenance: 6 },
        ] {
            assert_eq!(decode_counts(encode_counts(&counts).as_bytes()), Some(counts));
        }
        assert_eq!(encode_counts(&Counts { up: 58, down: 2, ..Counts::default() }), "58,0,2");
        for rubbish in [&b"x"[..], b"", b"1,,2", b"1,2,3,4,5,6,7", b"\xff"] {
            assert_eq!(decode_counts(rubbish), None);
        }
    }
}
