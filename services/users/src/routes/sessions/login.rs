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
/// Who was refused for what is under way tries again so many seconds later: then it is known what failed.
const UNDER_WAY_S: i64 = 1;

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

    /// Whether `subject` stands no more than it has. `known`: the network is to the account.
    fn is_full(&self, subject: &str, failed: i32, known: bool) -> bool {
        let limit = self.failures.iter().position(|one| one == subject).filter(|i| !(known && *i == ACCOUNT));
        limit.and_then(|i| LIMITS.get(i)).is_some_and(|limit| failed >= *limit)
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
    let now = app.now();
    let subjects = [counted.failures.as_slice(), std::slice::from_ref(&counted.known)].concat();
    let attempts = accounts::failed_attempts(&app.store, &subjects, now).await?;
    let known = attempts.iter().any(|(subject, ..)| *subject == counted.known);
    let full = |subject: &str, failed| counted.is_full(subject, failed, known);
    if let Some(end) = attempts.iter().filter(|(subject, failed, _)| full(subject, *failed)).map(|(.., end)| *end).max() {
        return Ok(too_many(((end - now) / 1000).max(1)));
    }
    let account = accounts::find(&app.store, &email).await?.filter(|account| !account.disabled);
    let hash = account.as_ref().map(|account| account.password_hash.clone());
    let turn = app.passwords.turn().await?;
    // An attempt counts as a failure until it is known to be none: guesses that come at once would else all be judged by the count
    // before. Only those whose turn it is, or an owner's own logins at once would fill the limit; the turn lasts until it is known.
    if !accounts::take_attempt(&app.store, &counted.failures, app.now(), WINDOW_MS, full).await? {
        return Ok(too_many(UNDER_WAY_S));
    }
    let right = turn.verify(request.password, hash).await?;
    let Some(account) = account.filter(|_| right) else {
        return Err(Problem::unauthorized("the e-mail address or the password is wrong").into());
    };
    let [pair, others @ ..] = &counted.failures;
    accounts::note_success(&app.store, std::slice::from_ref(pair), others, &counted.known, app.now() + KNOWN_MS).await?;
    let Some((workspace, role)) = accounts::home(&app.store, account.user.id).await? else {
        return Err(Problem::forbidden("the account belongs to no workspace").into());
    };
    let token = Token::random();
    let session = Session { user: account.user, workspace, role, expires_at: app.now() + SESSION_MS };
    sessions::create(&app.store, &token.digest(), &session, &address, app.now()).await?;
    super::resolve::copy(&app, &token, &session).await;
    Ok(Json(Login { token: token.secret(), session }).into_response())
}

fn too_many(wait: i64) -> Response {
    let mut response = Problem::new(StatusCode::TOO_MANY_REQUESTS, format!("too many failed logins: wait {wait} s")).into_response();
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait));
    response
}
