//! `POST /internal/logout`: ends a session, here and in Redis.

use axum::extract::State;
use directory::wire::TokenRequest;
use http::StatusCode;
use store::sessions;

use crate::accounts::Token;
use crate::app::App;
use crate::error::RouteError;
use crate::routes::input::Body;

pub(crate) async fn handle(State(app): State<App>, Body(request): Body<TokenRequest>) -> Result<StatusCode, RouteError> {
    let token = Token::from(request.token);
    sessions::delete(&app.store, &token.digest()).await?;
    app.drop_session_copy(&token.digest()).await;
    Ok(StatusCode::NO_CONTENT)
}
