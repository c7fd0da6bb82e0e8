//! From the first answer that fails to the message: pinger, Kafka, alerter, Slack, on a mesh that does little else.

use std::time::Duration;

use anyhow::Result;
use model::Schedule;
use system_tests::{Farm, Mesh, Plan, Slack, monitor, now};
use testkit::eventually;

use super::Suite;
use crate::stats::quantile;

pub async fn measure(suite: &mut Suite) -> Result<()> {
    if !suite.wants(&["E1"]) {
        return Ok(());
    }
    let farm = Farm::start().await;
    let slack = Slack::start().await;
    let settings = vec![("RUST_LOG".to_owned(), "warn".to_owned())];
    let mesh = Mesh::start(Plan { slack: Some(slack.url()), settings, ..Plan::default() }).await;
    let api = mesh.login().await;
    let region = "local".parse().map_err(anyhow::Error::msg)?;
    let mut waiting = Vec::new();
    for n in 0..suite.size(60, 6) {
        let name = format!("target-{n:03}");
        let id = api.create(monitor(&name, &farm.url(&name))).await;
        waiting.push((name, id));
    }
    for (_, id) in &waiting {
        eventually("every monitor has a result", Duration::from_mins(1), || async { (api.state(id).await == "up").then_some(()) }).await;
    }
    let (mut from_first, mut from_last) = (Vec::new(), Vec::new());
    while !waiting.is_empty() {
        // One at a time, and never more than Slack takes: a message a second.
        tokio::time::sleep(Duration::from_millis(1100)).await;
        let soonest =
            |(_, id): &(String, String)| id.parse().map_or(i64::MAX, |id| Schedule::new(id, &region, 10_000).at_or_after(now() + 200));
        waiting.sort_by_key(soonest);
        let (name, _) = waiting.remove(0);
        farm.set_down(&name, true);
        let post = eventually("the message", Duration::from_secs(30), || async { slack.about(&name).first().cloned() }).await;
        let failed: Vec<i64> =
            farm.visits(&name).iter().filter(|visit| visit.status != 200 && visit.at <= post.at).map(|visit| visit.at).collect();
        let (Some(first), Some(last)) = (failed.first(), failed.last()) else { continue };
        #[expect(clippy::cast_precision_loss, reason = "milliseconds")]
        {
            from_first.push((post.at - first) as f64);
            from_last.push((post.at - last) as f64);
        }
    }
    let note = format!(
        "p50 {:.0} ms, max {:.0} ms, n = {}; the pinger's confirmation within the slot included; from the confirming answer p50 {:.0}, p99 {:.0} ms",
        quantile(&from_first, 0.5),
        quantile(&from_first, 1.0),
        from_first.len(),
        quantile(&from_last, 0.5),
        quantile(&from_last, 0.99)
    );
    suite.below("E1", "first failing answer → Slack POST through Kafka, p99", quantile(&from_first, 0.99), " ms", 150.0, note);
    Ok(())
}
