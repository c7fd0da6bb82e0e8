//! Extractors: a handler that names one cannot run without a session.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;
use model::{Role, Session, WorkspaceId};
use service::Problem;

use super::{Secrets, Token, client_address};
use crate::app::App;
use crate::error::ApiError;

/// A person with a session: may read their workspace.
pub(crate) struct Caller {
    pub session: Arc<Session>,
    pub token: Token,
    /// Where the request comes from.
    pub address: Option<IpAddr>,
}

impl Caller {
    /// The one workspace this request is about.
    pub(crate) fn workspace(&self) -> WorkspaceId {
        self.session.workspace.id
    }

    /// Whether it is shown what may be a secret.
    pub(crate) fn secrets(&self) -> Secrets {
        Secrets::of(self.session.role)
    }

    /// The name in the audit log.
    pub(crate) fn actor(&self) -> &str {
        &self.session.user.email
    }
}

impl FromRequestParts<App> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Self::Rejection> {
        let no_session = || Problem::unauthorized("log in first: there is no session, or it has ended");
        let token = Token::of(&parts.headers, app.is_https()).ok_or_else(no_session)?;
        let address = client_address(&parts.extensions, &parts.headers, app.trusted_proxies());
        let session = app.sessions().find(&token, address).await?.ok_or_else(no_session)?;
        Ok(Self { session, token, address })
    }
}

/// A caller who may also change things.
pub(crate) struct Editor(pub Caller);

impl FromRequestParts<App> for Editor {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Self::Rejection> {
        let caller = Caller::from_request_parts(parts, app).await?;
        if caller.session.role.allows(Role::Editor) {
            Ok(Self(caller))
        } else {
            Err(Problem::forbidden("a viewer may only read: ask an admin for the role of editor").into())
        }
    }
}

/// A caller who may look after the mesh itself.
pub(crate) struct Admin(pub Caller);

impl FromRequestParts<App> for Admin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Self::Rejection> {
        let caller = Caller::from_request_parts(parts, app).await?;
        if caller.session.role.allows(Role::Admin) { Ok(Self(caller)) } else { Err(Problem::forbidden("only an admin may do this").into()) }
    }
}
