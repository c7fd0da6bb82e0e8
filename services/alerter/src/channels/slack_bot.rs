//! Slack app with a bot token: one thread per incident, the first message edited on recovery; what was told together has one
//! thread together. A send in doubt is looked up in the channel before anything is sent again.

use std::collections::HashMap;

use model::Millis;
use secrecy::{ExposeSecret, SecretString};
use slack_morphism::api::{SlackApiChatPostMessageRequest, SlackApiChatUpdateRequest};
use slack_morphism::prelude::{SlackMessageContent, ValueStruct};
use slack_morphism::{SlackApiToken, SlackChannelId, SlackClientSession, SlackTs};
use store::incidents::SentMessage;

use super::notice::{Notice, NoticeKind};
use super::slack_history::find;
use super::slack_place::Place;
use super::slack_transport::GuardedConnector;
use super::{Channels, MaySend, SendFailure, Sent, check};

/// Leads the place of a message that names several incidents: it is answered in its thread, and never edited, as it is not only one's.
pub(super) const SHARED: &str = "shared:";

pub(super) type Session<'a> = SlackClientSession<'a, GuardedConnector>;

pub async fn send(
    channels: &Channels,
    token: &SecretString,
    channel: &str,
    known_id: Option<String>,
    notices: &[Notice],
    may_send: MaySend<'_>,
) -> Result<Vec<Sent>, SendFailure> {
    let token = SlackApiToken::new(token.expose_secret().into());
    let session = channels.slack.open_session(&token);
    let place = Place::new(channel, known_id);
    match tell(channels, &session, &place, notices, may_send).await {
        // What is refused is surely not there.
        Err(SendFailure::Refused { error }) => match place.as_set() {
            Some(as_set) => {
                tracing::warn!(error, "the Slack channel is refused by the id that it told; it is tried as it is set");
                tell(channels, &session, &as_set, notices, may_send).await
            }
            None => Err(SendFailure::Refused { error }),
        },
        sent => sent,
    }
}

async fn tell(
    channels: &Channels,
    session: &Session<'_>,
    place: &Place<'_>,
    notices: &[Notice],
    may_send: MaySend<'_>,
) -> Result<Vec<Sent>, SendFailure> {
    if let [notice] = notices {
        return Ok(vec![single(channels, session, place, notice, may_send).await?]);
    }
    let doubtful: Vec<&Notice> = notices.iter().filter(|notice| notice.doubtful).collect();
    let ids: Vec<String> = doubtful.iter().map(|notice| notice.alert.to_string()).collect();
    let found = find(session, place, doubtful.iter().map(|notice| began(notice)).min(), &ids, "alerts").await?;
    let mut sent: Vec<Option<Sent>> = notices.iter().map(|notice| known(&found, &notice.alert.to_string())).collect();
    let fresh: Vec<Notice> =
        notices.iter().zip(&sent).filter(|(notice, sent)| sent.is_none() && notice.is_news()).map(|(notice, _)| notice.clone()).collect();
    let posted = if fresh.is_empty() {
        SentMessage::default()
    } else {
        post(session, place, channels.blocks.group(&fresh), common_thread(place, &fresh), may_send).await?
    };
    let grouped = Sent { message: SentMessage { ts: posted.ts.map(|ts| format!("{SHARED}{ts}")), ..posted }, found: false };
    Ok(sent.iter_mut().map(|found| found.take().unwrap_or_else(|| grouped.clone())).collect())
}

/// Where all of these go on: what was told together and is over together. One of an incident that is new has none.
fn common_thread<'a>(place: &Place<'_>, notices: &'a [Notice]) -> Option<&'a str> {
    let thread = |notice: &'a Notice| notice.parent.as_ref().filter(|parent| place.holds(parent)).map(|parent| parent.ts.as_str());
    let first = thread(notices.first()?)?;
    notices.iter().all(|notice| thread(notice) == Some(first)).then(|| thread_of(first).0)
}

/// The thread at a place, and whether several incidents have it.
fn thread_of(place: &str) -> (&str, bool) {
    place.strip_prefix(SHARED).map_or((place, false), |ts| (ts, true))
}

async fn single(
    channels: &Channels,
    session: &Session<'_>,
    place: &Place<'_>,
    notice: &Notice,
    may_send: MaySend<'_>,
) -> Result<Sent, SendFailure> {
    if notice.doubtful
        && let Some(sent) = find_one(session, place, notice, notice.alert.to_string(), "alerts").await?
    {
        return Ok(sent);
    }
    // Where the beginning was never confirmed, it may still be there.
    let mut parent = notice.parent.as_ref().filter(|parent| place.holds(parent)).map(|parent| (parent.channel.clone(), parent.ts.clone()));
    if parent.is_none() && notice.tells_opening && matches!(notice.kind, NoticeKind::Recovered | NoticeKind::Sees) {
        let beginning = find_one(session, place, notice, notice.incident.to_string(), "incidents").await?;
        parent = beginning.and_then(|sent| sent.message.channel.zip(sent.message.ts));
    }
    let content = channels.blocks.single(notice);
    let thread = parent.as_ref().map(|(_, ts)| thread_of(ts));
    match (&parent, notice.kind) {
        (Some((channel, ts)), NoticeKind::Recovered | NoticeKind::Sees) if thread.is_some_and(|(_, shared)| !shared) => {
            edit(session, channel, ts, content.clone()).await?;
            service::crash_point!("alerter::parent_edited");
            if !notice.is_news() {
                return Ok(Sent { message: place.message(channel, Some(ts.clone())), found: false });
            }
        }
        _ if !notice.is_news() => return Ok(Sent::default()),
        _ => {}
    }
    Ok(Sent { message: post(session, place, content, thread.map(|(ts, _)| ts), may_send).await?, found: false })
}

async fn find_one(session: &Session<'_>, place: &Place<'_>, notice: &Notice, id: String, list: &str) -> Result<Option<Sent>, SendFailure> {
    let found = find(session, place, Some(began(notice)), std::slice::from_ref(&id), list).await?;
    Ok(known(&found, &id))
}

fn known(found: &HashMap<String, SentMessage>, id: &str) -> Option<Sent> {
    found.get(id).map(|message| Sent { message: message.clone(), found: true })
}

/// No message about it is older.
fn began(notice: &Notice) -> Millis {
    notice.created_at.min(notice.since)
}

async fn post(
    session: &Session<'_>,
    place: &Place<'_>,
    content: SlackMessageContent,
    thread: Option<&str>,
    may_send: MaySend<'_>,
) -> Result<SentMessage, SendFailure> {
    check(may_send)?;
    let mut request = SlackApiChatPostMessageRequest::new(place.to_post(), content).with_unfurl_links(false).with_unfurl_media(false);
    if let Some(thread) = thread {
        // Shown in the channel too: a recovery should be seen by whoever saw the beginning.
        request = request.with_thread_ts(SlackTs(thread.to_owned())).with_reply_broadcast(true);
    }
    let answer = session.chat_post_message(&request).await?;
    Ok(place.message(answer.channel.value(), Some(answer.ts.value().clone())))
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
