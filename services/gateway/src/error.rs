//! How failures of the parts behind the gateway become answers.

use axum::response::{IntoResponse, Response};
use cache::CacheError;
use directory::DirectoryError;
use http::{HeaderValue, StatusCode, header};
use service::{FieldProblem, Problem};
use store::StoreError;

/// An error answer.
#[derive(Debug)]
pub(crate) struct ApiError {
    problem: Box<Problem>,
    /// Seconds after which to try again.
    retry_after: Option<u32>,
}

pub(crate) type ApiResult<T> = Result<T, ApiError>;

impl ApiError {
    /// One field is wrong.
    pub(crate) fn field(field: &str, message: impl Into<String>) -> Self {
        Problem::invalid(vec![FieldProblem::new(field, message)]).into()
    }

    pub(crate) fn no_monitor() -> Self {
        Problem::not_found("there is no such monitor in this workspace").into()
    }

    pub(crate) fn too_many(detail: &str, retry_after: u32) -> Self {
        Self { problem: Box::new(Problem::new(StatusCode::TOO_MANY_REQUESTS, detail)), retry_after: Some(retry_after) }
    }
}

impl From<Problem> for ApiError {
    fn from(problem: Problem) -> Self {
        Self { problem: Box::new(problem), retry_after: None }
    }
}

impl From<DirectoryError> for ApiError {
    fn from(error: DirectoryError) -> Self {
        match error {
            // Users judged the request; its words are meant for the caller.
            DirectoryError::Refused(refusal) => {
                let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::BAD_GATEWAY);
                let mut problem = Problem::new(status, refusal.detail);
                problem.errors = refusal.errors.into_iter().map(|error| FieldProblem::new(error.field, error.message)).collect();
                if !refusal.kind.is_empty() {
                    problem.kind = refusal.kind;
                }
                Self { problem: Box::new(problem), retry_after: refusal.retry_after }
            }
            DirectoryError::Unavailable(cause) => {
                tracing::warn!(%cause, "the users service is not available");
                Problem::unavailable("accounts and settings are not available at the moment; a change may or may not have been made").into()
            }
            other => {
                tracing::error!(error = %other, "a call of the users service failed");
                Problem::unavailable("accounts and settings are not available at the moment").into()
            }
        }
    }
}

impl From<CacheError> for ApiError {
    fn from(error: CacheError) -> Self {
        tracing::warn!(%error, "a read of live state failed");
        Problem::unavailable("live state is not available at the moment").into()
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        if error.is_retryable() {
            tracing::warn!(%error, "a read of history failed");
            Problem::unavailable("history is not available at the moment").into()
        } else {
            Problem::internal(&error).into()
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.problem.into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
