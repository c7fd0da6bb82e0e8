//! Verdicts to Redis, and how far each region is judged: written, then told. Redis may be away; the next round brings everything again.

use std::sync::Arc;
use std::time::Duration;

use cache::{Cache, VerdictUpdate, VerdictWrite};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use crate::consume::Verdicts;

/// Redis is asked this often whether it was emptied.
const LOOK: Duration = Duration::from_secs(2);

/// Writes what the judge decides.
pub async fn write(cache: Cache, mut verdicts: mpsc::Receiver<Verdicts>, shutdown: CancellationToken) {
    let mut away = false;
    loop {
        let next = tokio::select! {
            () = shutdown.cancelled() => return,
            next = verdicts.recv() => next,
        };
        let Some(next) = next else { return };
        let written = match next {
            Verdicts::Changed(changed) => tell(&cache, changed, |_| true).await,
            Verdicts::All(all) => {
                let (all, news): (Vec<VerdictWrite>, Vec<bool>) = all.into_iter().unzip();
                tell(&cache, all, |one| news.get(one).copied().unwrap_or_default()).await
            }
            Verdicts::Forget(monitor) => cache.forget_verdict(monitor).await,
            Verdicts::Judged(slots) => cache.note_judged(&slots).await,
        };
        match written {
            Ok(()) => away = false,
            Err(error) if !std::mem::replace(&mut away, true) => tracing::warn!(%error, "verdicts are not written to Redis"),
            Err(error) => tracing::debug!(%error, "verdicts are still not written to Redis"),
        }
    }
}

/// Writes all, and tells of those that are news, but not of what another alerter knows better: of a partition that was taken from us
/// while we stood still.
async fn tell(cache: &Cache, all: Vec<VerdictWrite>, is_news: impl Fn(usize) -> bool) -> Result<(), cache::CacheError> {
    let written = cache.write_verdicts(&all).await?;
    let told = all.into_iter().zip(written).enumerate().filter(|(one, (_, written))| *written && is_news(*one));
    let told: Vec<VerdictUpdate> = told.map(|(_, (write, _))| write.update).collect();
    cache.publish_verdicts(&told).await
}

/// Asks for all verdicts again when Redis is another than before, or back.
pub async fn watch(cache: Cache, show_all: Arc<Notify>, shutdown: CancellationToken) {
    let mut known: Option<String> = None;
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
        match cache.generation().await {
            Ok(generation) if known.as_ref() == Some(&generation) => {}
            Ok(generation) => {
                if known.is_some() {
                    tracing::warn!("Redis was emptied; writing all verdicts again");
                }
                known = Some(generation);
                show_all.notify_one();
            }
            // Back with what it had, or empty: either way everything is written once more.
            Err(_) => known = None,
        }
    }
}
