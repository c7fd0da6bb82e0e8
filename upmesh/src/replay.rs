//! `upmesh replay`: history and live state anew from the log, while the mesh runs.

mod show;

use std::sync::Arc;

use clap::Args;
use indicatif::HumanCount;
use model::SystemClock;
use processor::Settings;
use processor::replay::{self as rebuild, Phase, Progress};
use service::{Env, Error};

use crate::output;
use crate::progress::Bar;

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

/// Rebuilds and swaps, or compares.
pub async fn run(env: Env, options: Options) -> Result<(), Error> {
    let settings = Settings::read(&env)?;
    let bar = Bar::new();
    let asked = rebuild::Options { check: options.check };
    let tell = |progress: &Progress| bar.tell(words(progress.phase), progress.read, progress.total, progress.took);
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

fn words(phase: Phase) -> &'static str {
    match phase {
        Phase::Reading => "reading the log",
        Phase::Comparing => "comparing",
        Phase::Staging => "staging live state",
        Phase::Swapping => "swapping",
        Phase::Tidying => "tidying up",
    }
}
