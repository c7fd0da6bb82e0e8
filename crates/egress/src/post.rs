//! POSTs of the notification channels, through the same guard.

use std::collections::BTreeMap;
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, Method};

use crate::client::{Egress, within};
use crate::failure::Failure;
use crate::http::{HttpRequest, follow};
use crate::trace::Trace;

/// Of a channel's answer, this much is kept to explain a refusal.
const KEPT_BODY: usize = 16 * 1024;

/// A channel's answer, whatever its status.
#[derive(Debug, Clone)]
pub struct PostAnswer {
    pub status: u16,
    pub headers: HeaderMap,
    /// The first 16 KiB.
    pub body: Bytes,
}

/// A POST without an answer.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{failure}")]
pub struct PostFailure {
    pub failure: Failure,
    /// The request may have been delivered: its bytes were on the way when it failed. False means that
    /// the other side surely did not get it.
    pub doubtful: bool,
}

impl Egress {
    /// Posts once: no retry, no redirect followed. The URL may hold a secret; no error repeats it.
    pub async fn post(
        &self,
        url: &str,
        headers: &BTreeMap<String, String>,
        body: Bytes,
        deadline: Instant,
    ) -> Result<PostAnswer, PostFailure> {
        let mut trace = Trace::new();
        let request = HttpRequest {
            url,
            method: Method::POST,
            headers,
            body,
            max_redirects: 0,
            verify_tls: true,
            keep_body: KEPT_BODY,
            read_body: KEPT_BODY,
        };
        match within(deadline, &mut trace, async |trace| follow(&self.inner, &request, trace).await).await {
            Ok(answer) => Ok(PostAnswer { status: answer.status, headers: answer.headers, body: answer.body }),
            Err(failure) => Err(PostFailure { failure, doubtful: trace.sent }),
        }
    }
}
