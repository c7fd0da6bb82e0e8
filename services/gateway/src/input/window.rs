//! Windows of time, bounded.

use model::Millis;

use super::Params;

/// Roll-ups are kept for 400 days.
const MAX_WINDOW_MS: Millis = 400 * DAY_MS;
const DAY_MS: Millis = 24 * 3_600_000;
/// A slot lies between 2020 and 2100.
const EARLIEST: Millis = 1_577_836_800_000;
const LATEST: Millis = 4_102_444_800_000;

/// The parameters `from` and `to`.
pub(crate) fn read_window(params: &mut Params) -> (Option<Millis>, Option<Millis>) {
    let (from, to) = (params.number("from", EARLIEST, LATEST), params.number("to", EARLIEST, LATEST));
    if let (Some(from), Some(to)) = (from, to) {
        if from >= to {
            params.wrong("from", "is not before \"to\"");
        } else if to - from > MAX_WINDOW_MS {
            params.wrong("from", "lies more than 400 days before \"to\"");
        }
    }
    (from, to)
}

/// The window. The end is now, the start a day before the end, where they are absent.
pub(crate) fn resolve_window(from: Option<Millis>, to: Option<Millis>, now: Millis) -> (Millis, Millis) {
    let to = to.unwrap_or_else(|| now.max(from.map_or(now, |from| from + 1)));
    let from = from.unwrap_or(to - DAY_MS);
    // A start alone may lie further back than a window may be long.
    (from.max(to - MAX_WINDOW_MS), to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_absent_is_filled_in() {
        let now = 1_800_000_000_000;
        assert_eq!(resolve_window(None, None, now), (now - DAY_MS, now));
        assert_eq!(resolve_window(Some(now - 5), None, now), (now - 5, now));
        assert_eq!(resolve_window(Some(now + 5), None, now), (now + 5, now + 6));
        assert_eq!(resolve_window(None, Some(now - 7), now), (now - 7 - DAY_MS, now - 7));
        assert_eq!(resolve_window(Some(EARLIEST), None, now), (now - MAX_WINDOW_MS, now));
    }
}
