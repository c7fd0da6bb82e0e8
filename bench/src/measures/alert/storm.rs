//! E3: a thousand targets go down at one instant. A sink that takes everything is told of each at once; a Slack channel that
//! takes a message a second is not flooded.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::Result;
use sqlx::Connection;

use super::rig::{Alerts, named};
use crate::measures::checks::rig::Size;
use crate::measures::{Suite, progress};
use crate::roles::now_us;
use crate::roles::target::{Outages, Post};
use crate::stats::quantile;

pub async fn measure(suite: &mut Suite) -> Result<()> {
    if !suite.wants(&["E3", "E3r", "E3g"]) {
        return Ok(());
    }
    let size = suite.size(Size { monitors: 1_000, interval_seconds: 20 }, Size { monitors: 60, interval_seconds: 3 });
    progress(&format!("E3: {} targets go down together", size.monitors));
    let mut alerts = Alerts::start(suite, size, "--storm --failures-to-open 1".to_owned(), Some(-1)).await?;
    let interval_ms = i64::from(size.interval_seconds) * 1000;
    alerts.fail(Outages { monitors: size.monitors, from: now_us() / 1000 + 200, interval_ms, together: true }).await?;
    let all = usize::try_from(size.monitors)?;
    let within = size.interval() + Duration::from_secs(60);
    alerts.until(within, |posts| webhooks(posts).count() >= all && slack(posts).map(told_of).sum::<usize>() >= all).await?;

    let first = alerts.first_failures();
    let mut delays = Vec::new();
    let mut told = HashMap::<u32, i64>::new();
    for post in webhooks(alerts.told()) {
        for n in named(post) {
            told.entry(n).or_insert(post.at);
        }
    }
    for (n, at) in &told {
        if let Some(first) = first.get(n) {
            #[expect(clippy::cast_precision_loss, reason = "microseconds of a minute")]
            delays.push((at - first) as f64 / 1e6);
        }
    }
    let messages: Vec<(i64, usize)> = slack(alerts.told()).map(|post| (post.at, told_of(post))).collect();
    let recorded = recorded(&alerts).await?;
    alerts.end().await?;

    let what = format!("{} monitors at {} s fail together", size.monitors, size.interval_seconds);
    let note = "incidents in PostgreSQL over monitors; one failure opens, not confirmed".to_owned();
    suite.above("E3r", &format!("{what}: transitions recorded"), recorded / f64::from(size.monitors), "×", 1.0, note);
    let note = format!(
        "each from its own first failing answer, at a webhook that takes everything; {} POSTs, p50 {:.3}, p99 {:.3} s",
        told.len(),
        quantile(&delays, 0.5),
        quantile(&delays, 0.99)
    );
    anyhow::ensure!(told.len() == all, "{} of {all} were told to the webhook", told.len());
    suite.below("E3", &format!("{what}: the last alert after its failing check"), quantile(&delays, 1.0), " s", 2.0, note);

    let of_all: usize = messages.iter().map(|(_, count)| count).sum();
    anyhow::ensure!(of_all == all, "{of_all} of {all} were told to Slack");
    let grouped = messages.iter().filter(|(_, count)| *count > 1).count();
    let took = messages.last().map_or(0, |(at, _)| *at) - messages.first().map_or(0, |(at, _)| *at);
    let note = format!(
        "a Slack channel that takes a message a second; {grouped} messages that name several, {} that name one, over {:.1} s; the largest tells of {}",
        messages.len() - grouped,
        {
            #[expect(clippy::cast_precision_loss, reason = "microseconds of a minute")]
            let took = took as f64 / 1e6;
            took
        },
        messages.iter().map(|(_, count)| *count).max().unwrap_or(0)
    );
    #[expect(clippy::cast_precision_loss, reason = "messages of a storm")]
    let count = messages.len() as f64;
    suite.below("E3g", &format!("{what}: messages to one Slack channel"), count, "", 5.0, note);
    Ok(())
}

fn webhooks(posts: &[Post]) -> impl Iterator<Item = &Post> {
    posts.iter().filter(|post| post.path == "/webhook")
}

fn slack(posts: &[Post]) -> impl Iterator<Item = &Post> {
    posts.iter().filter(|post| post.path == "/throttled")
}

/// Of how many monitors a Slack message tells: a long one says the number and names some.
fn told_of(post: &Post) -> usize {
    let message: serde_json::Value = serde_json::from_str(&post.body).unwrap_or_default();
    let title = message["text"].as_str().unwrap_or_default();
    let count = title.split_whitespace().zip(title.split_whitespace().skip(1)).find(|(_, word)| word.starts_with("down"));
    count.and_then(|(count, _)| count.parse().ok()).unwrap_or_else(|| named(post).len())
}

/// Incidents in the database.
async fn recorded(alerts: &Alerts) -> Result<f64> {
    let mut connection = sqlx::PgConnection::connect(&alerts.rig.stack.database().await.url).await?;
    Ok(sqlx::query_scalar("SELECT count(*)::float8 FROM incidents").fetch_one(&mut connection).await?)
}
