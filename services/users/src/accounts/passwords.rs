//! Argon2id, off the async threads and few at a time: each takes 19 MiB.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use argon2::{Algorithm, Argon2, Params, PasswordHash, PasswordHasher, PasswordVerifier, Version};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Hashes at once; more wait, at most this long.
const AT_ONCE: usize = 4;
const PATIENCE: Duration = Duration::from_secs(5);

/// Verified when there is no such account, so that its absence takes as long as a wrong password.
static NOBODY: LazyLock<Result<String, PasswordError>> = LazyLock::new(|| digest("nobody has this password"));

#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum PasswordError {
    #[error("too many logins at once")]
    Busy,
    #[error("the password could not be hashed: {0}")]
    Hash(String),
}

/// Hashes and verifies under a limit.
pub(crate) struct Passwords {
    slots: Arc<Semaphore>,
}

/// Room for one hash, until it is dropped and the hash is done.
pub(crate) struct Turn(Arc<OwnedSemaphorePermit>);

impl Passwords {
    pub(crate) fn new() -> Self {
        Self { slots: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Waits for room.
    pub(crate) async fn turn(&self) -> Result<Turn, PasswordError> {
        let slot = tokio::time::timeout(PATIENCE, Arc::clone(&self.slots).acquire_owned()).await;
        let Ok(Ok(slot)) = slot else { return Err(PasswordError::Busy) };
        Ok(Turn(Arc::new(slot)))
    }

    /// A PHC string.
    pub(crate) async fn hash(&self, password: SecretString) -> Result<String, PasswordError> {
        self.turn().await?.run(move || digest(password.expose_secret())).await
    }
}

impl Turn {
    /// Whether the password is the one of `hash`; without a hash it takes as long and says no.
    pub(crate) async fn verify(&self, password: SecretString, hash: Option<String>) -> Result<bool, PasswordError> {
        self.run(move || {
            let known = hash.is_some();
            let hash = match hash {
                Some(hash) => hash,
                None => NOBODY.clone()?,
            };
            let parsed = PasswordHash::new(&hash).map_err(|error| PasswordError::Hash(error.to_string()))?;
            let right = argon2()?.verify_password(password.expose_secret().as_bytes(), &parsed).is_ok();
            Ok(known && right)
        })
        .await
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> Result<T, PasswordError> + Send + 'static) -> Result<T, PasswordError> {
        let slot = Arc::clone(&self.0);
        tokio::task::spawn_blocking(move || {
            let _slot = slot;
            work()
        })
        .await
        .map_err(|error| PasswordError::Hash(error.to_string()))?
    }
}

/// OWASP's minimum for Argon2id: 19 MiB, two passes, one lane.
fn argon2() -> Result<Argon2<'static>, PasswordError> {
    let params = Params::new(19_456, 2, 1, None).map_err(|error| PasswordError::Hash(error.to_string()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn digest(password: &str) -> Result<String, PasswordError> {
    let hash = argon2()?.hash_password(password.as_bytes()).map_err(|error| PasswordError::Hash(error.to_string()))?;
    Ok(hash.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_of_a_known_account_is_right() {
        let passwords = Passwords::new();
        let hash = passwords.hash("correct horse".into()).await.expect("a hash");
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        for (password, hash, right) in
            [("correct horse", Some(hash.clone()), true), ("wrong horse", Some(hash), false), ("nobody has this password", None, false)]
        {
            let turn = passwords.turn().await.expect("room");
            assert_eq!(turn.verify(password.into(), hash).await.expect("verified"), right, "{password}");
        }
    }
}
