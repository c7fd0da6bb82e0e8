//! Where alerts go. One file per channel; [`Channels::send`] chooses by kind.

mod failure;
pub mod notice;
mod slack_blocks;
mod slack_bot;
mod slack_history;
mod slack_place;
mod slack_read;
mod slack_text;
mod slack_transport;
mod slack_webhook;
mod webhook;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use directory::wire::{Channel, ChannelSettings};
use egress::Egress;
use store::incidents::SentMessage;

pub use failure::SendFailure;
use notice::Notice;
use slack_blocks::Blocks;
use slack_transport::GuardedConnector;

/// One attempt, all of its requests included, takes no longer.
pub const ATTEMPT: Duration = Duration::from_secs(10);

/// To be called before each request that makes a message.
fn check(may_send: MaySend<'_>) -> Result<(), SendFailure> {
    if may_send() { Ok(()) } else { Err(SendFailure::Unsure) }
}

/// How an attempt succeeded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sent {
    pub message: SentMessage,
    /// It was already there.
    pub found: bool,
}

/// Says whether the message is still ours to send; asked right before each request that makes one, as whoever stood still meanwhile
/// may have been given up, and another may have sent it.
pub type MaySend<'a> = &'a (dyn Fn() -> bool + Send + Sync);

/// Sends notices. Cheap to clone.
#[derive(Clone)]
pub struct Channels {
    egress: Egress,
    slack: slack_morphism::SlackClient<GuardedConnector>,
    blocks: Blocks,
    public_url: String,
}

impl Channels {
    /// `slack_api_url`: `https://slack.com/api`, or a fake of it.
    pub fn new(egress: Egress, public_url: &str, slack_api_url: &str) -> Self {
        let slack = slack_morphism::SlackClient::new(GuardedConnector::new(egress.clone(), slack_api_url));
        Self { egress, slack, blocks: Blocks::new(public_url), public_url: public_url.trim_end_matches('/').to_owned() }
    }

    /// One message for one notice, or, where the channel groups, for many.
    pub async fn send(
        &self,
        channel: &Channel,
        notices: &[Notice],
        known_id: Option<String>,
        may_send: MaySend<'_>,
    ) -> Result<Vec<Sent>, SendFailure> {
        let begun = AtomicBool::new(false);
        let may_send: MaySend<'_> = &|| {
            let ours = may_send();
            begun.fetch_or(ours, Ordering::Relaxed);
            ours
        };
        let attempt = async {
            match &channel.settings {
                ChannelSettings::SlackWebhook { url } => slack_webhook::send(self, url, notices, may_send).await,
                ChannelSettings::SlackBot { token, channel } => slack_bot::send(self, token, channel, known_id, notices, may_send).await,
                ChannelSettings::Webhook { url, secret } => webhook::send(self, url, secret.as_ref(), notices, may_send).await,
            }
        };
        // Each request has the same limit; this one bounds their sum. Whether a message was written by then is unknown, if one was begun.
        match tokio::time::timeout(ATTEMPT * 3, attempt).await {
            Ok(sent) => sent,
            Err(_) if begun.into_inner() => Err(SendFailure::Doubtful { error: "the attempt did not end in time".to_owned() }),
            Err(_) => Err(SendFailure::Retry { after: None, error: "the message's turn did not come in time".to_owned() }),
        }
    }
}

/// Where within it a channel's messages go, as it is set, where they tell an id of that place.
pub fn place(settings: &ChannelSettings) -> Option<&str> {
    match settings {
        ChannelSettings::SlackBot { channel, .. } => Some(channel),
        ChannelSettings::SlackWebhook { .. } | ChannelSettings::Webhook { .. } => None,
    }
}

/// How many notices may share a message.
pub fn most_in_one(settings: &ChannelSettings) -> usize {
    match settings {
        ChannelSettings::SlackWebhook { .. } => usize::MAX,
        // By the ids in its metadata a message in doubt is found again.
        ChannelSettings::SlackBot { .. } => slack_blocks::GROUP_IDS,
        ChannelSettings::Webhook { .. } => 1,
    }
}

/// How many messages a channel takes in how long, beyond which they wait.
pub fn most_messages(settings: &ChannelSettings) -> Option<(usize, Duration)> {
    match settings {
        // Slack documents about one message a second and tolerates short bursts.
        ChannelSettings::SlackWebhook { .. } | ChannelSettings::SlackBot { .. } => Some((5, Duration::from_secs(5))),
        ChannelSettings::Webhook { .. } => None,
    }
}
