//! P1, P2, P5 and P6 look at the same running pinger: 5000 plain checks a second.

use std::time::Duration;

use anyhow::Result;

use super::rig::{Kind, Rig, Size, Task, fresh, heap, lateness, target};
use crate::measures::{Suite, progress};
use crate::stats::{Pairs, median, quantile};

/// CPU ms for 1000 checks by others, each the cheapest that the reference ever saw of it, and how many times cheaper we must be.
const PEERS: [(&str, &str, f64, f64); 3] = [
    ("P2k", "Uptime Kuma 2.5.3", 2570.0, 25.0),
    ("P2b", "blackbox_exporter 0.23 alone", 506.0, 5.0),
    ("P2p", "Prometheus 2.42 + blackbox_exporter", 1430.0, 12.0),
];
/// What 1000 rounds of the bare hyper loop took where the others were measured.
const BARE_THERE: f64 = 38.2;

pub async fn measure(suite: &mut Suite) -> Result<()> {
    if !suite.wants(&["P1", "P2", "P2k", "P2b", "P2p", "P5", "P6"]) {
        return Ok(());
    }
    let size = suite.size(Size { monitors: 100_000, interval_seconds: 20 }, Size { monitors: 1_500, interval_seconds: 3 });
    let (mut pairs, mut late, mut bare_late, mut memory, mut skipped) = (Pairs::default(), Vec::new(), Vec::new(), 0, 0.0);
    for n in 0..suite.pairs() {
        progress(&format!("P1: pair {} of {}", n + 1, suite.pairs()));
        let target = target(suite, false).await?;
        let bare = fresh(suite, target.1, Kind::Plain, None).await?;
        bare_late.push(heap(suite, target.1, size).await?);
        let rig = Rig::start(suite, &Task::plain(size), target).await?;
        rig.settled().await?;
        let window = rig.window(Duration::from_secs(suite.size(10, 2))).await?;
        rig.end().await?;
        pairs.push(bare.cpu_ms_per_1000(), window.cpu_ms_per_1000());
        late.push(lateness(&window.seen, size)?);
        memory = memory.max(window.memory);
        skipped += (size.rate() * window.seconds - window.checks()).max(0.0).floor();
    }
    if suite.wants(&["P1"]) {
        let what = format!(
            "pinger, {} monitors at {} s, fresh connections, a real Kafka included: share of the bare hyper loop",
            size.monitors, size.interval_seconds
        );
        suite.share("P1", &what, 0.40, "CPU ms/1000", &pairs);
    }
    peers(suite, &pairs);
    if suite.wants(&["P5"]) {
        #[expect(clippy::cast_precision_loss, reason = "megabytes")]
        let megabytes = memory as f64 / 1e6;
        let bar = 40.0 + f64::from(size.monitors) / 1000.0;
        let what = format!("pinger, resident memory with {} monitors", size.monitors);
        suite.below("P5", &what, megabytes, " MB", bar, "40 MB + 1 MB per 1000".to_owned());
    }
    if suite.wants(&["P6"]) {
        let p99 = |runs: &[Vec<f64>], q: f64| median(&runs.iter().map(|run| quantile(run, q)).collect::<Vec<_>>());
        let note = format!(
            "arrival − slot at the target, from a whole interval after the start on; p50 {:.1}, p99.9 {:.1} ms; {}; {skipped:.0} slots not seen",
            p99(&late, 0.5),
            p99(&late, 0.999),
            beside(&bare_late),
        );
        let what = format!("pinger, lateness p99 at {:.0}/s on one core", size.rate());
        suite.below("P6", &what, p99(&late, 0.99), " ms", bar(&bare_late), note);
    }
    Ok(())
}

/// P2: what others were seen to need, on this machine's scale, over what we need.
fn peers(suite: &mut Suite, pairs: &Pairs) {
    let valid = pairs.valid();
    let (bare, ours) = (median(&valid.anchor), median(&valid.product));
    for (id, name, theirs, times) in PEERS {
        if !suite.wants(&["P2", id]) {
            continue;
        }
        let scaled = theirs * bare / BARE_THERE;
        let note = format!(
            "not measured here: {theirs:.0} CPU ms/1000 at best on the reference's machine, where the bare hyper loop took {BARE_THERE}; \
             here it takes {}, so theirs counts as {scaled:.0}; ours {}",
            crate::report::number(bare),
            crate::report::number(ours)
        );
        let what = format!("pinger, the checks of P1: times cheaper than {name}");
        suite.above(id, &what, scaled / ours.max(1e-9), "×", times, note);
    }
}

/// P6's bar on a machine that is shared: five times the bare pinger alongside, and five milliseconds.
pub fn bar(bare: &[Vec<f64>]) -> f64 {
    (bare_p99(bare) * 5.0 + 5.0).max(10.0)
}

/// What the bare pinger alongside did.
pub fn beside(bare: &[Vec<f64>]) -> String {
    format!("bare heap pinger p99 {:.1} ms", bare_p99(bare))
}

fn bare_p99(bare: &[Vec<f64>]) -> f64 {
    median(&bare.iter().map(|run| quantile(run, 0.99)).collect::<Vec<_>>())
}
