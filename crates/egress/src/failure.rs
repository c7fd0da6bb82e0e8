//! Typed failures, found by walking an error's sources, never by matching strings.

use std::error::Error;
use std::io;

use rustls::CertificateError;

use crate::guard::Forbidden;
use crate::trace::{Phase, Timings};

/// Why there is no answer, and whose failure that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureKind {
    // The target's
    Timeout,
    DnsNotFound,
    Refused,
    Reset,
    Unreachable,
    Tls,
    Certificate,
    Protocol,
    Redirect,
    // Ours
    /// The resolver did not answer, or answered that it cannot.
    Resolver,
    Forbidden,
    /// Out of descriptors, ports or memory.
    Resources,
    /// No route, no network.
    LocalNetwork,
    Internal,
}

impl FailureKind {
    /// Whether this says something about the target, rather than about us.
    pub fn is_targets(self) -> bool {
        !matches!(self, Self::Resolver | Self::Forbidden | Self::Resources | Self::LocalNetwork | Self::Internal)
    }
}

/// An exchange without an answer.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{detail}")]
pub struct Failure {
    pub kind: FailureKind,
    /// What was being done.
    pub phase: Phase,
    /// One line for people; holds no header, body or query string.
    pub detail: String,
    /// Of the phases that ended.
    pub timings: Timings,
}

impl Failure {
    /// Of a socket that was connected.
    pub fn of_io(error: &io::Error, phase: Phase, timings: Timings) -> Self {
        Self { kind: io_kind(error), phase, detail: error.to_string(), timings }
    }
}

/// A failure before it knows its timings.
#[derive(Debug)]
pub(crate) struct Broken {
    pub(crate) kind: FailureKind,
    pub(crate) detail: String,
}

impl Broken {
    pub(crate) fn new(kind: FailureKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into() }
    }

    /// The type of any error of the stack: I/O, TLS, HTTP.
    pub(crate) fn of(error: &(dyn Error + 'static)) -> Self {
        let kind = kind_of(error).unwrap_or(FailureKind::Internal);
        Self { kind, detail: innermost(error).to_string() }
    }
}

impl From<Forbidden> for Broken {
    fn from(forbidden: Forbidden) -> Self {
        Self::new(FailureKind::Forbidden, forbidden.to_string())
    }
}

/// The first source that has a type we know.
fn kind_of(error: &(dyn Error + 'static)) -> Option<FailureKind> {
    let mut outer_http = None;
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(tls) = error.downcast_ref::<rustls::Error>() {
            return Some(tls_kind(tls));
        }
        if let Some(io) = error.downcast_ref::<io::Error>() {
            // An io::Error may wrap a TLS error that its `source` skips.
            if let Some(tls) = io.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
                return Some(tls_kind(tls));
            }
            return Some(io_kind(io));
        }
        if let Some(http) = error.downcast_ref::<hyper::Error>() {
            outer_http = outer_http.or(Some(http_kind(http)));
        }
        next = error.source();
    }
    outer_http
}

fn innermost<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost
}

fn http_kind(error: &hyper::Error) -> FailureKind {
    if error.is_parse() {
        FailureKind::Protocol
    } else if error.is_incomplete_message() || error.is_closed() || error.is_canceled() || error.is_body_write_aborted() {
        FailureKind::Reset
    } else if error.is_timeout() {
        FailureKind::Timeout
    } else if error.is_user() {
        FailureKind::Internal
    } else {
        FailureKind::Protocol
    }
}

fn tls_kind(error: &rustls::Error) -> FailureKind {
    match error {
        // A time of our own clock and a provider's failure are ours; the rest is what the target sent.
        rustls::Error::FailedToGetCurrentTime | rustls::Error::FailedToGetRandomBytes => FailureKind::Internal,
        rustls::Error::InvalidCertificate(CertificateError::Other(_) | CertificateError::UnknownRevocationStatus) => FailureKind::Tls,
        rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented => FailureKind::Certificate,
        _ => FailureKind::Tls,
    }
}

/// Which errno is whose. A local shortage or a missing route says nothing about the target.
pub fn io_kind(error: &io::Error) -> FailureKind {
    // Linux: errno values where std has no stable kind of its own.
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    const ENOBUFS: i32 = 105;
    if let Some(EMFILE | ENFILE | ENOBUFS) = error.raw_os_error() {
        return FailureKind::Resources;
    }
    match error.kind() {
        io::ErrorKind::ConnectionRefused => FailureKind::Refused,
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::NotConnected
        | io::ErrorKind::UnexpectedEof => FailureKind::Reset,
        io::ErrorKind::TimedOut => FailureKind::Timeout,
        io::ErrorKind::HostUnreachable => FailureKind::Unreachable,
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::NetworkDown | io::ErrorKind::PermissionDenied => FailureKind::LocalNetwork,
        io::ErrorKind::AddrNotAvailable | io::ErrorKind::AddrInUse | io::ErrorKind::OutOfMemory => FailureKind::Resources,
        io::ErrorKind::InvalidData => FailureKind::Protocol,
        _ => FailureKind::Internal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_errno_is_the_targets_or_ours() {
        let kind = |errno| io_kind(&io::Error::from_raw_os_error(errno));
        let table = [
            (111, FailureKind::Refused),
            (104, FailureKind::Reset),
            (32, FailureKind::Reset),
            (110, FailureKind::Timeout),
            (113, FailureKind::Unreachable),
            (101, FailureKind::LocalNetwork),
            (100, FailureKind::LocalNetwork),
            (1, FailureKind::LocalNetwork),
            (24, FailureKind::Resources),
            (23, FailureKind::Resources),
            (99, FailureKind::Resources),
            (105, FailureKind::Resources),
            (12, FailureKind::Resources),
        ];
        for (errno, expected) in table {
            assert_eq!(kind(errno), expected, "errno {errno}");
        }
    }

    #[test]
    fn a_tls_error_is_found_inside_an_io_error() {
        let wrapped = io::Error::new(io::ErrorKind::InvalidData, rustls::Error::InvalidCertificate(CertificateError::Expired));
        assert_eq!(Broken::of(&wrapped).kind, FailureKind::Certificate);
        let wrapped = io::Error::new(io::ErrorKind::InvalidData, rustls::Error::DecryptError);
        assert_eq!(Broken::of(&wrapped).kind, FailureKind::Tls);
    }
}
