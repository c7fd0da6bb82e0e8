//! Looking for what may have been sent: the channel's history is walked, and a message of ours is known by its metadata.

use std::collections::HashMap;
use std::iter;

use model::Millis;
use serde::Deserialize;
use serde_json::Value;
use slack_morphism::prelude::ValueStruct;
use slack_morphism::{ClientResult, SlackChannelId};
use store::incidents::SentMessage;

use super::SendFailure;
use super::slack_blocks::EVENT_TYPE;
use super::slack_bot::{SHARED, Session};
use super::slack_place::Place;
use super::slack_read::{Unread, read};

/// Pages of history searched for messages in doubt, of [`PAGE`] messages each, newest first.
const PAGES: usize = 25;
const PAGE: usize = 200;

/// What is read of a page. Others write into the channel too, with blocks and metadata that no type of ours or slack-morphism's
/// may know: one such message must not hide all the others.
#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    messages: Vec<Value>,
    #[serde(default)]
    response_metadata: Value,
}

impl Page {
    fn next(&self) -> Option<String> {
        self.response_metadata["next_cursor"].as_str().filter(|cursor| !cursor.is_empty()).map(str::to_owned)
    }
}

/// Looks for the messages whose metadata names one of `ids`, all in one walk through the channel from its newest message to a minute
/// before `since`. Where the walk cannot go on, what was not found is repeated and says so, as on a webhook.
pub async fn find(
    session: &Session<'_>,
    place: &Place<'_>,
    since: Option<Millis>,
    ids: &[String],
    list: &str,
) -> Result<HashMap<String, SentMessage>, SendFailure> {
    let mut found = HashMap::new();
    let Some(since) = since else { return Ok(found) };
    let oldest = format!("{}.000000", since.div_euclid(1000) - 60);
    let as_set = place.as_set();
    for place in iter::once(place).chain(as_set.as_ref()) {
        let Some(channel) = place.to_read(session).await? else { return Ok(found) };
        match walk(session, place, &channel, &oldest, (list, ids), &mut found).await {
            Ok(()) => return Ok(found),
            Err(Unread::Refused(error)) => tracing::warn!(error, "the Slack channel cannot be read back; a send in doubt may be repeated"),
            Err(Unread::Late(error)) => {
                tracing::warn!(error, "the Slack channel was not read back in time; a send in doubt may be repeated");
                return Ok(found);
            }
            Err(Unread::Trouble(failure)) => return Err(failure),
        }
    }
    Ok(found)
}

/// Adds what it finds under each of `ids` in the metadata's `list`.
async fn walk(
    session: &Session<'_>,
    place: &Place<'_>,
    channel: &SlackChannelId,
    oldest: &str,
    (list, ids): (&str, &[String]),
    found: &mut HashMap<String, SentMessage>,
) -> Result<(), Unread> {
    let mut cursor = None;
    for _ in 0..PAGES {
        let page = read(place.until, || page(session, channel, oldest, cursor.as_deref())).await?;
        for message in &page.messages {
            let metadata = Some(&message["metadata"]).filter(|metadata| metadata["event_type"] == EVENT_TYPE);
            let named = metadata.and_then(|metadata| metadata["event_payload"][list].as_str());
            let (Some(named), Some(ts)) = (named, message["ts"].as_str()) else { continue };
            let shared = if named.contains(',') { SHARED } else { "" };
            for id in named.split(',').filter(|id| ids.iter().any(|wanted| wanted == id)) {
                found.entry(id.to_owned()).or_insert_with(|| place.message(channel.value(), Some(format!("{shared}{ts}"))));
            }
        }
        cursor = page.next();
        if cursor.is_none() || found.len() == ids.len() {
            return Ok(());
        }
    }
    tracing::warn!("a message in doubt is not among the newest of its Slack channel; it may be repeated");
    Ok(())
}

async fn page(session: &Session<'_>, channel: &SlackChannelId, oldest: &str, cursor: Option<&str>) -> ClientResult<Page> {
    let limit = PAGE.to_string();
    let query = [
        ("channel", Some(channel.value().as_str())),
        ("limit", Some(&limit)),
        ("oldest", Some(oldest)),
        ("include_all_metadata", Some("true")),
        ("cursor", cursor),
    ];
    session.http_session_api.http_get("conversations.history", &query, None).await
}
