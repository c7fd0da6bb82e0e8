//! `POST /internal/sessions/resolve`: who holds this token.

use axum::Json;
use axum::extract::State;
use directory::wire::TokenRequest;
use model::Session;
use service::Problem;
use store::sessions;

use crate::accounts::Token;
use crate::app::App;
use crate::error::RouteError;
use crate::routes::input::Body;

pub(crate) async fn handle(State(app): State<App>, Body(request): Body<TokenRequest>) -> Result<Json<Session>, RouteError> {
    let token = Token::from(request.token);
    let session = sessions::find(&app.store, &token.digest(), app.now()).await?;
    let session = session.ok_or_else(|| Problem::unauthorized("the session has ended: log in again"))?;
    copy(&app, &token, &session).await;
    Ok(Json(session))
}

/// Puts a copy into Redis. Without it reads are slower, not wrong.
pub(super) async fn copy(app: &App, token: &Token, session: &Session) {
    if let Err(error) = app.cache.put_session(&hex::encode(token.digest()), session, app.now()).await {
        tracing::warn!(%error, "a session was not copied to Redis");
    }
}
