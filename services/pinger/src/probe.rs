//! One attempt at a target. One kind per file.

mod http;
mod icmp;
mod tcp;

use std::sync::Arc;
use std::time::Instant;

use egress::{Egress, Failure, FailureKind, Timings};
use model::{Cause, Clock, Millis, MonitorSpec, Outcome, Phases, ProbeSpec};

use crate::assertions::{Compiled, Evidence, Finding, HttpEvidence};
pub use icmp::Pings;

/// What every probe needs. Cheap to clone.
#[derive(Clone)]
pub struct Prober {
    pub egress: Egress,
    pub pings: Arc<Pings>,
    pub clock: Arc<dyn Clock>,
}

/// What one attempt found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    pub outcome: Outcome,
    pub cause: Option<Cause>,
    pub detail: Option<String>,
    pub latency_us: Option<u32>,
    pub phases: Phases,
    pub status: Option<u16>,
    pub certificate_expires_at: Option<Millis>,
}

impl Prober {
    /// Runs one attempt; ends by `deadline`, whatever the target does.
    pub async fn attempt(&self, spec: &MonitorSpec, compiled: &Compiled, deadline: Instant) -> Attempt {
        if let Some(why) = compiled.broken() {
            return Attempt::unknown(Cause::Internal, format!("an assertion cannot be judged: {why}"));
        }
        match &spec.probe {
            ProbeSpec::Http(probe) => http::attempt(self, probe, compiled, deadline).await,
            ProbeSpec::Tcp(probe) => tcp::attempt(self, probe, compiled, deadline).await,
            ProbeSpec::Icmp(probe) => icmp::attempt(self, probe, compiled, deadline).await,
        }
    }

    /// Judges an answer and makes the attempt of it.
    fn judged(&self, compiled: &Compiled, answer: &Answer<'_>) -> Attempt {
        let evidence = Evidence {
            http: answer.http,
            latency_us: answer.latency_us,
            certificate_expires_at: answer.certificate_expires_at,
            now_ms: self.clock.now_ms(),
        };
        let (outcome, cause, detail) = match compiled.judge(&evidence) {
            None => (Outcome::Up, None, None),
            Some(Finding { outcome, cause, detail }) => (outcome, Some(cause), Some(detail)),
        };
        Attempt {
            outcome,
            cause,
            detail,
            latency_us: Some(answer.latency_us),
            phases: answer.phases,
            status: answer.http.map(|http| http.status),
            certificate_expires_at: answer.certificate_expires_at,
        }
    }
}

/// What a target said, before it is judged.
struct Answer<'a> {
    http: Option<HttpEvidence<'a>>,
    latency_us: u32,
    phases: Phases,
    certificate_expires_at: Option<Millis>,
}

impl Attempt {
    /// Our failure.
    pub fn unknown(cause: Cause, detail: String) -> Self {
        Self::failed(Outcome::Unknown, cause, detail, Phases::default())
    }

    /// A failure that may be ours: it says nothing about the target.
    pub(crate) fn doubted(self) -> Self {
        let said = self.detail.or_else(|| self.cause.map(|cause| cause.to_string())).unwrap_or_default();
        Self::unknown(Cause::LocalNetwork, format!("this prober is blind; the check ended with: {said}"))
    }

    fn down(cause: Cause, detail: String, timings: Timings) -> Self {
        Self::failed(Outcome::Down, cause, detail, phases(timings))
    }

    fn failed(outcome: Outcome, cause: Cause, detail: String, phases: Phases) -> Self {
        let detail = Some(clipped(detail)).filter(|detail| !detail.is_empty());
        Self { outcome, cause: Some(cause), detail, latency_us: None, phases, status: None, certificate_expires_at: None }
    }
}

impl From<Failure> for Attempt {
    fn from(failure: Failure) -> Self {
        let cause = match failure.kind {
            FailureKind::Timeout => Cause::Timeout,
            FailureKind::DnsNotFound => Cause::DnsNotFound,
            FailureKind::Refused => Cause::ConnectionRefused,
            FailureKind::Reset => Cause::ConnectionReset,
            FailureKind::Unreachable => Cause::Unreachable,
            FailureKind::Tls => Cause::Tls,
            FailureKind::Certificate => Cause::Certificate,
            FailureKind::Protocol => Cause::Protocol,
            FailureKind::Redirect => Cause::Redirect,
            FailureKind::Resolver => Cause::Resolver,
            FailureKind::Forbidden => Cause::Forbidden,
            FailureKind::Resources => Cause::Resources,
            FailureKind::LocalNetwork => Cause::LocalNetwork,
            FailureKind::Internal => Cause::Internal,
        };
        let outcome = if failure.kind.is_targets() { Outcome::Down } else { Outcome::Unknown };
        Self::failed(outcome, cause, failure.detail, phases(failure.timings))
    }
}

/// A detail holds at most 300 characters.
fn clipped(mut detail: String) -> String {
    if let Some((end, _)) = detail.char_indices().nth(300) {
        detail.truncate(end);
    }
    detail
}

fn phases(timings: Timings) -> Phases {
    Phases {
        resolve_us: timings.resolve.map(micros),
        connect_us: timings.connect.map(micros),
        tls_us: timings.tls.map(micros),
        first_byte_us: timings.first_byte.map(micros),
        transfer_us: timings.transfer.map(micros),
    }
}

fn micros(duration: std::time::Duration) -> u32 {
    u32::try_from(duration.as_micros()).unwrap_or(u32::MAX)
}
