//! P8: a pinger starts with a hundred thousand monitors that nobody has checked yet. All are checked within an interval, and
//! not in a rush.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::rig::{Rig, Size, Task, target};
use crate::measures::{Suite, progress};
use crate::roles::now_us;
use crate::roles::target::{Arrival, arrivals};

pub async fn measure(suite: &mut Suite) -> Result<()> {
    if !suite.wants(&["P8", "P8r"]) {
        return Ok(());
    }
    progress("P8: a start");
    let size = suite.size(Size { monitors: 100_000, interval_seconds: 20 }, Size { monitors: 1_500, interval_seconds: 3 });
    let target = target(suite, false).await?;
    let begun = now_us();
    let rig = Rig::start(suite, &Task::plain(size), target).await?;
    // Until all were seen, and twice as long as allowed if they are not.
    let patience = Instant::now() + size.interval() * 2 + Duration::from_secs(10);
    let (mut all, mut first) = (Vec::new(), HashMap::<u32, i64>::new());
    while first.len() < usize::try_from(size.monitors)? && Instant::now() < patience {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let seen = arrivals(rig.target).await?;
        for Arrival(n, at, _) in &seen {
            first.entry(*n).or_insert(*at);
        }
        all.extend(seen);
    }
    anyhow::ensure!(!first.is_empty(), "the pinger checked nothing: {}", rig.pinger.tail());
    rig.end().await?;

    let unseen = size.monitors - u32::try_from(first.len())?;
    let earliest = first.values().copied().min().unwrap_or(begun);
    let last = if unseen > 0 { now_us() } else { first.values().copied().max().unwrap_or(begun) };
    let seconds = |from: i64, to: i64| {
        #[expect(clippy::cast_precision_loss, reason = "microseconds of a start")]
        let micros = (to - from) as f64;
        micros / 1e6
    };
    let what = format!("pinger, a start with {} monitors at {} s", size.monitors, size.interval_seconds);
    let note = format!(
        "1 interval + 2 s from the start of the process; the first check came after {:.1} s, the last {:.1} s later; {unseen} were never checked",
        seconds(begun, earliest),
        seconds(earliest, last)
    );
    let bar = f64::from(size.interval_seconds) + 2.0;
    suite.below("P8", &format!("{what}: until each was checked"), seconds(begun, last), " s", bar, note);

    let (peak, usual) = peak(&all, earliest, last);
    let note = format!("the busiest second: {peak:.0} checks; nominal {:.0}/s, the median second {usual:.0}", size.rate());
    suite.below("P8r", &format!("{what}: peak rate over nominal"), peak / size.rate(), "×", 1.2, note);
    Ok(())
}

/// Checks in the busiest and in the median whole second.
fn peak(all: &[Arrival], from: i64, to: i64) -> (f64, f64) {
    let mut seconds = HashMap::<i64, f64>::new();
    for Arrival(_, at, _) in all {
        *seconds.entry((at - from) / 1_000_000).or_default() += 1.0;
    }
    let whole = (to - from) / 1_000_000;
    let counts: Vec<f64> = seconds.into_iter().filter(|(second, _)| *second < whole.max(1)).map(|(_, count)| count).collect();
    (crate::stats::quantile(&counts, 1.0), crate::stats::median(&counts))
}
