//! Where alerts go.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A channel by name; its settings are nobody's to see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Channel {
    /// Unique in the workspace; monitors name channels by it.
    #[schema(example = "slack")]
    pub name: String,
    #[schema(example = "slack_webhook")]
    pub kind: String,
    /// Told of monitors that name no channel.
    pub default: bool,
}

/// The workspace's channels; where there is none, nobody is told of anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChannelList {
    pub channels: Vec<Channel>,
}
