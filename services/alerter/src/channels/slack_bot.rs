//! Slack app with a bot token: one thread per incident, the first message edited on recovery. A send in
//! doubt is looked up in the channel by its metadata before anything is sent again.

use secrecy::{ExposeSecret, SecretString};
use slack_morphism::api::{SlackApiChatPostMessageRequest, SlackApiChatUpdateRequest, SlackApiConversationsHistoryRequest};
use slack_morphism::prelude::{SlackMessageContent, ValueStruct};
use slack_morphism::{SlackApiToken, SlackChannelId, SlackClientSession, SlackCursorId, SlackTs};
use store::incidents::SentMessage;

use super::notice::{Notice, NoticeKind};
use super::slack_blocks::EVENT_TYPE;
use super::slack_transport::GuardedConnector;
use super::{Channels, SendFailure, Sent};

/// Pages of history searched for a message in doubt, of [`PAGE`] messages each.
const PAGES: usize = 5;
const PAGE: u16 = 200;

type Session<'a> = SlackClientSession<'a, GuardedConnector>;

/// Where to post: the channel as set (an id or `#name`), and its id where an earlier message told it.
struct Place<'a> {
    set: &'a str,
    id: Option<String>,
}

impl Place<'_> {
    fn to_post(&self) -> SlackChannelId {
        SlackChannelId(self.id.clone().unwrap_or_else(|| self.set.to_owned()))
    }

    /// History is only read by id.
    fn to_read(&self) -> Option<SlackChannelId> {
        let id = self.id.clone().or_else(|| (!self.set.starts_with('#')).then(|| self.set.to_owned()))?;
        Some(SlackChannelId(id))
    }
}

pub async fn send(
    channels: &Channels,
    token: &SecretString,
    channel: &str,
    known_id: Option<String>,
    notices: &[Notice],
) -> Result<Vec<Sent>, SendFailure> {
    let token = SlackApiToken::new(token.expose_secret().into());
    let session = channels.slack.open_session(&token);
    let place = Place { set: channel, id: known_id };
    if let [notice] = notices {
        return Ok(vec![single(channels, &session, &place, notice).await?]);
    }
    let mut sent = vec![None; notices.len()];
    for (slot, notice) in sent.iter_mut().zip(notices) {
        if notice.doubtful {
            *slot = find(&session, &place, notice, &notice.alert.to_string(), "alerts").await?.map(|message| Sent { message, found: true });
        }
    }
    let fresh: Vec<Notice> =
        notices.iter().zip(&sent).filter(|(notice, sent)| sent.is_none() && notice.is_news()).map(|(notice, _)| notice.clone()).collect();
    let posted =
        if fresh.is_empty() { SentMessage::default() } else { post(&session, &place, channels.blocks.group(&fresh), None).await? };
    // A grouped message is nobody's thread, so only its channel is kept.
    let grouped = Sent { message: SentMessage { channel: posted.channel, ts: None }, found: false };
    Ok(sent.into_iter().map(|found| found.unwrap_or_else(|| grouped.clone())).collect())
}

async fn single(channels: &Channels, session: &Session<'_>, place: &Place<'_>, notice: &Notice) -> Result<Sent, SendFailure> {
    if notice.doubtful
        && let Some(message) = find(session, place, notice, &notice.alert.to_string(), "alerts").await?
    {
        return Ok(Sent { message, found: true });
    }
    // Where the beginning was never confirmed, it may still be there.
    let mut parent = notice.parent.clone();
    if parent.is_none() && notice.tells_opening && matches!(notice.kind, NoticeKind::Recovered | NoticeKind::Sees) {
        let beginning = find(session, place, notice, &notice.incident.to_string(), "incidents").await?;
        parent = beginning.and_then(|message| message.channel.zip(message.ts));
    }
    let content = channels.blocks.single(notice);
    match (&parent, notice.kind) {
        (Some((channel, ts)), NoticeKind::Recovered | NoticeKind::Sees) => {
            edit(session, channel, ts, content.clone()).await?;
            service::crash_point!("alerter::parent_edited");
            if !notice.is_news() {
                return Ok(Sent { message: SentMessage { channel: Some(channel.clone()), ts: Some(ts.clone()) }, found: false });
            }
        }
        (None, _) if !notice.is_news() => return Ok(Sent::default()),
        _ => {}
    }
    let thread = parent.as_ref().map(|(_, ts)| ts.as_str());
    Ok(Sent { message: post(session, place, content, thread).await?, found: false })
}

