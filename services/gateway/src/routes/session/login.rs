//! `POST /api/login`.

use axum::extract::State;
use axum::response::{AppendHeaders, IntoResponse, Response};
use http::{Extensions, HeaderMap, header};
use secrecy::ExposeSecret as _;

use crate::api::{Credentials, Me, ProblemBody, Session};
use crate::app::App;
use crate::auth::{client_address, cookie};
use crate::error::{ApiError, ApiResult};
use crate::input::Json;

#[utoipa::path(
    post,
    path = "/api/login",
    tag = "session",
    operation_id = "login",
    summary = "Log in",
    request_body = Credentials,
    responses(
        (status = 200, description = "Logged in; the session cookie is set too: `sid`, or `__Host-sid` where the public URL is https", body = Session),
        (status = 401, description = "E-mail address or password is wrong", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "Too many attempts; `Retry-After` says when to try again", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(()),
)]
pub(crate) async fn login(
    State(app): State<App>,
    extensions: Extensions,
    headers: HeaderMap,
    Json(credentials): Json<Credentials>,
) -> ApiResult<Response> {
    let address = client_address(&extensions, &headers, app.trusted_proxies());
    if let Some(address) = address {
        let refused = |seconds| ApiError::too_many("too many attempts to log in from this address", seconds);
        app.logins().take(address, app.now()).map_err(refused)?;
    }
    judge(&credentials)?;
    let address = address.map_or_else(|| "unknown".to_owned(), |address| address.to_string());
    let login = app.client().login(&credentials.email, credentials.password.into(), &address).await?;
    let Me { user, workspace, role, expires_at } = Me::from(&login.session);
    let cookie = cookie(&login.token, expires_at, app.now(), app.is_https()).map(|cookie| (header::SET_COOKIE, cookie));
    let session = Session { user, workspace, role, token: login.token.expose_secret().to_owned(), expires_at };
    Ok((AppendHeaders(cookie), axum::Json(session)).into_response())
}

/// Bounds only: whether the account exists is not said here.
fn judge(credentials: &Credentials) -> ApiResult<()> {
    if credentials.email.is_empty() || credentials.email.len() > 254 {
        return Err(ApiError::field("email", "must have 1 to 254 bytes"));
    }
    if credentials.password.is_empty() || credentials.password.len() > 1024 {
        return Err(ApiError::field("password", "must have 1 to 1024 bytes"));
    }
    Ok(())
}
