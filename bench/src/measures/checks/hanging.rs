//! P7: one target in ten answers after five seconds. The others must not notice.

use std::time::Duration;

use anyhow::Result;

use super::plain::{bar, beside};
use super::rig::{Rig, Size, Task, heap, lateness, target};
use crate::measures::{Suite, progress};
use crate::stats::quantile;

pub async fn measure(suite: &mut Suite) -> Result<()> {
    if !suite.wants(&["P7", "P7l"]) {
        return Ok(());
    }
    progress("P7: one target in ten hangs");
    let size = suite.size(Size { monitors: 100_000, interval_seconds: 60 }, Size { monitors: 1_200, interval_seconds: 6 });
    let target = target(suite, false).await?;
    let bare = vec![heap(suite, target.1, size).await?];
    let rig = Rig::start(suite, &Task { feed: "--hang".to_owned(), ..Task::plain(size) }, target).await?;
    rig.settled().await?;
    let window = rig.window(Duration::from_secs(suite.size(10, 3))).await?;
    rig.end().await?;
    let late = lateness(&window.seen, size)?;
    #[expect(clippy::cast_precision_loss, reason = "megabytes")]
    let megabytes = window.memory as f64 / 1e6;
    let what = format!("pinger, {} monitors at {} s, one target in ten hangs 5 s", size.monitors, size.interval_seconds);
    let note = format!("of {:.0}/s nominal; {megabytes:.0} MB resident", size.rate());
    suite.above("P7", &format!("{what}: share of the slots run"), window.checks() / window.seconds / size.rate(), "×", 0.98, note);
    let note = format!("as P6; p50 {:.1}, p99.9 {:.1} ms; {}", quantile(&late, 0.5), quantile(&late, 0.999), beside(&bare));
    suite.below("P7l", &format!("{what}: lateness p99"), quantile(&late, 0.99), " ms", bar(&bare), note);
    Ok(())
}
