//! What travels between users and the other services. One definition for both ends.

use std::fmt;

use model::{ChannelId, Millis, Monitor, MonitorId, Session, WorkspaceId};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};
use uuid::Uuid;

/// Most monitors in one page of the feed.
pub const PAGE_LIMIT: u32 = 5000;

/// `GET /internal/monitors`: one page of the snapshot (`since=0`) or of what changed since a revision.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MonitorPage {
    /// Which database the revisions count in. Another one than before means: start with a snapshot.
    pub source: Uuid,
    /// Everything up to here is now known; ask for what came after it.
    pub revision: i64,
    pub monitors: Vec<Monitor>,
    /// Gone, or gone from the region asked for. May name monitors the reader never saw.
    pub deleted: Vec<Deleted>,
    /// Another page follows at once.
    pub more: bool,
    /// Users' clock; missing where users is older.
    #[serde(default)]
    pub now: Option<Millis>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deleted {
    pub id: MonitorId,
    pub revision: i64,
}

/// `GET /internal/workspaces/{ws}/monitors`: a page in order of id.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MonitorList {
    pub monitors: Vec<Monitor>,
    /// Pass as `after` for the next page.
    pub next: Option<MonitorId>,
}

/// `POST /internal/login`.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LoginRequest {
    pub email: String,
    #[serde(serialize_with = "expose")]
    pub password: SecretString,
    /// Where the person connects from; failed attempts are counted by it.
    pub address: String,
}

/// The answer to a login. The token is shown this once.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Login {
    #[serde(serialize_with = "expose")]
    pub token: SecretString,
    #[serde(flatten)]
    pub session: Session,
}

/// `POST /internal/sessions/resolve` and `POST /internal/logout`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenRequest {
    #[serde(serialize_with = "expose")]
    pub token: SecretString,
}

/// `GET /internal/channels`: where alerts go, secrets in the clear. For the alerter; the gateway keeps names and kinds alone.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Channel {
    pub id: ChannelId,
    pub workspace: WorkspaceId,
    /// Unique in the workspace; monitors name channels by it.
    pub name: String,
    /// Used by monitors that name no channel.
    pub default: bool,
    pub updated_at: Millis,
    #[serde(flatten)]
    pub settings: ChannelSettings,
}

/// `"kind"` and `"settings"` of a channel.
#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "kind", content = "settings", rename_all = "snake_case")]
pub enum ChannelSettings {
    /// A Slack incoming webhook.
    SlackWebhook {
        #[serde(serialize_with = "expose")]
        url: SecretString,
    },
    /// A Slack app with a bot token: one thread per incident.
    SlackBot {
        #[serde(serialize_with = "expose")]
        token: SecretString,
        /// Id or `#name`.
        channel: String,
    },
    /// A JSON POST to a URL, which may hold a token.
    Webhook {
        #[serde(serialize_with = "expose")]
        url: SecretString,
        /// Signs the body (Standard Webhooks), where there is one.
        #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "expose_optional")]
        secret: Option<SecretString>,
    },
}

impl ChannelSettings {
    pub fn kind(&self) -> &'static str {
        match self {
            Self::SlackWebhook { .. } => "slack_webhook",
            Self::SlackBot { .. } => "slack_bot",
            Self::Webhook { .. } => "webhook",
        }
    }
}

impl fmt::Debug for ChannelSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(…)", self.kind())
    }
}

/// The internal API is the one place where secrets are written out.
fn expose<S: Serializer>(secret: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose_secret())
}

#[expect(clippy::ref_option, reason = "the signature is serde's")]
fn expose_optional<S: Serializer>(secret: &Option<SecretString>, serializer: S) -> Result<S::Ok, S::Error> {
    match secret {
        Some(secret) => serializer.serialize_some(secret.expose_secret()),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_channel_is_what_the_contract_says_and_never_printed() {
        let channel = Channel {
            id: Uuid::from_u128(1).into(),
            workspace: Uuid::from_u128(2).into(),
            name: "Slack".to_owned(),
            default: true,
            updated_at: 3,
            settings: ChannelSettings::SlackBot { token: "xoxb-1".into(), channel: "#ops".to_owned() },
        };
        let value = serde_json::to_value(&channel).expect("JSON");
        assert_eq!(value["kind"], "slack_bot");
        assert_eq!(value["settings"], json!({"token": "xoxb-1", "channel": "#ops"}));
        assert_eq!(value["default"], true);
        let back: Channel = serde_json::from_value(value).expect("a channel");
        assert!(!format!("{back:?}").contains("xoxb"));
    }
}
