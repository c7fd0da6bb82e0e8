//! Sessions and channels.

use model::Session;
use reqwest::Method;
use secrecy::SecretString;

use super::Client;
use super::call::{send, send_empty};
use crate::error::DirectoryError;
use crate::wire::{Channel, Login, LoginRequest, TokenRequest};

impl Client {
    /// Opens a session. `address` is where the person connects from, as far as it can be trusted.
    pub async fn login(&self, email: &str, password: SecretString, address: &str) -> Result<Login, DirectoryError> {
        let body = LoginRequest { email: email.to_owned(), password, address: address.to_owned() };
        send(self.post("internal/login", &body)?).await
    }

    /// Who holds this token; refused with 401 when nobody does (any more).
    pub async fn resolve_session(&self, token: SecretString) -> Result<Session, DirectoryError> {
        send(self.post("internal/sessions/resolve", &TokenRequest { token })?).await
    }

    /// Ends the session. Ending one that is not there succeeds too.
    pub async fn logout(&self, token: SecretString) -> Result<(), DirectoryError> {
        send_empty(self.post("internal/logout", &TokenRequest { token })?).await
    }

    /// Every channel of every workspace, with its secrets.
    pub async fn channels(&self) -> Result<Vec<Channel>, DirectoryError> {
        send(self.request(Method::GET, "internal/channels")?).await
    }
}
