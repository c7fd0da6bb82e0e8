//! P9: the pinger's process stands still for half a minute, longer than its leases last, and its wall clock is set.
//! Every monitor runs again within an interval, and none is made up for twice.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use super::rig::{Rig, Size, Task, late, target};
use crate::measures::{Suite, progress};
use crate::roles::now_us;
use crate::roles::target::{Arrival, arrivals};

/// A check this long after its slot makes up for one; the pinger itself runs what is up to a second late at once.
const MADE_UP_MS: f64 = 1_100.0;

pub async fn measure(suite: &mut Suite) -> Result<()> {
    if suite.wants(&["P9", "P9c"]) {
        stall(suite).await?;
    }
    if suite.wants(&["P9s"]) {
        clock(suite).await?;
    }
    Ok(())
}

async fn stall(suite: &mut Suite) -> Result<()> {
    progress("P9: SIGSTOP, then SIGCONT");
    let size = suite.size(Size { monitors: 20_000, interval_seconds: 10 }, Size { monitors: 500, interval_seconds: 3 });
    let stopped = Duration::from_secs(suite.size(30, 8));
    let target = target(suite, false).await?;
    let rig = Rig::start(suite, &Task::plain(size), target).await?;
    rig.settled().await?;
    rig.pinger.signal("STOP").await?;
    tokio::time::sleep(stopped).await;
    arrivals(rig.target).await?;
    let begun = now_us();
    rig.pinger.signal("CONT").await?;
    tokio::time::sleep(size.interval() + Duration::from_secs(3)).await;
    let seen = arrivals(rig.target).await?;
    rig.end().await?;

    let again = again(&seen, begun);
    let mut made_up = HashMap::<u32, f64>::new();
    for arrival in &seen {
        if late(arrival, size)? > MADE_UP_MS {
            *made_up.entry(arrival.0).or_default() += 1.0;
        }
    }
    let what = format!("pinger, {} monitors at {} s, stopped for {} s", size.monitors, size.interval_seconds, stopped.as_secs());
    let unseen = size.monitors - u32::try_from(again.len())?;
    anyhow::ensure!(unseen == 0, "{unseen} monitors were not checked again within an interval and three seconds");
    let seconds: Vec<f64> = again.values().copied().collect();
    let note = format!("from SIGCONT to its next check; half of them ran within {:.1} s", crate::stats::median(&seconds));
    // The last slot within an interval, and what it may be late by.
    let bar = f64::from(size.interval_seconds) + 0.1;
    suite.below("P9", &format!("{what}: until every monitor ran again"), crate::stats::quantile(&seconds, 1.0), " s", bar, note);
    let most = made_up.values().copied().fold(0.0, f64::max);
    let note = format!("{} monitors were made up for at a pace; the others' next slot came first", made_up.len());
    suite.below("P9c", &format!("{what}: catch-up checks of one monitor, at most"), most, "", 1.0, note);
    Ok(())
}

/// Seconds from `begun` to each monitor's first check.
fn again(seen: &[Arrival], begun: i64) -> HashMap<u32, f64> {
    let mut first = HashMap::new();
    for Arrival(n, at, _) in seen {
        #[expect(clippy::cast_precision_loss, reason = "microseconds of a minute")]
        let seconds = (at - begun) as f64 / 1e6;
        first.entry(*n).or_insert(seconds);
    }
    first
}

/// P9s: the wall clock of the pinger alone is set back, then forward, by five minutes.
async fn clock(suite: &mut Suite) -> Result<()> {
    // Debian's package `faketime`. Without it the engine's own tests, on a simulated clock, have to do.
    let Some(library) = ["x86_64", "aarch64"]
        .map(|machine| format!("/usr/lib/{machine}-linux-gnu/faketime/libfaketime.so.1"))
        .into_iter()
        .find(|path| Path::new(path).exists())
    else {
        progress("P9s: libfaketime is not installed, so no clock is set");
        return Ok(());
    };
    progress("P9s: the wall clock is set");
    let size = suite.size(Size { monitors: 2_000, interval_seconds: 10 }, Size { monitors: 300, interval_seconds: 3 });
    let target = target(suite, false).await?;
    let shift = suite.scratch.path().join("clock");
    std::fs::write(&shift, "+0")?;
    let file = shift.display().to_string();
    let settings = [
        ("LD_PRELOAD", library.as_str()),
        ("FAKETIME_TIMESTAMP_FILE", file.as_str()),
        ("FAKETIME_CACHE_DURATION", "1"),
        // Timers go on: only the date is set, as by a person or by NTP.
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let rig = Rig::start(suite, &Task { settings, ..Task::plain(size) }, target).await?;
    rig.settled().await?;
    let (mut slowest, mut checks): (f64, Vec<f64>) = (0.0, Vec::new());
    for step in ["-300", "+0"] {
        std::fs::write(&shift, step)?;
        // The library looks at the file once a second.
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        arrivals(rig.target).await?;
        let begun = now_us();
        tokio::time::sleep(size.interval() + Duration::from_secs(3)).await;
        let seen = arrivals(rig.target).await?;
        let again = again(&seen, begun);
        let unseen = size.monitors - u32::try_from(again.len())?;
        anyhow::ensure!(unseen == 0, "{unseen} monitors were not checked again after a step to {step} s");
        slowest = slowest.max(again.values().copied().fold(0.0, f64::max));
        #[expect(clippy::cast_precision_loss, reason = "counts of a measurement")]
        checks.push(seen.len() as f64 / f64::from(size.monitors));
    }
    rig.end().await?;
    let what = format!("pinger, {} monitors at {} s, its clock set back by 300 s and forward again", size.monitors, size.interval_seconds);
    let note = format!(
        "looked at from a second after each step; {:.2} and {:.2} checks of each monitor in the interval and three seconds after",
        checks.first().unwrap_or(&0.0),
        checks.last().unwrap_or(&0.0)
    );
    // The library's second, and that of the pinger, which looks at the clock as often.
    let bar = f64::from(size.interval_seconds) + 1.0;
    suite.below("P9s", &format!("{what}: until every monitor ran again"), slowest, " s", bar, note);
    Ok(())
}
