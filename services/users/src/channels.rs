//! Channel settings at rest: XChaCha20-Poly1305 under a key of `SECRET_KEY`, bound to workspace, row and column,
//! so that a ciphertext moved elsewhere does not open.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use directory::wire::ChannelSettings;
use model::{ChannelId, WorkspaceId};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// Leads every ciphertext; the number of the scheme.
const SCHEME: u8 = 1;
const NONCE: usize = 24;

#[derive(Debug, thiserror::Error)]
pub(crate) enum CipherError {
    #[error("the settings of channel {0} cannot be opened: SECRET_KEY is another one than they were written with")]
    Open(ChannelId),
    #[error("the settings of a channel cannot be encrypted")]
    Seal,
    #[error("the settings of channel {0} cannot be read: {1}")]
    Json(ChannelId, serde_json::Error),
}

#[derive(Clone)]
pub(crate) struct Cipher(XChaCha20Poly1305);

impl Cipher {
    /// The key is a digest of the secret, which has enough randomness of its own (see `settings::strong`).
    pub(crate) fn derive(secret: &SecretString) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"upmesh channel settings v1\0");
        hash.update(secret.expose_secret().as_bytes());
        let key: [u8; 32] = hash.finalize().into();
        Self(XChaCha20Poly1305::new(&Key::from(key)))
    }

    pub(crate) fn seal(&self, workspace: WorkspaceId, id: ChannelId, settings: &ChannelSettings) -> Result<Vec<u8>, CipherError> {
        let json = serde_json::to_vec(settings).map_err(|error| CipherError::Json(id, error))?;
        let nonce: [u8; NONCE] = rand::random();
        let sealed =
            self.0.encrypt(&XNonce::from(nonce), Payload { msg: &json, aad: &bound_to(workspace, id) }).map_err(|_| CipherError::Seal)?;
        Ok([&[SCHEME], nonce.as_slice(), &sealed].concat())
    }

    pub(crate) fn open(&self, workspace: WorkspaceId, id: ChannelId, sealed: &[u8]) -> Result<ChannelSettings, CipherError> {
        let open = || {
            let (scheme, rest) = sealed.split_first()?;
            let (nonce, text) = rest.split_first_chunk::<NONCE>()?;
            if *scheme != SCHEME {
                return None;
            }
            self.0.decrypt(&XNonce::from(*nonce), Payload { msg: text, aad: &bound_to(workspace, id) }).ok()
        };
        let json = open().ok_or(CipherError::Open(id))?;
        serde_json::from_slice(&json).map_err(|error| CipherError::Json(id, error))
    }
}

fn bound_to(workspace: WorkspaceId, id: ChannelId) -> Vec<u8> {
    format!("{workspace}|{id}|channels.settings").into_bytes()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn settings_open_only_where_they_were_sealed() {
        let cipher = Cipher::derive(&"0123456789abcdef0123456789abcdef".into());
        let (workspace, id) = (WorkspaceId(Uuid::from_u128(1)), ChannelId(Uuid::from_u128(2)));
        let settings = ChannelSettings::SlackBot { token: "xoxb-secret".into(), channel: "#ops".to_owned() };
        let mut sealed = cipher.seal(workspace, id, &settings).expect("sealed");
        assert!(!sealed.windows(11).any(|bytes| bytes == b"xoxb-secret"));
        assert_eq!(cipher.open(workspace, id, &sealed).expect("opened").kind(), "slack_bot");
        assert!(cipher.open(workspace, ChannelId(Uuid::from_u128(3)), &sealed).is_err());
        let other = Cipher::derive(&"another-key-another-key-another-k".into());
        assert!(other.open(workspace, id, &sealed).is_err());
        if let Some(last) = sealed.last_mut() {
            *last ^= 1;
        }
        assert!(cipher.open(workspace, id, &sealed).is_err());
        assert!(cipher.open(workspace, id, &[]).is_err());
    }
}
