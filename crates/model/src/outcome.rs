//! What a slot came to, and why.

use std::borrow::Cow;
use std::fmt;

use serde::de::IntoDeserializer;
use serde::{Deserialize, Deserializer, Serialize};

/// What one slot came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The target answered and every assertion held.
    Up,
    /// The target answered, but a "degraded" assertion (latency, certificate days) did not hold.
    Degraded,
    /// The target failed.
    Down,
    /// We failed: prober or pipeline. Says nothing about the target.
    Unknown,
    /// The slot was due and was not run.
    Missed,
    /// The slot fell in a maintenance window.
    Maintenance,
}

impl Outcome {
    pub const ALL: [Self; 6] = [Self::Up, Self::Degraded, Self::Down, Self::Unknown, Self::Missed, Self::Maintenance];

    /// A verdict about the target, as opposed to a word about ourselves. Coverage counts these.
    pub fn is_verdict(self) -> bool {
        matches!(self, Self::Up | Self::Degraded | Self::Down)
    }

    /// The number in the history codec and in fixtures; never reassigned.
    pub fn code(self) -> u8 {
        match self {
            Self::Up => 0,
            Self::Degraded => 1,
            Self::Down => 2,
            Self::Unknown => 3,
            Self::Missed => 4,
            Self::Maintenance => 5,
        }
    }

    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }

    /// Which of two outcomes of one slot stands: a verdict over our own trouble, the worse verdict
    /// over the better. Higher wins. Total, so that merging commutes.
    pub fn merge_rank(self) -> u8 {
        match self {
            Self::Missed => 0,
            Self::Unknown => 1,
            Self::Maintenance => 2,
            Self::Up => 3,
            Self::Degraded => 4,
            Self::Down => 5,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Degraded => "degraded",
            Self::Down => "down",
            Self::Unknown => "unknown",
            Self::Missed => "missed",
            Self::Maintenance => "maintenance",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a slot is not up: typed where the error arose, never by matching strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    // The target failed (down or degraded)
    /// No answer within the monitor's timeout.
    Timeout,
    /// The name does not exist or has no address (authoritative answer).
    DnsNotFound,
    /// The connection was refused.
    ConnectionRefused,
    /// The connection was reset or closed before the answer was complete.
    ConnectionReset,
    /// No route to the target's host or network.
    Unreachable,
    /// The TLS handshake failed.
    Tls,
    /// The certificate is not trusted, is for another name, or has expired.
    Certificate,
    /// The answer was no valid HTTP.
    Protocol,
    /// Too many redirects, or a redirect that may not be followed.
    Redirect,
    /// The status is not among those expected.
    Status,
    /// A body, header or JSON assertion did not hold.
    Assertion,
    /// The latency is above the monitor's limit.
    Latency,
    /// The certificate expires within the monitor's limit of days.
    CertificateExpiry,
    /// No echo reply.
    PacketLoss,
    // We failed (unknown)
    /// Our resolver did not answer or answered SERVFAIL.
    Resolver,
    /// The address is not one we may dial (`ALLOWED_TARGET_NETWORKS`).
    Forbidden,
    /// Out of file descriptors, memory or ports on the pinger.
    Resources,
    /// The pinger's own network is gone.
    LocalNetwork,
    /// This pinger cannot run such a probe (for example ICMP without the permission).
    Unsupported,
    /// An error of ours that fits no other cause.
    Internal,
    // The slot was not run (missed)
    /// The pinger had no room to run the slot in time.
    Saturated,
    /// No pinger held the slot's shard in time, or it came back too late.
    NotRun,
    /// The result was given up from a full spool.
    Evicted,
}

impl Cause {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::DnsNotFound => "dns_not_found",
            Self::ConnectionRefused => "connection_refused",
            Self::ConnectionReset => "connection_reset",
            Self::Unreachable => "unreachable",
            Self::Tls => "tls",
            Self::Certificate => "certificate",
            Self::Protocol => "protocol",
            Self::Redirect => "redirect",
            Self::Status => "status",
            Self::Assertion => "assertion",
            Self::Latency => "latency",
            Self::CertificateExpiry => "certificate_expiry",
            Self::PacketLoss => "packet_loss",
            Self::Resolver => "resolver",
            Self::Forbidden => "forbidden",
            Self::Resources => "resources",
            Self::LocalNetwork => "local_network",
            Self::Unsupported => "unsupported",
            Self::Internal => "internal",
            Self::Saturated => "saturated",
            Self::NotRun => "not_run",
            Self::Evicted => "evicted",
        }
    }
}

/// Reads a cause that a newer version may have written: one that is not known here is none.
pub fn known_cause<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Cause>, D::Error> {
    let text = Option::<Cow<'de, str>>::deserialize(deserializer)?;
    Ok(text.and_then(|text| known_word(&text)))
}

/// What a word stands for, as it is written on the log and in the stores; none where it is not known here.
pub fn known_word<'a, T: Deserialize<'a>>(word: &'a str) -> Option<T> {
    T::deserialize(IntoDeserializer::<serde::de::value::Error>::into_deserializer(word)).ok()
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
