//! Canaries: places of the operator's choice that should always answer.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Instant;

use bytes::Bytes;
use egress::{Egress, FailureKind, HttpRequest};
use url::Url;

/// `host:port`, or an http(s) URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Canary {
    Tcp { host: String, port: u16 },
    Http(String),
}

/// As the log names it.
impl fmt::Display for Canary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Http(url) => f.write_str(&model::monitor::masked_url(url)),
        }
    }
}

/// Reads one canary; the error says what is wrong with it.
pub fn parse(text: &str) -> Result<Canary, String> {
    if text.starts_with("http://") || text.starts_with("https://") {
        let url = Url::parse(text).map_err(|error| format!("{text:?} is no URL: {error}"))?;
        return Ok(Canary::Http(url.into()));
    }
    let wrong = || format!("{text:?} is neither host:port nor an http(s) URL");
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    if host.is_empty() {
        return Err(wrong());
    }
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    Ok(Canary::Tcp { host, port: port.parse().map_err(|_| wrong())? })
}

/// What a canary said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    Something,
    Nothing,
    /// We may not ask it; its silence means nothing.
    Forbidden,
}

impl Canary {
    pub async fn ask(&self, egress: &Egress, deadline: Instant) -> Said {
        let failed = |kind| if kind == FailureKind::Forbidden { Said::Forbidden } else { Said::Nothing };
        match self {
            Self::Tcp { host, port } => {
                egress.connect(host, *port, deadline).await.map_or_else(|failure| failed(failure.kind), |_| Said::Something)
            }
            Self::Http(url) => {
                let request = HttpRequest {
                    url,
                    method: http::Method::GET,
                    headers: &BTreeMap::new(),
                    body: Bytes::new(),
                    max_redirects: 0,
                    verify_tls: true,
                    keep_body: 0,
                    read_body: 64 * 1024,
                };
                match egress.http(&request, deadline).await {
                    // A proxy between us and the world answers with 502 to 504 where there is no way.
                    Ok(answer) if answer.status < 500 => Said::Something,
                    Ok(_) => Said::Nothing,
                    Err(failure) => failed(failure.kind),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_canary_is_an_address_or_a_url() {
        assert_eq!(parse("one.example:53"), Ok(Canary::Tcp { host: "one.example".to_owned(), port: 53 }));
        assert_eq!(parse("[2001:db8::1]:443"), Ok(Canary::Tcp { host: "[2001:db8::1]".to_owned(), port: 443 }));
        assert_eq!(parse("https://one.example/204"), Ok(Canary::Http("https://one.example/204".to_owned())));
        for wrong in ["one.example", ":53", "one.example:port", "http://"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
