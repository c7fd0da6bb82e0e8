//! No other site may act through a person's browser: Fetch metadata, with the Origin as fallback.

use axum::extract::Request;
use http::{HeaderMap, Method, header};
use service::Problem;

use crate::app::App;
use crate::auth::Token;

/// The request, unless it is an unsafe one that another site made a browser send.
pub(crate) fn refuse_cross_site(app: &App, request: Request) -> Result<Request, Problem> {
    let safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if safe || is_ours(request.headers(), app.public_origin()) {
        return Ok(request);
    }
    Err(Problem::forbidden("the request comes from another site").with_type("cross-site"))
}

fn is_ours(headers: &HeaderMap, public_origin: &str) -> bool {
    // Only a script can set this header for us: another site's request with it would need our CORS consent.
    if Token::bearer(headers).is_some() {
        return true;
    }
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("unreadable"));
    if let Some(site) = text("sec-fetch-site") {
        return matches!(site, "same-origin" | "none");
    }
    match text(header::ORIGIN.as_str()) {
        // No browser leaves both out of an unsafe request.
        None => true,
        Some(origin) => origin == public_origin || is_host(origin, text(header::HOST.as_str()).unwrap_or_default()),
    }
}

/// Whether the origin is the very host that was asked, under whatever name it was reached.
fn is_host(origin: &str, host: &str) -> bool {
    !host.is_empty() && origin.split_once("://").is_some_and(|(scheme, rest)| matches!(scheme, "http" | "https") && rest == host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours(pairs: &[(&'static str, &str)]) -> bool {
        let headers = pairs.iter().map(|(name, value)| (header::HeaderName::from_static(name), value.parse().expect("a header"))).collect();
        is_ours(&headers, "https://status.example.com")
    }

    #[test]
    fn only_our_own_pages_act() {
        assert!(ours(&[]));
        assert!(ours(&[("sec-fetch-site", "same-origin")]));
        assert!(ours(&[("sec-fetch-site", "none")]));
        assert!(!ours(&[("sec-fetch-site", "cross-site"), ("origin", "https://status.example.com")]));
        assert!(!ours(&[("sec-fetch-site", "same-site")]));
        assert!(ours(&[("origin", "https://status.example.com")]));
        assert!(ours(&[("origin", "http://127.0.0.1:8080"), ("host", "127.0.0.1:8080")]));
        assert!(!ours(&[("origin", "https://evil.example"), ("host", "127.0.0.1:8080")]));
        assert!(!ours(&[("origin", "null"), ("host", "127.0.0.1:8080")]));
        assert!(!ours(&[("cookie", "sid=x"), ("sec-fetch-site", "cross-site")]));
        assert!(ours(&[("authorization", "Bearer x"), ("sec-fetch-site", "cross-site")]));
    }
}
