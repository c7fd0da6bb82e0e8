//! Instants as people write them.

use chrono::{DateTime, NaiveDate, Utc};
use model::Millis;
use service::Error;

/// `24h`, `90m`, `7d` before `now`; a day (its beginning, UTC); an instant with its zone.
pub fn parse(option: &str, text: &str, now: Millis) -> Result<Millis, Error> {
    let text = text.trim();
    if text == "now" {
        return Ok(now);
    }
    if let Ok(day) = text.parse::<NaiveDate>() {
        return Ok(day.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_millis());
    }
    if let Ok(instant) = DateTime::parse_from_rfc3339(text) {
        return Ok(instant.timestamp_millis());
    }
    let ago = text.char_indices().next_back().and_then(|(at, unit)| {
        let number: Millis = text.get(..at)?.parse().ok().filter(|number| (0..=100_000).contains(number))?;
        let unit = match unit {
            's' => 1000,
            'm' => 60_000,
            'h' => 3_600_000,
            'd' => 86_400_000,
            'w' => 7 * 86_400_000,
            _ => return None,
        };
        Some(number * unit)
    });
    ago.map(|ago| now - ago).ok_or_else(|| {
        Error::msg(format!("{option}: {text:?} is no instant; write for example 24h, 7d, 2026-11-20 or 2026-11-20T08:00:00Z"))
    })
}

/// `2026-11-20 08:00:05 UTC`
pub fn show(at: Millis) -> String {
    DateTime::<Utc>::from_timestamp_millis(at).map_or_else(|| at.to_string(), |at| at.format("%Y-%m-%d %H:%M:%S UTC").to_string())
}

/// `45 s`, `12 min`, `3 h 20 min`, `2 d 4 h`
pub fn span(length: Millis) -> String {
    let seconds = length / 1000;
    match seconds {
        ..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        7200..=172_799 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_read_as_people_write_them() {
        let now = 1_772_323_200_000; // 2026-03-01T00:00:00Z
        let read = |text: &str| parse("--from", text, now).map(|at| (now - at) / 60_000).ok();
        assert_eq!(read("24h"), Some(24 * 60));
        assert_eq!(read("7d"), Some(7 * 24 * 60));
        assert_eq!(read("2026-02-28"), Some(24 * 60));
        assert_eq!(read("2026-02-28T23:30:00Z"), Some(30));
        assert_eq!(read("2026-03-01T00:30:00+01:00"), Some(30));
        assert_eq!(read("now"), Some(0));
        for wrong in ["", "yesterday", "h", "-3h", "3y", "2026-02-31", "é"] {
            let error = parse("--from", wrong, now).expect_err(wrong).to_string();
            assert!(error.starts_with("--from: "), "{error}");
        }
        assert_eq!((span(119_000), span(3_600_000)), ("119 s".to_owned(), "60 min".to_owned()));
        assert_eq!((span(12_000_000), span(190_000_000)), ("3 h 20 min".to_owned(), "2 d 4 h".to_owned()));
    }
}
