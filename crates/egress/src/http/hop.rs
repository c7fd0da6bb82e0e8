//! Following redirects by hand, since each hop is a new target to judge.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use url::{Host, Url};

use super::exchange::{Ask, exchange};
use super::{HttpAnswer, HttpRequest};
use crate::client::Inner;
use crate::failure::{Broken, FailureKind};
use crate::trace::Trace;

pub(crate) async fn follow(inner: &Inner, request: &HttpRequest<'_>, trace: &mut Trace) -> Result<HttpAnswer, Broken> {
    let mut url = Url::parse(request.url).map_err(|error| Broken::new(FailureKind::Internal, format!("this is no URL: {error}")))?;
    let mut method = request.method.clone();
    let mut body = request.body.clone();
    let mut headers = header_map(request.headers)?;
    let mut redirects = 0;
    loop {
        let ask = Ask { url: &url, method: &method, headers: &headers, body: &body, request };
        let mut answer = exchange(inner, &ask, trace).await?;
        let Some(next) = redirect(&answer, &url, request.max_redirects)? else {
            answer.redirects = redirects;
            return Ok(answer);
        };
        if redirects == request.max_redirects {
            return Err(Broken::new(FailureKind::Redirect, format!("more than {redirects} redirects")));
        }
        redirects += 1;
        if turns_into_get(answer.status, &method) {
            method = Method::GET;
            body = Bytes::new();
            headers.remove(CONTENT_TYPE);
        }
        if next.origin() != url.origin() {
            // What was meant for one origin is not told another: neither headers (credentials, cookies, custom ones) nor a body,
            // which may hold a password or be an order. Left out quietly, or with a GET in its place, it would be another
            // check, green perhaps where the one that was asked for fails; so the redirect is the failure.
            if !body.is_empty() {
                let cause = "a redirect that would take the body to another origin (scheme, host or port): set the URL to where it leads";
                return Err(Broken::new(FailureKind::Redirect, cause));
            }
            headers.clear();
        }
        url = next;
    }
}

/// Where the answer sends us, if it does and we go there.
fn redirect(answer: &HttpAnswer, from: &Url, max_redirects: u8) -> Result<Option<Url>, Broken> {
    if max_redirects == 0 || !matches!(answer.status, 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let Some(location) = answer.headers.get(LOCATION) else { return Ok(None) };
    let refuse = |why: &str| Err(Broken::new(FailureKind::Redirect, format!("a redirect {why}")));
    let Some(next) = location.to_str().ok().and_then(|location| from.join(location).ok()) else { return refuse("to what is no URL") };
    match (from.scheme(), next.scheme()) {
        ("https", "http") => refuse("from https to http"),
        (_, "http" | "https") if next.username().is_empty() && next.password().is_none() => Ok(Some(next)),
        (_, "http" | "https") => refuse("to a URL with a user name or password"),
        _ => refuse("to another scheme than http or https"),
    }
}

/// As browsers do: 303 always, 301 and 302 for POST.
fn turns_into_get(status: u16, method: &Method) -> bool {
    match StatusCode::from_u16(status) {
        Ok(StatusCode::SEE_OTHER) => *method != Method::HEAD,
        Ok(StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND) => *method == Method::POST,
        _ => false,
    }
}

fn header_map(headers: &BTreeMap<String, String>) -> Result<HeaderMap, Broken> {
    let mut map = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        let unusable =
            || Broken::new(FailureKind::Internal, format!("the header {:?} cannot be sent", name.chars().take(80).collect::<String>()));
        let value = HeaderValue::from_str(value).map_err(|_| unusable())?;
        map.append(HeaderName::try_from(name).map_err(|_| unusable())?, value);
    }
    Ok(map)
}

/// The host of a URL without a copy.
pub(super) fn host_of(url: &Url) -> Result<Host<&str>, Broken> {
    url.host().ok_or_else(|| Broken::new(FailureKind::Internal, "this URL has no host"))
}