async fn post(
    session: &Session<'_>,
    place: &Place<'_>,
    content: SlackMessageContent,
    thread: Option<&str>,
) -> Result<SentMessage, SendFailure> {
    let mut request = SlackApiChatPostMessageRequest::new(place.to_post(), content).with_unfurl_links(false).with_unfurl_media(false);
    if let Some(thread) = thread {
        // Shown in the channel too: a recovery should be seen by whoever saw the beginning.
        request = request.with_thread_ts(SlackTs(thread.to_owned())).with_reply_broadcast(true);
    }
    let answer = session.chat_post_message(&request).await?;
    Ok(SentMessage { channel: Some(answer.channel.value().clone()), ts: Some(answer.ts.value().clone()) })
}

/// Editing twice is the same as once, so it is never in doubt.
async fn edit(session: &Session<'_>, channel: &str, ts: &str, content: SlackMessageContent) -> Result<(), SendFailure> {
    // The parent keeps its own metadata, by which it was found.
    let content = SlackMessageContent { metadata: None, ..content };
    let request = SlackApiChatUpdateRequest::new(SlackChannelId(channel.to_owned()), content, SlackTs(ts.to_owned()));
    match session.chat_update(&request).await.map_err(SendFailure::from) {
        // Refused: someone deleted it; the recovery is told all the same.
        Ok(_) | Err(SendFailure::Refused { .. }) => Ok(()),
        Err(SendFailure::Doubtful { error }) => Err(SendFailure::Retry { after: None, error }),
        Err(error) => Err(error),
    }
}

/// Looks for a message whose metadata names `id`, from a minute before the alert on.
async fn find(session: &Session<'_>, place: &Place<'_>, notice: &Notice, id: &str, list: &str) -> Result<Option<SentMessage>, SendFailure> {
    let Some(channel) = place.to_read() else {
        // A name without an id cannot be read; the message says that it may be a repeat.
        return Ok(None);
    };
    let oldest = SlackTs(format!("{}.000000", (notice.created_at.min(notice.since)).div_euclid(1000) - 60));
    let mut cursor: Option<SlackCursorId> = None;
    for _ in 0..PAGES {
        let request = SlackApiConversationsHistoryRequest::new()
            .with_channel(channel.clone())
            .with_limit(PAGE)
            .with_oldest(oldest.clone())
            .with_include_all_metadata(true)
            .opt_cursor(cursor.clone());
        let page = match session.conversations_history(&request).await.map_err(SendFailure::from) {
            Ok(page) => page,
            // Without the right to read, a send in doubt is repeated and says so, as on a webhook.
            Err(SendFailure::Refused { error }) => {
                tracing::warn!(error, "the Slack channel cannot be read back; a send in doubt may be repeated");
                return Ok(None);
            }
            Err(SendFailure::Doubtful { error }) => return Err(SendFailure::Retry { after: None, error }),
            Err(error) => return Err(error),
        };
        for message in &page.messages {
            let metadata = message.content.metadata.as_ref().filter(|metadata| metadata.event_type == EVENT_TYPE);
            let ids = metadata.and_then(|metadata| metadata.event_payload.as_ref()?.get(list));
            if ids.is_some_and(|ids| ids.split(',').any(|one| one == id)) {
                return Ok(Some(SentMessage { channel: Some(channel.value().clone()), ts: Some(message.origin.ts.value().clone()) }));
            }
        }
        cursor = page.response_metadata.and_then(|more| more.next_cursor).filter(|cursor| !cursor.value().is_empty());
        if cursor.is_none() {
            break;
        }
    }
    Ok(None)
}
