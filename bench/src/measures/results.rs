//! The processor: results per second against the bare loop of rows and hashes, its own CPU, delay, and
//! what a check costs on disk and a monitor in Redis.

mod replay;
mod run;

use std::time::Duration;

use anyhow::Result;
use testkit::Stack;

use super::log::Log;
use super::{Suite, progress};
use crate::child::{Core, Process};
use crate::roles::Count;
use crate::stats::{Pairs, median, quantile};

pub async fn measure(suite: &mut Suite) -> Result<()> {
    if suite.wants(&["R1", "R3"]) {
        throughput(suite).await?;
    }
    if suite.wants(&["R4"]) {
        delay(suite).await?;
    }
    if suite.wants(&["R5"]) {
        replayed(suite).await?;
    }
    if suite.wants(&["D", "M1"]) {
        sizes(suite).await?;
    }
    Ok(())
}

/// R1 live (every monitor once per round), R1 catching up (an hour of each monitor), R3.
async fn throughput(suite: &mut Suite) -> Result<()> {
    let live = Log { monitors: suite.size(50_000, 5_000), interval_seconds: 10, rounds: suite.size(8, 4), hours_ago: 0 };
    let hour = Log { monitors: suite.size(10_000, 1_000), interval_seconds: 60, rounds: 60, hours_ago: 1 };
    let mut own = Vec::new();
    for (id, log, bar, what) in [("R1", live, 0.5, "live"), ("R1h", hour, 1.0, "catching up on an hour of log")] {
        let mut pairs = Pairs::default();
        for n in 0..suite.pairs() {
            progress(&format!("{id}: pair {} of {}", n + 1, suite.pairs()));
            let stack = Stack::new();
            let bare = bare(suite, &stack, &log).await?;
            let run = run::consume(suite, &stack, &log, 30).await?;
            pairs.push(1e6 / bare.rate(), run.seconds * 1e6 / run.results);
            own.push(run.cpu_seconds * 1e6 / run.results);
        }
        let per_second = 1e6 / median(&pairs.valid().product).max(1e-9);
        let what = format!(
            "processor, {what}: {} results of {} monitors from Kafka to PostgreSQL and Redis ({per_second:.0}/s): share of the bare UNNEST + HSET loop",
            log.results(),
            log.monitors
        );
        suite.share(id, &what, bar, "µs of wall clock per result", &pairs);
    }
    suite.below(
        "R3",
        "processor, its own CPU per result",
        median(&own),
        " µs",
        5.0,
        "live and catching up together; the bare loop's client is 0.9 – 1.1 µs".to_owned(),
    );
    Ok(())
}

/// The bare loop over as many results of as many monitors.
async fn bare(suite: &Suite, stack: &Stack, log: &Log) -> Result<Count> {
    let arguments = [
        "rows-loop",
        "--database",
        &stack.database().await.url,
        "--redis",
        &stack.redis_url,
        "--prefix",
        &stack.redis_prefix,
        "--results",
        &log.results().to_string(),
        "--monitors",
        &log.monitors.to_string(),
    ]
    .map(str::to_owned);
    let mut bare = Process::role(Core::Subject, &arguments, suite.scratch.path())?;
    let count = bare.line(Duration::from_mins(2)).await?;
    run::forget(stack).await?;
    Ok(count)
}

/// R4: results at a steady rate, each timed from the producer to the moment its live state is published.
async fn delay(suite: &mut Suite) -> Result<()> {
    let rate = suite.size(5_000, 1_000);
    let delays = run::delays(suite, rate, Duration::from_secs(suite.size(6, 2))).await?;
    let note = format!(
        "p50 {:.1} ms, n = {}; rows are committed by age ({} s), not per batch, because the log is the record until then",
        quantile(&delays, 0.5),
        delays.len(),
        30
    );
    suite.below(
        "R4",
        &format!("processor at {rate} results/s: produced → visible in Redis, p99"),
        quantile(&delays, 0.99),
        " ms",
        200.0,
        note,
    );
    Ok(())
}

/// R5: history and live state anew from the log.
async fn replayed(suite: &mut Suite) -> Result<()> {
    let log = Log { monitors: suite.size(20_000, 1_000), interval_seconds: 60, rounds: 60, hours_ago: 1 };
    let replayed = replay::replay(&Stack::new(), &log).await?;
    let note = format!("{} results of {} monitors; swapped in and tidied after {:.1} s", log.results(), log.monitors, replayed.seconds);
    suite.above("R5", "upmesh replay: results read, folded and staged per second", replayed.records_per_second, "/s", 100_000.0, note);
    Ok(())
}

/// D and M1: six hours of checks at 60 s, and one hour that is written by a flush per minute.
async fn sizes(suite: &mut Suite) -> Result<()> {
    let stack = Stack::new();
    let monitors = suite.size(1_000, 200);
    let mut results = 0.0;
    let mut checked = 0;
    for hours_ago in (1..=suite.size(6, 2)).rev() {
        let log = Log { monitors, interval_seconds: 60, rounds: 60, hours_ago };
        let run = run::consume(suite, &stack, &log, 30).await?;
        results += run.results;
        checked += 1;
    }
    let disk = run::disk(&stack).await?;
    let redis = run::redis_bytes(&stack).await? / f64::from(monitors);
    let plain = run::plain_bytes(&stack).await?;
    let hot = if suite.options.short { None } else { Some(run::hot_hour(suite, 500).await?) };
    if suite.wants(&["D"]) {
        let hot = hot.map_or_else(String::new, |hot| format!("; an hour flushed 60 times, dead rows included: {hot:.1} B"));
        let note = format!("{checked} h of {monitors} monitors with latencies that vary; the block alone {:.1} B{hot}", plain / results);
        suite.below("D", "bytes per check on disk at 60 s, index and page overhead included", disk / results, " B", 10.0, note);
    }
    if suite.wants(&["M1"]) {
        let note = format!("live result, hours and current blocks, after {checked} h");
        suite.below("M1", "Redis, bytes per monitor", redis, " B", 4096.0, note);
    }
    Ok(())
}
