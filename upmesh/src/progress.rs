//! How far a reading of the log is: a bar on a terminal, lines anywhere else; both on standard error.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{HumanCount, ProgressBar, ProgressStyle};

use crate::output;

/// Without a terminal a line says so often how far it is.
const LINES: Duration = Duration::from_secs(5);

pub struct Bar {
    bar: ProgressBar,
    /// What was said last, and when.
    said: Mutex<(&'static str, Instant)>,
}

impl Bar {
    pub fn new() -> Self {
        let bar = ProgressBar::new(0);
        if let Ok(style) = ProgressStyle::with_template("{msg:<20} {wide_bar} {human_pos}/{human_len} records, {prefix}") {
            bar.set_style(style);
        }
        Self { bar, said: Mutex::new(("", Instant::now())) }
    }

    /// `took` is since the first record was read.
    pub fn tell(&self, what: &'static str, read: u64, total: u64, took: Duration) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let new = said.0 != what;
        if !new && said.1.elapsed() < if self.bar.is_hidden() { LINES } else { Duration::from_millis(50) } {
            return;
        }
        *said = (what, Instant::now());
        if self.bar.is_hidden() {
            output::complain(&format!("{what}: {} of {} records, {}", HumanCount(read), HumanCount(total), pace(read, total, took)));
            return;
        }
        self.bar.set_length(total);
        self.bar.set_position(read);
        self.bar.set_prefix(pace(read, total, took));
        self.bar.set_message(what);
    }

    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

/// `120,000/s, 35 s left`
fn pace(read: u64, total: u64, took: Duration) -> String {
    let seconds = took.as_secs_f64().max(0.001);
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate for people")]
    let rate = (read as f64 / seconds) as u64;
    let left = total.saturating_sub(read);
    match left.checked_div(rate) {
        Some(seconds) if left > 0 => format!("{}/s, {seconds} s left", HumanCount(rate)),
        _ => format!("{}/s", HumanCount(rate)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_says_rate_and_what_is_left() {
        let took = Duration::from_secs(4);
        assert_eq!(pace(500_000, 1_500_000, took), "125,000/s, 8 s left");
        assert_eq!(pace(1_500_000, 1_500_000, took), "375,000/s");
        assert_eq!(pace(0, 0, took), "0/s");
    }
}
