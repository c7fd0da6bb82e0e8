//! The channels of all workspaces, from the users service: loaded before anything is judged, renewed
//! every half minute, and kept while users is away.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use directory::Client;
use directory::wire::Channel;
use model::{ChannelId, WorkspaceId};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;

const RENEW: Duration = Duration::from_secs(30);
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The channels, in memory. Cheap to clone.
#[derive(Clone)]
pub struct Catalog(Arc<Inner>);

struct Inner {
    channels: RwLock<Arc<[Arc<Channel>]>>,
    loaded: watch::Sender<bool>,
    wake: Notify,
}

impl Catalog {
    pub fn new() -> Self {
        Self(Arc::new(Inner { channels: RwLock::new(Arc::new([])), loaded: watch::Sender::new(false), wake: Notify::new() }))
    }

    /// Returns once the channels are known.
    pub async fn loaded(&self) {
        // Fails only when the sender is gone, and we hold it.
        let _ = self.0.loaded.subscribe().wait_for(|loaded| *loaded).await;
    }

    /// Asks users at once.
    pub fn wake(&self) {
        self.0.wake.notify_one();
    }

    pub fn get(&self, id: ChannelId) -> Option<Arc<Channel>> {
        self.all().iter().find(|channel| channel.id == id).cloned()
    }

    /// The channels a monitor's alerts go to: those it names, or its workspace's default ones. Names
    /// that lead nowhere fall back to the defaults: a renamed channel must not mean silence.
    pub fn of(&self, workspace: WorkspaceId, names: &[String]) -> Vec<Arc<Channel>> {
        let known = self.all();
        let ours = || known.iter().filter(|channel| channel.workspace == workspace);
        let chosen: Vec<_> = ours().filter(|channel| names.contains(&channel.name)).cloned().collect();
        if chosen.is_empty() { ours().filter(|channel| channel.default).cloned().collect() } else { chosen }
    }

    /// Where the operator is told of the mesh itself: the default channels of the first workspace that has
    /// some. Ids of workspaces are in the order of their creation, and the first is the mesh's own.
    pub fn operators(&self) -> Vec<Arc<Channel>> {
        let known = self.all();
        let defaults = || known.iter().filter(|channel| channel.default);
        let Some(first) = defaults().map(|channel| channel.workspace.0).min() else { return Vec::new() };
        defaults().filter(|channel| channel.workspace.0 == first).cloned().collect()
    }

    fn all(&self) -> Arc<[Arc<Channel>]> {
        Arc::clone(&self.0.channels.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn replace(&self, channels: Vec<Channel>) {
        *self.0.channels.write().unwrap_or_else(PoisonError::into_inner) = channels.into_iter().map(Arc::new).collect();
        self.0.loaded.send_if_modified(|loaded| !std::mem::replace(loaded, true));
    }

    /// Follows users until `shutdown`.
    pub async fn follow(self, client: Client, metrics: Metrics, shutdown: CancellationToken) {
        let mut pause = FIRST_PAUSE;
        loop {
            let wait = match client.channels().await {
                Ok(channels) => {
                    metrics.channels.set(i64::try_from(channels.len()).unwrap_or(i64::MAX));
                    self.replace(channels);
                    pause = FIRST_PAUSE;
                    RENEW
                }
                Err(error) => {
                    tracing::warn!(%error, "the channels could not be read from the users service");
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    pause
                }
            };
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
                () = self.0.wake.notified(), if wait == RENEW => {}
            }
        }
    }
}
