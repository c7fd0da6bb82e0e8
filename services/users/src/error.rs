//! What a route answers when something fails.

use axum::response::{IntoResponse, Response};
use service::{FieldProblem, Problem};
use store::StoreError;

use crate::accounts::PasswordError;
use crate::channels::CipherError;

/// A problem, from whatever failed.
pub(crate) struct RouteError(Problem);

impl IntoResponse for RouteError {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}

impl From<Problem> for RouteError {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl From<StoreError> for RouteError {
    fn from(error: StoreError) -> Self {
        Self(match &error {
            error if error.is_retryable() => {
                tracing::warn!(%error, "PostgreSQL is away");
                Problem::unavailable("the database is away: try again")
            }
            error if error.is_duplicate_of("monitors_name") => {
                let mut problem = Problem::conflict("another monitor of the workspace has this name");
                problem.errors = vec![FieldProblem::new("name", "is taken: choose another")];
                problem
            }
            error => Problem::internal(error),
        })
    }
}

impl From<PasswordError> for RouteError {
    fn from(error: PasswordError) -> Self {
        Self(match error {
            PasswordError::Busy => Problem::unavailable("too many logins at once: try again"),
            PasswordError::Hash(_) => Problem::internal(&error),
        })
    }
}

impl From<CipherError> for RouteError {
    fn from(error: CipherError) -> Self {
        Self(Problem::internal(&error))
    }
}
