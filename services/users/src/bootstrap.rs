//! What must be there before anyone can log in: the workspace, the administrator, the environment's channels.

use model::Role;
use secrecy::ExposeSecret;
use store::{StoreError, accounts, channels};

use crate::accounts::PasswordError;
use crate::app::App;
use crate::channels::{CipherError, seal};
use crate::settings::Settings;

const WORKSPACE: &str = "default";

#[derive(Debug, thiserror::Error)]
pub(crate) enum BootstrapError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Password(#[from] PasswordError),
    #[error(transparent)]
    Cipher(#[from] CipherError),
}

impl BootstrapError {
    pub(crate) fn is_retryable(&self) -> bool {
        match self {
            Self::Store(error) => error.is_retryable() || matches!(error, StoreError::Other(_)),
            Self::Password(_) => true,
            Self::Cipher(_) => false,
        }
    }
}

/// Idempotent: replicas may run it at once, and every start runs it again.
pub(crate) async fn run(app: &App, settings: &Settings) -> Result<(), BootstrapError> {
    app.key_fits().await?;
    let workspace = accounts::ensure_workspace(&app.store, WORKSPACE, app.now()).await?;
    if let Some((email, password)) = &settings.admin {
        let known = accounts::find(&app.store, email).await?;
        let same = match known {
            Some(account) => app.passwords.turn().await?.verify(password.clone(), Some(account.password_hash)).await?,
            None => false,
        };
        // A password that changed in the environment changes here too, and ends all sessions.
        if !same {
            let hash = app.passwords.hash(password.expose_secret().into()).await?;
            let ended = accounts::put_account(&app.store, workspace.id, email, "Administrator", Role::Admin, &hash, app.now()).await?;
            for digest in ended {
                app.drop_session_copy(&digest).await;
            }
            tracing::info!(email, "the administrator's account is in place");
        }
        // Another address makes another account and takes nothing from the one before.
        let others = accounts::other_admins(&app.store, workspace.id, email).await?;
        if !others.is_empty() {
            let accounts = others.join(", ");
            tracing::warn!(accounts, "beside ADMIN_EMAIL these administrators can still log in; docs/operations.md says how to end that");
        }
    }
    let mut names = Vec::new();
    for (name, channel) in &settings.channels {
        let id = channels::id_of(&app.store, workspace.id, name).await?;
        let sealed = seal(&app.cipher, workspace.id, id, channel)?;
        channels::put_from_env(&app.store, workspace.id, id, name, channel.kind(), &sealed, app.now()).await?;
        names.push((*name).to_owned());
    }
    channels::keep_from_env(&app.store, workspace.id, &names).await?;
    Ok(())
}
