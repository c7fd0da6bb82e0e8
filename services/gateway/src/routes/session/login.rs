//! `POST /api/login`.

use http::StatusCode;

use crate::api::{Credentials, ProblemBody, Session};

#[utoipa::path(
    post,
    path = "/api/login",
    tag = "session",
    operation_id = "login",
    summary = "Log in",
    request_body = Credentials,
    responses(
        (status = 200, description = "Logged in; the cookie `sid` is set too", body = Session),
        (status = 401, description = "E-mail address or password is wrong", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "Too many attempts; `Retry-After` says when to try again", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(()),
)]
pub(crate) async fn login() -> StatusCode {
    StatusCode::NOT_IMPLEMENTED
}
