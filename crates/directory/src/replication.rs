//! Keeps the replica: snapshot, deltas by revision, reconciliation, patience while users is away.

use std::time::{Duration, Instant};

use model::{Monitor, Region};
use tokio_util::sync::CancellationToken;

use crate::client::{Client, FeedQuery};
use crate::error::DirectoryError;
use crate::replica::{Directory, Heard};
use crate::wire::PAGE_LIMIT;

/// Looks at users this often whatever happens: heals a wake-up that was missed.
const RECONCILE: Duration = Duration::from_secs(30);
/// First and longest pause after a failure.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The work that fills and follows a [`Directory`].
#[derive(Debug)]
#[must_use = "nothing is loaded until it runs"]
pub struct Replication {
    directory: Directory,
    client: Client,
    region: Option<Region>,
    reconcile: Duration,
}

impl Replication {
    pub(crate) fn new(directory: Directory, client: Client, region: Option<Region>) -> Self {
        Self { directory, client, region, reconcile: RECONCILE }
    }

    /// Another period of reconciliation than 30 s.
    pub fn reconcile_every(mut self, period: Duration) -> Self {
        self.reconcile = period;
        self
    }

    /// Follows users until `shutdown`. Never fails: while users is away the replica stays as it is.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut pause = FIRST_PAUSE;
        let mut away = false;
        loop {
            let synced = tokio::select! {
                () = shutdown.cancelled() => return,
                synced = self.sync() => synced,
            };
            let wait = match synced {
                Ok(()) => {
                    if std::mem::take(&mut away) {
                        tracing::info!(revision = self.directory.status().revision, "the users service is back; monitors are up to date");
                    }
                    pause = FIRST_PAUSE;
                    jittered(self.reconcile)
                }
                Err(error) => {
                    let age = self.directory.status().age;
                    if std::mem::replace(&mut away, true) {
                        tracing::debug!(%error, ?age, "still no monitors from the users service");
                    } else {
                        tracing::warn!(%error, ?age, "no monitors from the users service; going on with those known");
                    }
                    let wait = jittered(pause);
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    wait
                }
            };
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
                // While users is away a wake-up must not turn the pause into a hot loop.
                () = self.directory.inner.wake.notified(), if !away => {}
            }
        }
    }

    async fn sync(&self) -> Result<(), DirectoryError> {
        let (source, mut since) = self.directory.position();
        while since > 0 {
            let page = self.page(since).await?;
            if page.source != source || page.revision < since {
                tracing::warn!(since, revision = page.revision, "the database of the users service is another one; loading all monitors");
                break;
            }
            since = page.revision;
            let more = page.more;
            self.directory.apply(page);
            if !more {
                self.directory.confirm();
                return Ok(());
            }
        }
        self.snapshot().await
    }

    /// Collected whole before it is put in place, so that nobody sees half of it.
    async fn snapshot(&self) -> Result<(), DirectoryError> {
        let first = self.page(0).await?;
        let (source, mut since, mut more) = (first.source, first.revision, first.more);
        let mut monitors = first.monitors;
        while more {
            let page = self.page(since).await?;
            if page.source != source {
                return Err(DirectoryError::Unavailable("its database changed while the snapshot was read".to_owned()));
            }
            // A monitor that changes while we read comes again in a later page; the last one wins.
            monitors.extend(page.monitors);
            let gone: std::collections::HashMap<_, _> = page.deleted.iter().map(|gone| (gone.id, gone.revision)).collect();
            if !gone.is_empty() {
                monitors.retain(|monitor| gone.get(&monitor.id).is_none_or(|revision| monitor.revision > *revision));
            }
            (since, more) = (page.revision, page.more);
        }
        monitors.sort_unstable_by_key(|monitor| (monitor.id, std::cmp::Reverse(monitor.revision)));
        monitors.dedup_by_key(|monitor| monitor.id);
        let count = monitors.len();
        self.directory.replace(source, since, monitors);
        self.directory.confirm();
        tracing::info!(monitors = count, revision = since, "monitors loaded");
        Ok(())
    }

    async fn page(&self, since: i64) -> Result<crate::wire::MonitorPage, DirectoryError> {
        let asked = Instant::now();
        let mut page = self.client.feed(&FeedQuery { since, region: self.region.as_ref(), limit: PAGE_LIMIT }).await?;
        page.monitors.iter_mut().for_each(Monitor::shrink_to_fit);
        if let Some(time) = page.now {
            self.directory.heard(Heard { time, asked, answered: Instant::now() });
        }
        // A page that promises more and does not advance would be asked for ever.
        if page.more && page.revision <= since {
            return Err(DirectoryError::Protocol(format!("a page of monitors does not advance beyond revision {since}")));
        }
        Ok(page)
    }
}

/// Up to a tenth less, so that replicas do not ask in step.
fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(rand::random_range(0.9..=1.0))
}
