//! Which channels a workspace has. Users gives them with their secrets, which are dropped at once: people see names and kinds.

use std::sync::Arc;
use std::time::{Duration, Instant};

use directory::{Client, DirectoryError};
use model::WorkspaceId;
use tokio::sync::Mutex;

use crate::api::Channel;

/// How long an answer of users is given again, a failure too: whoever waits for the first does not ask a second time.
const KEEP: Duration = Duration::from_secs(5);

type All = Arc<[(WorkspaceId, Channel)]>;

/// What users said last.
struct Known {
    asked: Instant,
    all: Option<All>,
}

/// Every workspace's channels.
#[derive(Default)]
pub(crate) struct Channels(Mutex<Option<Known>>);

impl Channels {
    /// Those of one workspace, by name; none where users does not answer.
    pub(crate) async fn of(&self, client: &Client, workspace: WorkspaceId) -> Option<Vec<Channel>> {
        let all = self.all(client).await?;
        Some(all.iter().filter(|(owner, _)| *owner == workspace).map(|(_, channel)| channel.clone()).collect())
    }

    /// One question for all who ask meanwhile; its deadline is the client's.
    async fn all(&self, client: &Client) -> Option<All> {
        let mut known = self.0.lock().await;
        if let Some(known) = known.as_ref().filter(|known| known.asked.elapsed() < KEEP) {
            return known.all.clone();
        }
        let all = match read(client).await {
            Ok(all) => Some(all),
            Err(error) => {
                tracing::warn!(%error, "channels cannot be read");
                None
            }
        };
        *known = Some(Known { asked: Instant::now(), all: all.clone() });
        all
    }
}

async fn read(client: &Client) -> Result<All, DirectoryError> {
    let shown = |channel: directory::wire::Channel| {
        let kind = channel.settings.kind().to_owned();
        (channel.workspace, Channel { name: channel.name, kind, default: channel.default })
    };
    Ok(client.channels().await?.into_iter().map(shown).collect())
}
