//! One HTTP/1.1 exchange over fresh connections, redirects included.

mod body;
mod exchange;
mod hop;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, Method};

use crate::client::{Egress, within};
use crate::failure::Failure;
use crate::trace::{Timings, Trace};
pub(crate) use hop::follow;

/// What is asked.
#[derive(Debug, Clone)]
pub struct HttpRequest<'a> {
    /// `http://` or `https://`.
    pub url: &'a str,
    pub method: Method,
    /// Sent as they are, `host` and framing excepted.
    pub headers: &'a BTreeMap<String, String>,
    pub body: Bytes,
    /// 0 takes a redirect as the answer.
    pub max_redirects: u8,
    /// False accepts any certificate.
    pub verify_tls: bool,
    /// Keep up to this many bytes of the answer's body; 0 reads and drops them.
    pub keep_body: usize,
    /// Read at most this many bytes of the body, then hang up.
    pub read_body: usize,
}

/// The last answer of the chain.
#[derive(Debug, Clone)]
pub struct HttpAnswer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// The body was longer than what was read.
    pub truncated: bool,
    pub address: SocketAddr,
    /// When the leaf certificate of the last hop ends, in Unix milliseconds.
    pub certificate_expires_at: Option<i64>,
    pub redirects: u8,
    pub timings: Timings,
}

impl Egress {
    /// Asks, follows redirects (each hop resolved, judged and dialled anew), reads the body up to its
    /// limit; all before `deadline`.
    pub async fn http(&self, request: &HttpRequest<'_>, deadline: Instant) -> Result<HttpAnswer, Failure> {
        let mut trace = Trace::new();
        let mut answer = within(deadline, &mut trace, async |trace| follow(&self.inner, request, trace).await).await?;
        answer.timings = trace.timings;
        Ok(answer)
    }
}
