//! E1: from the first answer that fails to the message: pinger, Kafka, alerter, Slack, on a mesh that does little else.

use std::time::Duration;

use anyhow::Result;
use model::Schedule;
use system_tests::{Farm, Mesh, Plan, Slack, monitor, now};
use testkit::eventually;

use crate::measures::Suite;
use crate::stats::quantile;

pub async fn measure(suite: &mut Suite) -> Result<()> {
    if !suite.wants(&["E1"]) {
        return Ok(());
    }
    let alone = delays(-1, suite.size(60, 5)).await?;
    let confirmed = delays(200, suite.size(20, 3)).await?;
    let note = format!(
        "p50 {:.0} ms, max {:.0} ms, n = {}, one answer that fails, not confirmed; with the default confirmation (a second attempt 100 – 300 ms later) p50 {:.0}, max {:.0} ms, n = {}",
        quantile(&alone, 0.5),
        quantile(&alone, 1.0),
        alone.len(),
        quantile(&confirmed, 0.5),
        quantile(&confirmed, 1.0),
        confirmed.len()
    );
    suite.below("E1", "first failing answer → Slack POST through Kafka, p99", quantile(&alone, 0.99), " ms", 150.0, note);
    Ok(())
}

/// Milliseconds from the first answer that fails to the message, of targets that fail one at a time.
async fn delays(confirm_ms: i32, samples: usize) -> Result<Vec<f64>> {
    crate::measures::progress(&format!("E1: {samples} targets fail, confirmation {confirm_ms} ms"));
    let farm = Farm::start().await;
    let slack = Slack::start().await;
    let settings = vec![("RUST_LOG".to_owned(), "warn".to_owned()), ("CONFIRM_PAUSE_MS".to_owned(), confirm_ms.to_string())];
    let mesh = Mesh::start(Plan { slack: Some(slack.url()), settings, ..Plan::default() }).await;
    let api = mesh.login().await;
    let region = "local".parse().map_err(anyhow::Error::msg)?;
    let mut waiting = Vec::new();
    for n in 0..samples {
        let name = format!("target-{n:03}");
        let id = api.create(monitor(&name, &farm.url(&name))).await;
        waiting.push((name, id));
    }
    for (_, id) in &waiting {
        eventually("every monitor has a result", Duration::from_mins(1), || async { (api.state(id).await == "up").then_some(()) }).await;
    }
    let mut delays = Vec::new();
    while !waiting.is_empty() {
        // One at a time, and never more than Slack takes: a message a second.
        tokio::time::sleep(Duration::from_millis(1100)).await;
        let soonest =
            |(_, id): &(String, String)| id.parse().map_or(i64::MAX, |id| Schedule::new(id, &region, 10_000).at_or_after(now() + 200));
        waiting.sort_by_key(soonest);
        let (name, _) = waiting.remove(0);
        farm.set_down(&name, true);
        let post = eventually("the message", Duration::from_secs(30), || async { slack.about(&name).first().cloned() }).await;
        let Some(first) = farm.visits(&name).into_iter().find(|visit| visit.status != 200) else { continue };
        #[expect(clippy::cast_precision_loss, reason = "milliseconds")]
        delays.push((post.at - first.at) as f64);
    }
    Ok(delays)
}
