//! Live updates: published after the state they speak of was written, heard by every gateway.

use std::time::Duration;

use bytes::Bytes;
use deadpool_redis::redis::{self, aio::PubSub};
use futures::StreamExt as _;

use crate::connection::Cache;
use crate::error::CacheError;

/// What a subscriber hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Update {
    /// The subscription stands (again): updates before this moment may have been missed, so read the
    /// state afresh.
    Connected,
    /// There is none, and the first attempt to have one failed: nothing is heard until it stands (again).
    Lost,
    /// A published message.
    Message(Bytes),
}

impl Cache {
    /// Publishes on `{p}:updates`. Answers how many subscribers heard it; none is fine.
    pub async fn publish(&self, message: &[u8]) -> Result<u64, CacheError> {
        self.query(redis::cmd("PUBLISH").arg(self.keys().updates()).arg(message)).await
    }

    /// Listens on `{p}:updates`; connects with the first [`Subscription::next`] and again after a loss.
    pub fn subscribe(&self) -> Subscription {
        Subscription { cache: self.clone(), open: None, told_lost: false, pause: FIRST_PAUSE }
    }
}

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// A silent connection is asked this often whether it still lives.
const QUIET: Duration = Duration::from_secs(10);

/// One listener. Cancel-safe: `next` may be used in `select!`.
pub struct Subscription {
    cache: Cache,
    open: Option<PubSub>,
    told_lost: bool,
    pause: Duration,
}

impl Subscription {
    /// The next update; waits through outages, reconnecting with a growing pause.
    pub async fn next(&mut self) -> Update {
        loop {
            if let Some(open) = self.open.as_mut() {
                let heard = tokio::time::timeout(QUIET, open.on_message().next()).await;
                match heard {
                    Ok(Some(message)) => return Update::Message(Bytes::copy_from_slice(message.get_payload_bytes())),
                    Ok(None) => {}
                    Err(_quiet) => {
                        if self.cache.within(open.ping::<redis::Value>()).await.is_ok() {
                            continue;
                        }
                    }
                }
                tracing::warn!("lost the subscription to live updates; reconnecting");
                self.open = None;
            }
            match self.reopen().await {
                Ok(open) => {
                    self.open = Some(open);
                    self.pause = FIRST_PAUSE;
                    self.told_lost = false;
                    return Update::Connected;
                }
                Err(error) => {
                    tracing::debug!(%error, "no subscription to live updates yet");
                    if !std::mem::replace(&mut self.told_lost, true) {
                        return Update::Lost;
                    }
                    tokio::time::sleep(self.pause).await;
                    self.pause = (self.pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    async fn reopen(&self) -> Result<PubSub, CacheError> {
        let mut open = self.cache.within(self.cache.client.get_async_pubsub()).await?;
        self.cache.within(open.subscribe(self.cache.keys().updates())).await?;
        Ok(open)
    }
}
