//! Reading requests: every mistake becomes a problem that says what to change.

use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use http::{HeaderMap, StatusCode, header, request};
use serde::de::DeserializeOwned;
use service::{FieldProblem, Problem};

/// A JSON body.
pub(crate) struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match axum::Json::<T>::from_request(request, state).await {
            Ok(axum::Json(value)) => Ok(Self(value)),
            Err(JsonRejection::JsonDataError(error)) => Err(Problem::invalid(vec![FieldProblem::new("", error.body_text())])),
            Err(error) => Err(Problem::new(error.status(), error.body_text())),
        }
    }
}

/// Ids in the path; what is no id names nothing.
pub(crate) struct Ids<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Ids<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut request::Parts, state: &S) -> Result<Self, Problem> {
        match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(ids)) => Ok(Self(ids)),
            Err(_) => Err(Problem::not_found("there is no such thing")),
        }
    }
}

/// Query parameters.
pub(crate) struct Params<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut request::Parts, state: &S) -> Result<Self, Problem> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(params)) => Ok(Self(params)),
            Err(error) => Err(Problem::bad_request(error.body_text())),
        }
    }
}

/// Who acts, for the audit trail (`x-upmesh-actor`).
pub(crate) fn actor(headers: &HeaderMap) -> Result<String, Problem> {
    let actor = headers.get("x-upmesh-actor").and_then(|value| value.to_str().ok()).filter(|actor| !actor.is_empty() && actor.len() <= 254);
    actor.map(str::to_owned).ok_or_else(|| Problem::bad_request("the header x-upmesh-actor must say who acts"))
}

/// The revision of `if-match`, if there is one.
pub(crate) fn if_match(headers: &HeaderMap) -> Result<Option<i64>, Problem> {
    let Some(value) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    let revision =
        text.trim_matches('"').parse().map_err(|_| Problem::bad_request("if-match must be a revision in quotes, for example \"12\""))?;
    Ok(Some(revision))
}

pub(crate) fn changed_since() -> Problem {
    Problem::new(StatusCode::PRECONDITION_FAILED, "somebody changed it since: read it again")
}

pub(crate) fn no_such_monitor() -> Problem {
    Problem::not_found("there is no such monitor")
}
