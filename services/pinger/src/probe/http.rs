//! HTTP and HTTPS.

use std::time::Instant;

use ::http::Method;
use bytes::Bytes;
use egress::HttpRequest;
use model::monitor::{HttpMethod, HttpProbe};

use super::{Answer, Attempt, Prober, micros, phases};
use crate::assertions::{Compiled, HttpEvidence};

/// Of a body, this much is read; the rest is not waited for.
const READ_BODY: usize = 1024 * 1024;

pub(super) async fn attempt(prober: &Prober, probe: &HttpProbe, compiled: &Compiled, deadline: Instant) -> Attempt {
    let request = HttpRequest {
        url: &probe.url,
        method: method(probe.method),
        headers: &probe.headers,
        body: probe.body.as_ref().map_or_else(Bytes::new, |body| Bytes::copy_from_slice(body.as_bytes())),
        max_redirects: probe.max_redirects,
        verify_tls: probe.verify_tls,
        keep_body: if compiled.needs_body() { READ_BODY } else { 0 },
        read_body: READ_BODY,
    };
    let began = Instant::now();
    match prober.egress.http(&request, deadline).await {
        Err(failure) => failure.into(),
        Ok(answer) => prober.judged(
            compiled,
            &Answer {
                http: Some(HttpEvidence {
                    status: answer.status,
                    headers: &answer.headers,
                    body: &answer.body,
                    truncated: answer.truncated,
                }),
                latency_us: micros(began.elapsed()),
                phases: phases(answer.timings),
                certificate_expires_at: answer.certificate_expires_at,
            },
        ),
    }
}

fn method(method: HttpMethod) -> Method {
    match method {
        HttpMethod::Get => Method::GET,
        HttpMethod::Head => Method::HEAD,
        HttpMethod::Post => Method::POST,
        HttpMethod::Put => Method::PUT,
        HttpMethod::Patch => Method::PATCH,
        HttpMethod::Delete => Method::DELETE,
        HttpMethod::Options => Method::OPTIONS,
    }
}
