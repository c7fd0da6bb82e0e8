//! `upmesh replay` over a log nobody has read yet.

use std::time::Duration;

use anyhow::{Context, Result};
use serde::Deserialize;
use testkit::Stack;
use tokio::process::Command;

use crate::measures::log::Log;

/// What the command says with `--json`.
#[derive(Debug, Deserialize)]
pub struct Replayed {
    pub records: f64,
    /// Reading, folding and staging.
    pub records_per_second: f64,
    /// All of it, from the first look at the log to the last key removed.
    pub seconds: f64,
}

/// Writes the log and builds history and live state from it.
pub async fn replay(stack: &Stack, log: &Log) -> Result<Replayed> {
    stack.create_topics(6).await;
    log.write(stack).await?;
    let mut command = Command::new(system_tests::binary("upmesh"));
    command.args(["replay", "--json"]).env_clear().envs(stack.environment().await).kill_on_drop(true);
    let output = tokio::time::timeout(Duration::from_mins(5), command.output()).await.context("no replay within five minutes")??;
    anyhow::ensure!(output.status.success(), "replay: {}", String::from_utf8_lossy(&output.stderr));
    let replayed: Replayed = serde_json::from_slice(&output.stdout)?;
    #[expect(clippy::cast_precision_loss, reason = "records of a measurement")]
    let written = log.results() as f64;
    anyhow::ensure!((replayed.records - written).abs() < 0.5, "{} records replayed of {written}", replayed.records);
    Ok(replayed)
}
