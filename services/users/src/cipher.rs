//! Secrets at rest: XChaCha20-Poly1305 under a key of `SECRET_KEY`, bound to workspace, row and column, so that a ciphertext
//! moved elsewhere does not open.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use model::{MonitorId, WorkspaceId};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use store::StoreError;
use store::monitors::{Opened, Seal};

use crate::settings::strong;

/// Leads every ciphertext; the number of the scheme.
const SCHEME: u8 = 1;
const NONCE: usize = 24;

/// Seals under one key, and opens with another one too while the key is changed.
#[derive(Clone)]
pub(crate) struct Cipher {
    key: XChaCha20Poly1305,
    other: Option<XChaCha20Poly1305>,
}

impl Cipher {
    /// One key, or two separated by a comma: the first seals, both open.
    pub(crate) fn parse(keys: &SecretString) -> Result<Self, String> {
        let keys: Vec<SecretString> = keys.expose_secret().split(',').map(|key| key.trim().to_owned().into()).collect();
        keys.iter().try_for_each(strong)?;
        match keys.as_slice() {
            [key] => Ok(Self { key: derive(key), other: None }),
            [key, other] => Ok(Self { key: derive(key), other: Some(derive(other)) }),
            _ => Err("holds more than two keys".to_owned()),
        }
    }

    /// `place` names workspace, row and column. None where the cipher fails, which it does for no text of ours.
    pub(crate) fn encrypt(&self, place: &str, clear: &[u8]) -> Option<Vec<u8>> {
        let nonce: [u8; NONCE] = rand::random();
        let sealed = self.key.encrypt(&XNonce::from(nonce), Payload { msg: clear, aad: place.as_bytes() }).ok()?;
        Some([&[SCHEME], nonce.as_slice(), &sealed].concat())
    }

    /// None where it was sealed with another key or for another place.
    pub(crate) fn decrypt(&self, place: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        match self.opened(place, sealed)? {
            Opened::Clear(clear) | Opened::Old(clear) => Some(clear),
            Opened::Keyless => None,
        }
    }

    /// As [`Self::decrypt`], and says with which key.
    pub(crate) fn opened(&self, place: &str, sealed: &[u8]) -> Option<Opened> {
        let with = |key| decrypt(key, place, sealed);
        let old = || self.other.as_ref().and_then(with).map(Opened::Old);
        with(&self.key).map(Opened::Clear).or_else(old)
    }

    /// Whether a key is on its way.
    pub(crate) fn is_changing(&self) -> bool {
        self.other.is_some()
    }
}

/// A key is a digest of the secret, which has enough randomness of its own (see `settings::strong`).
fn derive(secret: &SecretString) -> XChaCha20Poly1305 {
    let mut hash = Sha256::new();
    // Of all columns, which the place tells apart; the words are from when there was one.
    hash.update(b"upmesh channel settings v1\0");
    hash.update(secret.expose_secret().as_bytes());
    let key: [u8; 32] = hash.finalize().into();
    XChaCha20Poly1305::new(&Key::from(key))
}

fn decrypt(key: &XChaCha20Poly1305, place: &str, sealed: &[u8]) -> Option<Vec<u8>> {
    let (scheme, rest) = sealed.split_first()?;
    let (nonce, text) = rest.split_first_chunk::<NONCE>()?;
    if *scheme != SCHEME {
        return None;
    }
    key.decrypt(&XNonce::from(*nonce), Payload { msg: text, aad: place.as_bytes() }).ok()
}

/// What of a monitor's probe may be a secret.
impl Seal for Cipher {
    fn seal(&self, workspace: WorkspaceId, id: MonitorId, clear: &[u8]) -> Result<String, StoreError> {
        let sealed = self.encrypt(&place(workspace, id), clear);
        sealed
            .map(|sealed| STANDARD_NO_PAD.encode(sealed))
            .ok_or_else(|| StoreError::Setting(format!("the probe of {id} cannot be sealed")))
    }

    fn open(&self, workspace: WorkspaceId, id: MonitorId, sealed: &str) -> Result<Opened, StoreError> {
        let sealed = STANDARD_NO_PAD.decode(sealed).unwrap_or_default();
        self.opened(&place(workspace, id), &sealed).ok_or(StoreError::Sealed(id))
    }
}

fn place(workspace: WorkspaceId, id: MonitorId) -> String {
    format!("{workspace}|{id}|monitors.spec.probe")
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const KEY: &str = "0123456789abcdef0123456789abcdef";
    const OTHER: &str = "another-key-another-key-another-k";

    fn cipher(keys: &str) -> Cipher {
        Cipher::parse(&keys.into()).expect("keys")
    }

    #[test]
    fn a_secret_opens_only_where_it_was_sealed() {
        let cipher = cipher(KEY);
        let mut sealed = cipher.encrypt("a|b|c", b"s3cret").expect("sealed");
        assert!(!sealed.windows(6).any(|bytes| bytes == b"s3cret"));
        assert_eq!(cipher.decrypt("a|b|c", &sealed).as_deref(), Some(&b"s3cret"[..]));
        assert_eq!(cipher.decrypt("a|b|d", &sealed), None);
        assert_eq!(self::cipher(OTHER).decrypt("a|b|c", &sealed), None);
        assert!(self::cipher(&format!("{OTHER}, {KEY}")).decrypt("a|b|c", &sealed).is_some());
        if let Some(last) = sealed.last_mut() {
            *last ^= 1;
        }
        assert_eq!(cipher.decrypt("a|b|c", &sealed), None);
        assert_eq!(cipher.decrypt("a|b|c", &[]), None);
    }

    #[test]
    fn a_probe_opens_only_in_its_row_and_the_first_of_two_keys_seals() {
        let (workspace, id) = (WorkspaceId(Uuid::from_u128(1)), MonitorId(Uuid::from_u128(2)));
        let both = cipher(&format!("{KEY},{OTHER}"));
        let (mine, older) =
            (both.seal(workspace, id, b"s3cret").expect("sealed"), cipher(OTHER).seal(workspace, id, b"s3cret").expect("sealed"));
        let open = |keys: &str, id, sealed: &str| cipher(keys).open(workspace, id, sealed);
        assert_eq!(open(KEY, id, &mine).expect("opened"), Opened::Clear(b"s3cret".to_vec()));
        assert_eq!(both.open(workspace, id, &mine).expect("opened"), Opened::Clear(b"s3cret".to_vec()));
        assert_eq!(both.open(workspace, id, &older).expect("opened"), Opened::Old(b"s3cret".to_vec()));
        for shut in [open(OTHER, id, &mine), open(KEY, MonitorId(Uuid::from_u128(3)), &mine), open(KEY, id, "no base64!")] {
            let error = shut.expect_err("shut");
            assert!(error.to_string().contains("SECRET_KEY") && !error.is_retryable(), "{error}");
        }
    }

    #[test]
    fn keys_are_one_or_two_and_strong() {
        for wrong in ["short", &format!("{KEY},"), &format!("{KEY},{OTHER},{KEY}"), &format!("{KEY},short")] {
            assert!(Cipher::parse(&wrong.into()).is_err(), "{wrong}");
        }
    }
}
