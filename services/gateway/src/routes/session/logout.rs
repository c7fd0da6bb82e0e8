//! `POST /api/logout`.

use axum::extract::State;
use axum::response::{AppendHeaders, IntoResponse, Response};
use http::{StatusCode, header};

use crate::app::App;
use crate::auth::{Caller, expired_cookie};
use crate::error::ApiResult;

#[utoipa::path(
    post,
    path = "/api/logout",
    tag = "session",
    operation_id = "logout",
    summary = "End the session",
    responses((status = 204, description = "Ended")),
    security(("cookie" = []), ("bearer" = [])),
)]
pub(crate) async fn logout(State(app): State<App>, caller: Caller) -> ApiResult<Response> {
    app.client().logout(caller.token.secret()).await?;
    app.sessions().forget(&caller.token);
    let cookie = expired_cookie(app.is_https()).map(|cookie| (header::SET_COOKIE, cookie));
    Ok((StatusCode::NO_CONTENT, AppendHeaders(cookie)).into_response())
}
