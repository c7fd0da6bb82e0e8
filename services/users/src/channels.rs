//! Channel settings at rest.

use directory::wire::ChannelSettings;
use model::{ChannelId, WorkspaceId};
use store::channels::ChannelRow;
use store::monitors::Opened;

use crate::cipher::Cipher;

#[derive(Debug, thiserror::Error)]
pub enum CipherError {
    #[error("the settings of channel {0} cannot be opened: SECRET_KEY is another one than they were written with")]
    Open(ChannelId),
    #[error("the settings of a channel cannot be encrypted")]
    Seal,
    #[error("the settings of channel {0} cannot be read: {1}")]
    Json(ChannelId, serde_json::Error),
}

pub(crate) fn seal(cipher: &Cipher, workspace: WorkspaceId, id: ChannelId, settings: &ChannelSettings) -> Result<Vec<u8>, CipherError> {
    let json = serde_json::to_vec(settings).map_err(|error| CipherError::Json(id, error))?;
    seal_bytes(cipher, workspace, id, &json)
}

pub(crate) fn seal_bytes(cipher: &Cipher, workspace: WorkspaceId, id: ChannelId, clear: &[u8]) -> Result<Vec<u8>, CipherError> {
    cipher.encrypt(&place(workspace, id), clear).ok_or(CipherError::Seal)
}

/// What the keys make of a channel's settings; None where neither opens them.
pub(crate) fn opened(cipher: &Cipher, row: &ChannelRow) -> Option<Opened> {
    cipher.opened(&place(row.workspace_id.into(), row.id.into()), &row.settings)
}

pub(crate) fn open(cipher: &Cipher, workspace: WorkspaceId, id: ChannelId, sealed: &[u8]) -> Result<ChannelSettings, CipherError> {
    let json = cipher.decrypt(&place(workspace, id), sealed).ok_or(CipherError::Open(id))?;
    serde_json::from_slice(&json).map_err(|error| CipherError::Json(id, error))
}

fn place(workspace: WorkspaceId, id: ChannelId) -> String {
    format!("{workspace}|{id}|channels.settings")
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn settings_open_only_where_they_were_sealed() {
        let cipher = Cipher::parse(&"0123456789abcdef0123456789abcdef".into()).expect("a key");
        let (workspace, id) = (WorkspaceId(Uuid::from_u128(1)), ChannelId(Uuid::from_u128(2)));
        let settings = ChannelSettings::SlackBot { token: "xoxb-secret".into(), channel: "#ops".to_owned() };
        let sealed = seal(&cipher, workspace, id, &settings).expect("sealed");
        assert!(!sealed.windows(11).any(|bytes| bytes == b"xoxb-secret"));
        assert_eq!(open(&cipher, workspace, id, &sealed).expect("opened").kind(), "slack_bot");
        assert!(open(&cipher, workspace, ChannelId(Uuid::from_u128(3)), &sealed).is_err());
    }
}
