//! Egress against servers of the worst kind, all on loopback.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod dns;
mod hostile;
mod names;
mod posts;
mod redirects;
mod servers;
mod tls;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use egress::{Egress, EgressConfig, Failure, FailureKind, HttpAnswer, HttpRequest, parse_networks};
use http::Method;

pub(crate) const READ: usize = 1024 * 1024;

pub(crate) fn loopback() -> EgressConfig {
    EgressConfig { allowed: parse_networks("127.0.0.0/8,::1").unwrap(), ..EgressConfig::default() }
}

pub(crate) fn egress() -> Egress {
    Egress::new(&loopback()).unwrap()
}

/// A GET that keeps the body, follows three redirects, and waits a second.
pub(crate) struct Get<'a> {
    pub url: &'a str,
    pub headers: BTreeMap<String, String>,
    pub method: Method,
    pub body: Bytes,
    pub max_redirects: u8,
    pub verify_tls: bool,
    pub patience: Duration,
}

impl<'a> Get<'a> {
    pub(crate) fn new(url: &'a str) -> Self {
        Self {
            url,
            headers: BTreeMap::new(),
            method: Method::GET,
            body: Bytes::new(),
            max_redirects: 3,
            verify_tls: true,
            patience: Duration::from_secs(1),
        }
    }

    /// Asks, and sees to it that the deadline held.
    pub(crate) async fn ask(&self, egress: &Egress) -> Result<HttpAnswer, Failure> {
        let request = HttpRequest {
            url: self.url,
            method: self.method.clone(),
            headers: &self.headers,
            body: self.body.clone(),
            max_redirects: self.max_redirects,
            verify_tls: self.verify_tls,
            keep_body: READ,
            read_body: READ,
        };
        let began = Instant::now();
        let answer = egress.http(&request, began + self.patience).await;
        assert!(began.elapsed() < self.patience + Duration::from_millis(500), "the deadline did not hold: {:?}", began.elapsed());
        answer
    }

    pub(crate) async fn fails(&self, egress: &Egress) -> FailureKind {
        match self.ask(egress).await {
            Ok(answer) => panic!("answered {}", answer.status),
            Err(failure) => failure.kind,
        }
    }
}
