//! Where a bot posts: a channel set by its id or as `#name`. Both can be written to; only by its id can one be read back.

use slack_morphism::api::SlackApiConversationsListRequest;
use slack_morphism::prelude::{SlackConversationType, ValueStruct};
use slack_morphism::{SlackChannelId, SlackCursorId};
use store::incidents::SentMessage;
use tokio::time::Instant;

use super::SendFailure;
use super::notice::Parent;
use super::slack_bot::Session;
use super::slack_read::{READS, Unread, read};

/// Pages of the list of channels that are searched for a name, of [`PAGE`] channels each.
const PAGES: usize = 20;
const PAGE: u16 = 500;

/// The channel as set, and its id where an earlier message told it while it was set so.
pub struct Place<'a> {
    set: &'a str,
    id: Option<String>,
    /// An id that Slack refuses by now.
    gone: Option<String>,
    /// When all reads of the attempt end.
    pub until: Instant,
}

impl<'a> Place<'a> {
    pub fn new(set: &'a str, id: Option<String>) -> Self {
        Self { set, id, gone: None, until: Instant::now() + READS }
    }

    /// The place without what was learnt of it, if anything was: the channel may have been made anew under its name, or the token may be
    /// another workspace's.
    pub fn as_set(&self) -> Option<Self> {
        let id = self.id.as_ref().filter(|id| *id != self.set)?;
        Some(Self { set: self.set, id: None, gone: Some(id.clone()), until: self.until })
    }

    pub fn to_post(&self) -> SlackChannelId {
        SlackChannelId(self.id.clone().unwrap_or_else(|| self.set.to_owned()))
    }

    /// By which the channel is read. Where no message told it yet, Slack is asked for it.
    pub async fn to_read(&self, session: &Session<'_>) -> Result<Option<SlackChannelId>, SendFailure> {
        match (&self.id, self.set.strip_prefix('#')) {
            (Some(id), _) => Ok(Some(SlackChannelId(id.clone()))),
            (None, None) => Ok(Some(SlackChannelId(self.set.to_owned()))),
            (None, Some(name)) => id_of(session, name, self.until).await,
        }
    }

    /// Whether a message is in the channel that is meant now: its thread can be answered there.
    pub fn holds(&self, parent: &Parent) -> bool {
        let as_now = parent.set.as_deref() == Some(self.set) || parent.channel == self.set;
        as_now && self.gone.as_ref() != Some(&parent.channel)
    }

    /// A message that is there.
    pub fn message(&self, channel: &str, ts: Option<String>) -> SentMessage {
        SentMessage { channel: Some(channel.to_owned()), ts, set: Some(self.set.to_owned()) }
    }
}

/// The id of a channel; none where the token may not see it.
async fn id_of(session: &Session<'_>, name: &str, until: Instant) -> Result<Option<SlackChannelId>, SendFailure> {
    // A token may be allowed to see the public ones only, and is then refused both.
    for types in [vec![SlackConversationType::Public, SlackConversationType::Private], vec![SlackConversationType::Public]] {
        let mut cursor: Option<SlackCursorId> = None;
        for _ in 0..PAGES {
            let request = SlackApiConversationsListRequest::new()
                .with_exclude_archived(true)
                .with_types(types.clone())
                .with_limit(PAGE)
                .opt_cursor(cursor.clone());
            let page = match read(until, || session.conversations_list(&request)).await {
                Ok(page) => page,
                Err(Unread::Refused(error)) => {
                    tracing::warn!(error, "the Slack channel's id cannot be asked for; a send in doubt may be repeated");
                    break;
                }
                Err(Unread::Late(error)) => {
                    tracing::warn!(error, "the Slack channel's id was not told in time; a send in doubt may be repeated");
                    return Ok(None);
                }
                Err(Unread::Trouble(failure)) => return Err(failure),
            };
            if let Some(channel) = page.channels.iter().find(|channel| channel.name.as_deref() == Some(name)) {
                return Ok(Some(channel.id.clone()));
            }
            cursor = page.response_metadata.and_then(|more| more.next_cursor).filter(|cursor| !cursor.value().is_empty());
            if cursor.is_none() {
                tracing::warn!(name, "Slack names no such channel; a send in doubt may be repeated");
                return Ok(None);
            }
        }
    }
    Ok(None)
}
