//! `POST /internal/login`. The answer is the same whether the address is unknown, disabled or the password wrong.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use directory::wire::{Login, LoginRequest};
use http::{HeaderValue, StatusCode, header};
use model::{Millis, Session};
use secrecy::ExposeSecret;
use service::{FieldProblem, Problem};
use store::{accounts, sessions};

use crate::accounts::Token;
use crate::app::App;
use crate::error::RouteError;
use crate::routes::input::Body;

const SESSION_MS: Millis = 30 * 24 * 3_600_000;
/// Failures are counted over this long.
const WINDOW_MS: Millis = 15 * 60_000;
/// How many failures an account stands per address, an account, an address.
const LIMITS: [i32; 3] = [10, 100, 50];

pub(crate) async fn handle(State(app): State<App>, Body(request): Body<LoginRequest>) -> Result<Response, RouteError> {
    let email = request.email.trim().to_lowercase();
    let mut errors = Vec::new();
    if email.is_empty() || email.len() > 254 || email.contains('\0') {
        errors.push(FieldProblem::new("email", "must have 1 to 254 characters"));
    }
    let length = request.password.expose_secret().len();
    if length == 0 || length > 1024 {
        errors.push(FieldProblem::new("password", "must have 1 to 1024 bytes"));
    }
    if !errors.is_empty() {
        return Err(Problem::invalid(errors).into());
    }
    let address: String = request.address.chars().filter(|c| !c.is_control()).take(64).collect();
    let subjects = [format!("pair|{email}|{address}"), format!("account|{email}"), format!("address|{address}")];
    if let Some(wait) = wait(&app, &subjects).await? {
        return Ok(too_many(wait));
    }
    let account = accounts::find(&app.store, &email).await?.filter(|account| !account.disabled);
    let hash = account.as_ref().map(|account| account.password_hash.clone());
    let right = app.passwords.verify(request.password, hash).await?;
    let Some(account) = account.filter(|_| right) else {
        accounts::note_failure(&app.store, &subjects, app.now(), WINDOW_MS).await?;
        return Err(Problem::unauthorized("the e-mail address or the password is wrong").into());
    };
    let Some((workspace, role)) = accounts::home(&app.store, account.user.id).await? else {
        return Err(Problem::forbidden("the account belongs to no workspace").into());
    };
    accounts::forget_failures(&app.store, &subjects[..1]).await?;
    let token = Token::random();
    let session = Session { user: account.user, workspace, role, expires_at: app.now() + SESSION_MS };
    sessions::create(&app.store, &token.digest(), &session, &address, app.now()).await?;
    super::resolve::copy(&app, &token, &session).await;
    Ok(Json(Login { token: token.secret(), session }).into_response())
}

/// Seconds until the fullest window ends, when one is over its limit.
async fn wait(app: &App, subjects: &[String; 3]) -> Result<Option<i64>, RouteError> {
    let now = app.now();
    let failed = accounts::failed_attempts(&app.store, subjects, now).await?;
    let over = failed.iter().filter(|(subject, attempts, _)| {
        let limit = subjects.iter().position(|one| one == subject).and_then(|i| LIMITS.get(i)).copied().unwrap_or(0);
        *attempts >= limit
    });
    Ok(over.map(|(_, _, end)| ((end - now) / 1000).max(1)).max())
}

fn too_many(wait: i64) -> Response {
    let mut response = Problem::new(StatusCode::TOO_MANY_REQUESTS, format!("too many failed logins: wait {wait} s")).into_response();
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait));
    response
}
