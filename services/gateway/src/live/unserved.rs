//! Regions where nobody is who could check. Told, not refused: pingers may come after the monitors, and a region whose pingers all
//! start anew has none for a moment.

use futures::future::join_all;
use model::{Millis, Monitor};

use crate::app::App;
use crate::system::pingers;

/// A sentence for each region of a running monitor that no pinger serves now; nothing where Redis does not say.
pub(crate) async fn unserved(app: &App, monitor: &Monitor, now: Millis) -> Vec<String> {
    if monitor.spec.paused {
        return Vec::new();
    }
    let asked = monitor.spec.regions.iter().map(|region| async move { (region, pingers(app, region, now).await) });
    let silent = join_all(asked).await.into_iter().filter(|(_, pingers)| *pingers == Some(0));
    silent
        .map(|(region, _)| {
            format!("no pinger serves the region {region}: it is not checked from there until one runs with REGION={region}")
        })
        .collect()
}
