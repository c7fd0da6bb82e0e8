//! `upmesh replay`: history and live state anew from the log, while the mesh runs.

mod show;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use model::SystemClock;
use processor::Settings;
use processor::replay::{self as rebuild, Phase, Progress};
use service::{Env, Error};

use crate::output;

#[derive(Debug, Args)]
#[command(
    after_help = "Settings are those of the processor: KAFKA_BROKERS, DATABASE_URL, REDIS_URL, TOPIC_PREFIX, REDIS_PREFIX, CHECK_RETENTION_DAYS."
)]
pub struct Options {
    /// Compare only and change nothing; ends with code 1 where something differs.
    #[arg(long)]
    check: bool,
    /// Print JSON instead.
    #[arg(long)]
    json: bool,
}

/// Without a terminal a line says so often how far it is.
const LINES: Duration = Duration::from_secs(5);

/// Rebuilds and swaps, or compares.
pub async fn run(env: Env, options: Options) -> Result<(), Error> {
    let settings = Settings::read(&env)?;
    let bar = Bar::new();
    let asked = rebuild::Options { check: options.check };
    let tell = |progress: &Progress| bar.tell(progress);
    let report = tokio::select! {
        report = rebuild::run(&settings, asked, Arc::new(SystemClock), &tell) => report,
        _ = tokio::signal::ctrl_c() => {
            bar.clear();
            return Err(Error::msg("interrupted; unless a swap was reported, what stood still stands"));
        }
    };
    bar.clear();
    let report = report?;
    output::print(&if options.json { serde_json::to_string_pretty(&show::json(&report))? + "\n" } else { show::text(&report) });
    if options.check && report.differences > 0 {
        let noun = if report.differences == 1 { "place differs" } else { "places differ" };
        return Err(Error::msg(format!("{} {noun} from the log; `upmesh replay` puts it right", HumanCount(report.differences))));
    }
    Ok(())
}

/// A bar on a terminal, lines anywhere else; both on standard error.
struct Bar {
    bar: ProgressBar,
    said: Mutex<(Option<Phase>, Instant)>,
}

impl Bar {
    fn new() -> Self {
        let bar = ProgressBar::new(0);
        if let Ok(style) = ProgressStyle::with_template("{msg:<24} {wide_bar} {human_pos}/{human_len} records, {prefix}") {
            bar.set_style(style);
        }
        Self { bar, said: Mutex::new((None, Instant::now())) }
    }

    fn tell(&self, progress: &Progress) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let new = said.0 != Some(progress.phase);
        if self.bar.is_hidden() {
            if new || said.1.elapsed() >= LINES {
                *said = (Some(progress.phase), Instant::now());
                output::complain(&format!(
                    "{}: {} of {} records, {}",
                    words(progress.phase),
                    HumanCount(progress.read),
                    HumanCount(progress.total),
                    pace(progress)
                ));
            }
            return;
        }
        *said = (Some(progress.phase), Instant::now());
        self.bar.set_length(progress.total);
        self.bar.set_position(progress.read);
        self.bar.set_prefix(pace(progress));
        if new {
            self.bar.set_message(words(progress.phase));
        }
    }

    fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

fn words(phase: Phase) -> &'static str {
    match phase {
        Phase::Reading => "reading the log",
        Phase::Comparing => "comparing",
        Phase::Staging => "staging live state",
        Phase::Swapping => "swapping",
        Phase::Tidying => "tidying up",
    }
}

/// `120,000/s, 35 s left`
fn pace(progress: &Progress) -> String {
    let seconds = progress.took.as_secs_f64().max(0.001);
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate for people")]
    let rate = (progress.read as f64 / seconds) as u64;
    let left = progress.total.saturating_sub(progress.read);
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
        let progress = Progress { phase: Phase::Reading, read: 500_000, total: 1_500_000, took: Duration::from_secs(4) };
        assert_eq!(pace(&progress), "125,000/s, 8 s left");
        assert_eq!(pace(&Progress { read: 1_500_000, ..progress }), "375,000/s");
        assert_eq!(pace(&Progress { read: 0, total: 0, ..progress }), "0/s");
    }
}
