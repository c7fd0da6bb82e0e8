//! Slack incoming webhook: one POST, answered with a word. It has no idempotency and cannot be read
//! back, so a send in doubt is repeated once it is due again, and the repeat says so.

use secrecy::{ExposeSecret, SecretString};
use slack_morphism::api::SlackApiPostWebhookMessageRequest;
use slack_morphism::prelude::SlackMessageContent;
use url::Url;

use super::notice::Notice;
use super::{Channels, MaySend, SendFailure, Sent, check};

pub async fn send(channels: &Channels, url: &SecretString, notices: &[Notice], may_send: MaySend<'_>) -> Result<Vec<Sent>, SendFailure> {
    let told: Vec<Notice> = notices.iter().filter(|notice| notice.is_news()).cloned().collect();
    if let Some(first) = told.first() {
        let content = if told.len() == 1 { channels.blocks.single(first) } else { channels.blocks.group(&told) };
        check(may_send)?;
        post(channels, url, content).await?;
    }
    Ok(vec![Sent::default(); notices.len()])
}

async fn post(channels: &Channels, url: &SecretString, content: SlackMessageContent) -> Result<(), SendFailure> {
    // Webhooks reject metadata they know nothing of.
    let content = SlackMessageContent { metadata: None, ..content };
    let url = Url::parse(url.expose_secret()).map_err(|_| SendFailure::Refused { error: "SLACK_WEBHOOK_URL is no URL".to_owned() })?;
    channels.slack.post_webhook_message(&url, &SlackApiPostWebhookMessageRequest::new(content)).await?;
    Ok(())
}
