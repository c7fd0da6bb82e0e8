//! One call: the key, the trace, the deadline, and what the answer means.

use reqwest::{Method, RequestBuilder, Response, StatusCode};
use secrecy::ExposeSecret;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Client, INTERNAL_KEY_PROBLEM};
use crate::error::{DirectoryError, Refusal};

/// Largest answer read: a page of 5000 monitors has some 10 MB at most.
const MAX_ANSWER: usize = 64 << 20;
/// Largest problem document read.
const MAX_PROBLEM: usize = 64 << 10;

impl Client {
    /// Begins a call. `path` starts without a slash and holds only ids, so nothing needs escaping.
    pub(super) fn request(&self, method: Method, path: &str) -> Result<RequestBuilder, DirectoryError> {
        let url = self.base.join(path).map_err(|error| DirectoryError::Protocol(error.to_string()))?;
        Ok(self.http.request(method, url).bearer_auth(self.key.expose_secret()))
    }

    pub(super) fn post<B: Serialize>(&self, path: &str, body: &B) -> Result<RequestBuilder, DirectoryError> {
        Ok(self.request(Method::POST, path)?.json(body))
    }
}

/// Sends, and reads the answer as `T`.
pub(super) async fn send<T: DeserializeOwned>(request: RequestBuilder) -> Result<T, DirectoryError> {
    let response = succeed(request).await?;
    let body = read(response, MAX_ANSWER).await?;
    serde_json::from_slice(&body).map_err(|error| DirectoryError::Protocol(error.to_string()))
}

/// Sends, and expects no content.
pub(super) async fn send_empty(request: RequestBuilder) -> Result<(), DirectoryError> {
    succeed(request).await.map(drop)
}

async fn succeed(request: RequestBuilder) -> Result<Response, DirectoryError> {
    let response = request.send().await.map_err(|error| unavailable(&error))?;
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let retry_after = response.headers().get(reqwest::header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let body = read(response, MAX_PROBLEM).await.unwrap_or_default();
    let mut refusal: Refusal = serde_json::from_slice(&body).unwrap_or_else(|_| Refusal {
        kind: String::new(),
        status: status.as_u16(),
        title: status.canonical_reason().unwrap_or("Error").to_owned(),
        detail: String::new(),
        errors: Vec::new(),
        retry_after: None,
    });
    refusal.status = status.as_u16();
    refusal.retry_after = retry_after;
    Err(match status {
        StatusCode::FORBIDDEN if refusal.kind == INTERNAL_KEY_PROBLEM => DirectoryError::Key,
        _ if status.is_client_error() => DirectoryError::Refused(Box::new(refusal)),
        _ => DirectoryError::Unavailable(refusal.to_string()),
    })
}

async fn read(mut response: Response, limit: usize) -> Result<Vec<u8>, DirectoryError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| unavailable(&error))? {
        if body.len() + chunk.len() > limit {
            return Err(DirectoryError::Protocol(format!("an answer of more than {limit} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The whole chain of sources: reqwest's own text stops at "error sending request".
fn unavailable(error: &reqwest::Error) -> DirectoryError {
    let mut text = String::new();
    let mut source: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = source {
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&error.to_string());
        source = error.source();
    }
    DirectoryError::Unavailable(text)
}
