//! P3 and P4: what a lookup and a TLS handshake cost with each check, against the bare loops that do the same.

use std::time::Duration;

use anyhow::Result;

use super::rig::{Kind, Rig, Size, Task, fresh, name_server, target};
use crate::measures::{Suite, progress};
use crate::stats::Pairs;

pub async fn measure(suite: &mut Suite) -> Result<()> {
    if suite.wants(&["P3"]) {
        let size = suite.size(Size { monitors: 20_000, interval_seconds: 10 }, Size { monitors: 600, interval_seconds: 3 });
        let pairs = cost(suite, Kind::Named, size).await?;
        let what = format!("pinger, an uncached lookup per check, {:.0}/s: share of the bare hyper + hickory loop", size.rate());
        suite.share("P3", &what, 0.45, "CPU ms/1000", &pairs);
    }
    if suite.wants(&["P4"]) {
        let size = suite.size(Size { monitors: 10_000, interval_seconds: 10 }, Size { monitors: 300, interval_seconds: 3 });
        let pairs = cost(suite, Kind::Tls, size).await?;
        let what = format!("pinger, a full TLS 1.3 handshake per check, {:.0}/s: share of the bare hyper + rustls loop", size.rate());
        suite.share("P4", &what, 0.75, "CPU ms/1000", &pairs);
    }
    Ok(())
}

/// Pairs of a bare loop and the pinger, by CPU per 1000 checks.
async fn cost(suite: &Suite, kind: Kind, size: Size) -> Result<Pairs> {
    let mut pairs = Pairs::default();
    for n in 0..suite.pairs() {
        progress(&format!("{kind:?}: pair {} of {}", n + 1, suite.pairs()));
        let target = target(suite, kind == Kind::Tls).await?;
        let dns = if kind == Kind::Named { Some(name_server(suite).await?) } else { None };
        let bare = fresh(suite, target.1, kind, dns.as_ref().map(|(_, port)| *port)).await?;
        drop(dns);
        let rig = Rig::start(suite, &Task { kind, ..Task::plain(size) }, target).await?;
        rig.settled().await?;
        let window = rig.window(Duration::from_secs(suite.size(10, 2))).await?;
        rig.end().await?;
        pairs.push(bare.cpu_ms_per_1000(), window.cpu_ms_per_1000());
    }
    Ok(pairs)
}
