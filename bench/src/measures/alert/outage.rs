//! E2: from the instant a target goes down to the message, over a thousand instants that lie evenly between two checks. Each
//! outage is told alone: the Slack channels are so many that no message waits for another's pace.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::Result;

use super::rig::{Alerts, named};
use crate::measures::checks::rig::Size;
use crate::measures::{Suite, progress};
use crate::roles::now_us;
use crate::roles::target::Outages;
use crate::stats::quantile;

pub async fn measure(suite: &mut Suite) -> Result<()> {
    if !suite.wants(&["E2", "E2p"]) {
        return Ok(());
    }
    let size = suite.size(Size { monitors: 1_000, interval_seconds: 20 }, Size { monitors: 60, interval_seconds: 3 });
    progress(&format!("E2: {} targets go down, each at another instant; twice, side by side", size.monitors));
    // Without confirmation the first answer that fails opens the incident; by default the second slot in a row does.
    let (alone, usual) = tokio::try_join!(delays(suite, size, Some(1), Some(-1)), delays(suite, size, None, None))?;
    let interval = f64::from(size.interval_seconds);
    let defaults = format!(
        "with the defaults (a second attempt, two slots in a row) p50 {:.1}, p99 {:.1}, max {:.1} s",
        quantile(&usual, 0.5),
        quantile(&usual, 0.99),
        quantile(&usual, 1.0)
    );
    let note = format!(
        "n = {}, one failure opens, not confirmed; p99.9 {:.2}, max {:.2} s; {defaults}",
        alone.len(),
        quantile(&alone, 0.999),
        quantile(&alone, 1.0)
    );
    let what = format!("target down → Slack POST at a {} s interval", size.interval_seconds);
    suite.below("E2", &format!("{what}, p50"), quantile(&alone, 0.5), " s", interval / 2.0 + 0.5, note);
    let note = "the same; the bar is the interval and a second".to_owned();
    suite.below("E2p", &format!("{what}, p99"), quantile(&alone, 0.99), " s", interval + 1.0, note);
    Ok(())
}

/// Seconds from each outage's begin to the message about it.
async fn delays(suite: &Suite, size: Size, failures_to_open: Option<u8>, confirm_ms: Option<i32>) -> Result<Vec<f64>> {
    let failures = failures_to_open.map_or_else(String::new, |failures| format!("--failures-to-open {failures}"));
    let feed = format!("--slack {} {failures}", size.monitors.div_ceil(5));
    let mut alerts = Alerts::start(suite, size, feed, confirm_ms).await?;
    let outages = Outages {
        monitors: size.monitors,
        from: now_us() / 1000 + 500,
        interval_ms: i64::from(size.interval_seconds) * 1000,
        together: false,
    };
    alerts.fail(outages).await?;
    let all = usize::try_from(size.monitors)?;
    // Each begins within two intervals, is seen by the second slot after, and two more seconds are a generous delay.
    let within = size.interval() * 4 + Duration::from_secs(12);
    alerts.until(within, |posts| posts.iter().map(|post| named(post).len()).sum::<usize>() >= all).await?;
    let mut told = HashMap::<u32, i64>::new();
    for post in alerts.told() {
        for n in named(post) {
            told.entry(n).or_insert(post.at);
        }
    }
    alerts.end().await?;
    anyhow::ensure!(told.len() == all, "{} of {all} outages were told", told.len());
    #[expect(clippy::cast_precision_loss, reason = "microseconds of a minute")]
    let seconds = |n: u32, at: i64| outages.begin(n).map(|begin| (at - begin) as f64 / 1e6);
    Ok(told.into_iter().filter_map(|(n, at)| seconds(n, at)).collect())
}
