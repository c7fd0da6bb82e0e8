//! `upmesh backtest`: which incidents another alert policy would have opened, against those that were.
//! The log is folded by the code the alerter runs; nothing is written and nobody is told.

mod judge;
mod log;
mod outcome;
mod policy;
mod show;
mod when;

use std::collections::HashMap;
use std::path::PathBuf;

use clap::Args;
use kafka::KafkaConfig;
use model::{Clock, Millis, Monitor, MonitorId, SystemClock};
use service::{Env, Error};
use store::Store;
use store::monitors::Keyless;

use crate::output;
use crate::progress::Bar;
use judge::Judge;

#[derive(Debug, Args)]
#[command(after_help = "Settings are those of the services: KAFKA_BROKERS, DATABASE_URL, TOPIC_PREFIX.")]
pub struct Options {
    /// YAML with the words of a monitor's `alert:` (failures_to_open, successes_to_close, regions_down).
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// From when on: `24h`, `7d` (ago), `2026-11-20`, `2026-11-20T08:00:00Z`.
    #[arg(long, default_value = "24h")]
    from: String,
    /// Until when; now unless given.
    #[arg(long)]
    to: Option<String>,
    /// Only the monitor of this name; may be given more than once.
    #[arg(long, value_name = "NAME")]
    monitor: Vec<String>,
    /// Print JSON instead.
    #[arg(long)]
    json: bool,
}

/// Monitors per page.
const PAGE: i64 = 1000;

/// Folds, compares, prints.
pub async fn run(env: Env, options: Options) -> Result<(), Error> {
    let now = SystemClock.now_ms();
    let policy = policy::read(&options.policy)?;
    let from = when::parse("--from", &options.from, now)?;
    let to = options.to.as_ref().map_or(Ok(now), |to| when::parse("--to", to, now))?.min(now);
    if from >= to {
        return Err(Error::msg(format!("--from ({}) is not before --to ({})", when::show(from), when::show(to))));
    }
    let (kafka, prefix, database) = (settings::kafka(&env, "upmesh-backtest"), settings::topic_prefix(&env), settings::database(&env));
    env.check()?;
    let (kafka, topic, store) = (kafka?, events::Topics::new(&prefix?).results, Store::connect(&database?, "upmesh backtest", 2)?);

    let monitors = monitors(&store, &options.monitor).await?;
    policy::fits(&policy, &monitors)?;
    let mut judge = Judge::new(monitors, &policy);
    let read = read(&kafka, &topic, &mut judge).await?;
    let begins =
        read.begins.ok_or_else(|| Error::msg(format!("the log {topic} holds no result of these monitors: nothing to test with")))?;
    if begins >= to {
        return Err(Error::msg(format!("the log begins at {}, after --to ({})", when::show(begins), when::show(to))));
    }
    let tested = from.max(begins);
    let would = judge.incidents(tested, to);
    let was = store.incidents_between(tested, to).await?;
    let was = was.into_iter().filter(|was| judge.knows(was.monitor)).collect();
    let outcome = outcome::Outcome::new(would, was);
    let test = show::Test { policy: &policy, asked: from, from: tested, to, read: &read, outcome: &outcome };
    output::print(&if options.json { serde_json::to_string_pretty(&show::json(&test))? + "\n" } else { show::text(&test) });
    Ok(())
}

async fn read(kafka: &KafkaConfig, topic: &str, judge: &mut Judge) -> Result<log::Read, Error> {
    let bar = Bar::new();
    let read = Box::pin(log::read(kafka, topic, judge, &|done, total, took| bar.tell("reading the log", done, total, took))).await;
    bar.clear();
    read
}

/// The monitors to test with, by id: all of them, or those named.
async fn monitors(store: &Store, names: &[String]) -> Result<HashMap<MonitorId, Monitor>, Error> {
    let (mut all, mut since) = (HashMap::new(), 0);
    loop {
        let page = store::monitors::feed(store, &Keyless, since, None, PAGE).await?;
        since = page.revision;
        all.extend(page.monitors.into_iter().map(|monitor| (monitor.id, monitor)));
        if !page.more {
            break;
        }
    }
    if all.is_empty() {
        return Err(Error::msg("there are no monitors to test with"));
    }
    for name in names {
        if !all.values().any(|monitor| monitor.spec.name == *name) {
            return Err(Error::msg(format!("no monitor is named {name:?}; `upmesh status` lists them")));
        }
    }
    all.retain(|_, monitor| names.is_empty() || names.contains(&monitor.spec.name));
    Ok(all)
}

/// Seconds of a span.
fn seconds(span: Millis) -> Millis {
    span / 1000
}
