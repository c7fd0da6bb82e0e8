//! Where a bot posts: a channel set by its id or as `#name`. Both can be written to; only by its id can one be read back.

use slack_morphism::api::SlackApiConversationsListRequest;
use slack_morphism::prelude::{SlackConversationType, ValueStruct};
use slack_morphism::{SlackChannelId, SlackCursorId};

use super::SendFailure;
use super::slack_bot::Session;

/// Pages of the list of channels that are searched for a name, of [`PAGE`] channels each.
const PAGES: usize = 20;
const PAGE: u16 = 500;

/// The channel as set, and its id where an earlier message told it.
pub struct Place<'a> {
    set: &'a str,
    id: Option<String>,
}

impl<'a> Place<'a> {
    pub fn new(set: &'a str, id: Option<String>) -> Self {
        Self { set, id }
    }

    pub fn to_post(&self) -> SlackChannelId {
        SlackChannelId(self.id.clone().unwrap_or_else(|| self.set.to_owned()))
    }

    /// By which the channel is read. Where no message told it yet, Slack is asked for it.
    pub async fn to_read(&self, session: &Session<'_>) -> Result<Option<SlackChannelId>, SendFailure> {
        match (&self.id, self.set.strip_prefix('#')) {
            (Some(id), _) => Ok(Some(SlackChannelId(id.clone()))),
            (None, None) => Ok(Some(SlackChannelId(self.set.to_owned()))),
            (None, Some(name)) => id_of(session, name).await,
        }
    }
}

/// The id of a channel; none where the token may not see it.
async fn id_of(session: &Session<'_>, name: &str) -> Result<Option<SlackChannelId>, SendFailure> {
    // A token may be allowed to see the public ones only, and is then refused both.
    for types in [vec![SlackConversationType::Public, SlackConversationType::Private], vec![SlackConversationType::Public]] {
        let mut cursor: Option<SlackCursorId> = None;
        for _ in 0..PAGES {
            let request = SlackApiConversationsListRequest::new()
                .with_exclude_archived(true)
                .with_types(types.clone())
                .with_limit(PAGE)
                .opt_cursor(cursor.clone());
            let page = match session.conversations_list(&request).await.map_err(SendFailure::from) {
                Ok(page) => page,
                Err(SendFailure::Refused { error } | SendFailure::Doubtful { error }) => {
                    tracing::warn!(error, "the Slack channel's id cannot be asked for; a send in doubt may be repeated");
                    break;
                }
                Err(error) => return Err(error),
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
