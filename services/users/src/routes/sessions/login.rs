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
/// How long a network stays known to an account after it logged in from there.
const KNOWN_MS: Millis = SESSION_MS;

/// What failures are counted by, and how many are stood. Addresses count as networks (`model::network`), as at the gateway.
///
/// - `pair`, an account from a network: against guessing one password, at no cost to anybody elsewhere.
/// - `account`, from everywhere: against guessing one password from many networks. Whoever fails on purpose could keep the
///   owner out with it, so it does not bind a network from which that account logged in lately: there the pair's limit does.
///   What stays: under such an attack the owner waits where they never logged in before.
/// - `address`, a network with all accounts: against trying one password with many.
struct Counted {
    failures: [String; 3],
    /// Not a count: there while the network is known to the account.
    known: String,
}

/// How many failures each of [`Counted::failures`] stands.
const LIMITS: [i32; 3] = [10, 100, 50];
const ACCOUNT: usize = 1;

impl Counted {
    fn new(email: &str, network: &str) -> Self {
        let failures = [format!("pair|{email}|{network}"), format!("account|{email}"), format!("address|{network}")];
        Self { failures, known: format!("known|{email}|{network}") }
    }
}

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
    let network = address.parse().map_or_else(|_| address.clone(), |address| model::network(address).to_string());
    let counted = Counted::new(&email, &network);
    if let Some(wait) = wait(&app, &counted).await? {
        return Ok(too_many(wait));
    }
    let account = accounts::find(&app.store, &email).await?.filter(|account| !account.disabled);
    let hash = account.as_ref().map(|account| account.password_hash.clone());
    let right = app.passwords.verify(request.password, hash).await?;
    let Some(account) = account.filter(|_| right) else {
        accounts::note_failure(&app.store, &counted.failures, app.now(), WINDOW_MS).await?;
        return Err(Problem::unauthorized("the e-mail address or the password is wrong").into());
    };
    let Some((workspace, role)) = accounts::home(&app.store, account.user.id).await? else {
        return Err(Problem::forbidden("the account belongs to no workspace").into());
    };
    accounts::note_success(&app.store, &counted.failures[..1], &counted.known, app.now() + KNOWN_MS).await?;
    let token = Token::random();
    let session = Session { user: account.user, workspace, role, expires_at: app.now() + SESSION_MS };
    sessions::create(&app.store, &token.digest(), &session, &address, app.now()).await?;
    super::resolve::copy(&app, &token, &session).await;
    Ok(Json(Login { token: token.secret(), session }).into_response())
}

/// Seconds until the fullest window ends, when one is over its limit.
async fn wait(app: &App, counted: &Counted) -> Result<Option<i64>, RouteError> {
    let now = app.now();
    let subjects: Vec<String> = counted.failures.iter().chain([&counted.known]).cloned().collect();
    let attempts = accounts::failed_attempts(&app.store, &subjects, now).await?;
    let known = attempts.iter().any(|(subject, ..)| *subject == counted.known);
    let over = attempts.iter().filter(|(subject, failed, _)| {
        let limit = counted.failures.iter().position(|one| one == subject).filter(|i| !(known && *i == ACCOUNT));
        limit.and_then(|i| LIMITS.get(i)).is_some_and(|limit| failed >= limit)
    });
    Ok(over.map(|(_, _, end)| ((end - now) / 1000).max(1)).max())
}

fn too_many(wait: i64) -> Response {
    let mut response = Problem::new(StatusCode::TOO_MANY_REQUESTS, format!("too many failed logins: wait {wait} s")).into_response();
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait));
    response
}
