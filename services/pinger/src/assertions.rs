//! What must hold of an HTTP answer. Pure: compiled once per monitor, judged per check.

use http::HeaderMap;
use jsonpath_rust::parser::model::JpQuery;
use jsonpath_rust::query::js_path_process;
use model::monitor::{Expect, Severity, compile_json_path, compile_pattern, json_without, parse_statuses};
use model::{Assertion, Cause, Millis, MonitorSpec, Outcome};
use regex::bytes::{Regex, RegexBuilder};
use serde_json::Value;

/// How much of a body is read, in words.
const READ: &str = "1 MiB";
/// A day in milliseconds.
const DAY_MS: i64 = 86_400_000;

/// A monitor's assertions, ready to be judged.
#[derive(Debug, Default)]
pub struct Compiled {
    statuses: Option<Vec<(u16, u16)>>,
    body: Vec<BodyCheck>,
    headers: Vec<(String, String, bool)>,
    latency: Vec<(u32, Severity)>,
    certificate_days: Vec<(u32, Severity)>,
    /// What the target was sent and nobody is to read in a finding; there only where a finding repeats the answer.
    secrets: Vec<String>,
    /// An assertion that cannot be compiled: the users service refuses such, so it is from before it did, or our bug.
    broken: Option<String>,
}

#[derive(Debug)]
enum BodyCheck {
    Contains { text: String, absent: bool },
    Matches(Regex),
    Json { path: String, query: JpQuery, expect: Expect },
}

/// What an answer is judged by.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// Absent for checks that are not HTTP.
    pub http: Option<HttpEvidence<'a>>,
    pub latency_us: u32,
    pub certificate_expires_at: Option<Millis>,
    pub now_ms: Millis,
}

/// The answer's own part.
#[derive(Debug, Clone, Copy)]
pub struct HttpEvidence<'a> {
    pub status: u16,
    pub headers: &'a HeaderMap,
    pub body: &'a [u8],
    /// More body followed than was read.
    pub truncated: bool,
}

/// The worst of the assertions that do not hold, or of which nobody can say whether they do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Down or degraded; unknown where it is our own limit that keeps us from judging.
    pub outcome: Outcome,
    pub cause: Cause,
    pub detail: String,
}

impl Compiled {
    /// A monitor's own.
    pub fn of(spec: &MonitorSpec) -> Self {
        let compiled = Self::new(&spec.assertions);
        let repeats = compiled.body.iter().any(|check| matches!(check, BodyCheck::Json { .. }));
        Self { secrets: if repeats { spec.probe.sent_secrets() } else { Vec::new() }, ..compiled }
    }

    fn new(assertions: &[Assertion]) -> Self {
        let mut compiled = Self::default();
        for assertion in assertions {
            if let Err(why) = compiled.add(assertion) {
                compiled.broken = Some(why);
            }
        }
        compiled
    }

    fn add(&mut self, assertion: &Assertion) -> Result<(), String> {
        match assertion {
            Assertion::Status { is } => self.statuses.get_or_insert_default().extend(parse_statuses(is)?),
            Assertion::BodyContains { text, absent } => self.body.push(BodyCheck::Contains { text: text.clone(), absent: *absent }),
            Assertion::BodyMatches { pattern } => {
                compile_pattern(pattern).map_err(|error| error.to_string())?;
                // The same limits over bytes: a body need not be UTF-8.
                let regex = RegexBuilder::new(pattern).size_limit(1 << 20).dfa_size_limit(1 << 20).build();
                self.body.push(BodyCheck::Matches(regex.map_err(|error| error.to_string())?));
            }
            Assertion::Header { name, value, contains } => self.headers.push((name.clone(), value.clone(), *contains)),
            Assertion::JsonPath { path, expect } => {
                let query = compile_json_path(path)?;
                self.body.push(BodyCheck::Json { path: path.clone(), query, expect: expect.clone() });
            }
            Assertion::Latency { max_ms, severity } => self.latency.push((*max_ms, *severity)),
            Assertion::CertificateDays { min, severity } => self.certificate_days.push((*min, *severity)),
        }
        Ok(())
    }

    /// Whether the body must be kept to be judged.
    pub fn needs_body(&self) -> bool {
        !self.body.is_empty()
    }

    /// Why these assertions cannot be judged at all.
    pub fn broken(&self) -> Option<&str> {
        self.broken.as_deref()
    }

    /// The worst finding; none when everything holds. The first of equals is told.
    pub fn judge(&self, evidence: &Evidence<'_>) -> Option<Finding> {
        let down = |cause, detail| Some(Finding { outcome: Outcome::Down, cause, detail });
        let mut findings = Vec::new();
        if let Some(http) = &evidence.http {
            if let Some(detail) = self.status(http.status) {
                return down(Cause::Status, detail);
            }
            if let Some(detail) = self.headers.iter().find_map(|wanted| header(http.headers, wanted)) {
                return down(Cause::Assertion, detail);
            }
            findings = self.body_findings(http);
        }
        findings.extend(self.latency_findings(evidence).chain(self.certificate_findings(evidence)));
        // What can be said of the target counts over what cannot; nothing is called up of which something is not known.
        [Outcome::Down, Outcome::Unknown, Outcome::Degraded]
            .into_iter()
            .find_map(|outcome| findings.iter().position(|finding| finding.outcome == outcome))
            .map(|place| findings.swap_remove(place))
    }

    fn status(&self, status: u16) -> Option<String> {
        let holds = match &self.statuses {
            None => (200..300).contains(&status),
            Some(ranges) => ranges.iter().any(|(low, high)| (*low..=*high).contains(&status)),
        };
        (!holds).then(|| match http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()) {
            Some(reason) => format!("status {status} {reason}"),
            None => format!("status {status}"),
        })
    }

    fn body_findings(&self, http: &HttpEvidence<'_>) -> Vec<Finding> {
        let down = |detail| Some(Finding { outcome: Outcome::Down, cause: Cause::Assertion, detail });
        // Parsed once, and only where a path asks for it.
        let mut json: Option<Result<Value, Finding>> = None;
        let findings = self.body.iter().filter_map(|check| match check {
            BodyCheck::Contains { text, absent } => match (contains(http.body, text.as_bytes()), *absent) {
                (true, true) => down(format!("the body contains {:?}", clip(text))),
                // Nobody has looked at the rest, so nobody can say whether it is there.
                (false, _) if http.truncated => Some(unread(&format!(": beyond it may be {:?}", clip(text)))),
                (false, false) => down(format!("the body does not contain {:?}", clip(text))),
                (false, true) | (true, false) => None,
            },
            BodyCheck::Matches(regex) if regex.is_match(http.body) => None,
            BodyCheck::Matches(regex) if http.truncated => {
                Some(unread(&format!(": what is read of it does not match {:?}", clip(regex.as_str()))))
            }
            BodyCheck::Matches(regex) => down(format!("the body does not match {:?}", clip(regex.as_str()))),
            BodyCheck::Json { path, query, expect } => {
                let parsed = json.get_or_insert_with(|| {
                    serde_json::from_slice(http.body).map_err(|error| {
                        if http.truncated {
                            unread(", so it cannot be read as JSON")
                        } else {
                            Finding { outcome: Outcome::Down, cause: Cause::Assertion, detail: format!("the body is no JSON: {error}") }
                        }
                    })
                });
                match parsed {
                    Ok(value) => json_finding(value, path, query, expect, &self.secrets).and_then(down),
                    Err(finding) => Some(finding.clone()),
                }
            }
        });
        findings.collect()
    }

    fn latency_findings(&self, evidence: &Evidence<'_>) -> impl Iterator<Item = Finding> {
        let latency_us = u64::from(evidence.latency_us);
        self.latency.iter().filter(move |(max_ms, _)| latency_us > u64::from(*max_ms) * 1000).map(move |(max_ms, severity)| Finding {
            outcome: outcome(*severity),
            cause: Cause::Latency,
            detail: format!("took {} ms, more than {max_ms} ms", latency_us.div_ceil(1000)),
        })
    }

    fn certificate_findings(&self, evidence: &Evidence<'_>) -> impl Iterator<Item = Finding> {
        let left = evidence.certificate_expires_at.map(|at| (at - evidence.now_ms).div_euclid(DAY_MS));
        self.certificate_days.iter().filter_map(move |(min, severity)| {
            let (outcome, cause, detail) = match left {
                Some(left) if left >= i64::from(*min) => return None,
                Some(left) => {
                    (outcome(*severity), Cause::CertificateExpiry, format!("the certificate expires in {left} days, fewer than {min}"))
                }
                // Asked for of https:// URLs only: the target itself led to an answer without one, by a redirect, or shows one without
                // a date that can be read.
                None => {
                    let detail = "the last answer showed no certificate, or none with a date that can be read".to_owned();
                    (outcome(*severity), Cause::Assertion, detail)
                }
            };
            Some(Finding { outcome, cause, detail })
        })
    }
}

/// The body goes on where we stop reading.
fn unread(so: &str) -> Finding {
    Finding { outcome: Outcome::Unknown, cause: Cause::Assertion, detail: format!("the body is longer than the {READ} that is read{so}") }
}

fn outcome(severity: Severity) -> Outcome {
    match severity {
        Severity::Down => Outcome::Down,
        Severity::Degraded => Outcome::Degraded,
    }
}

fn header(headers: &HeaderMap, (name, value, contains): &(String, String, bool)) -> Option<String> {
    let mut given = headers.get_all(name).iter().filter_map(|given| given.to_str().ok()).peekable();
    if given.peek().is_none() {
        return Some(format!("the header {} is absent", clip(name)));
    }
    let holds = given.any(|given| if *contains { given.contains(value.as_str()) } else { given == value });
    (!holds).then(|| format!("the header {} {} {:?}", clip(name), if *contains { "does not contain" } else { "is not" }, clip(value)))
}

fn json_finding(value: &Value, path: &str, query: &JpQuery, expect: &Expect, secrets: &[String]) -> Option<String> {
    let found: Vec<&Value> =
        js_path_process(query, value).map(|found| found.into_iter().map(jsonpath_rust::query::QueryRef::val).collect()).unwrap_or_default();
    let Some(first) = found.first() else {
        return Some(format!("{} selects nothing", clip(path)));
    };
    let number =
        |compare: fn(f64, f64) -> bool, limit: f64| found.iter().any(|value| value.as_f64().is_some_and(|value| compare(value, limit)));
    let (holds, wanted) = match expect {
        Expect::Exists => (true, String::new()),
        Expect::Equals(wanted) => (found.iter().any(|value| equal(value, wanted)), format!("not {wanted}")),
        Expect::NotEquals(unwanted) => (!found.iter().any(|value| equal(value, unwanted)), format!("which is {unwanted}")),
        Expect::Above(limit) => (number(|value, limit| value > limit, *limit), format!("not above {limit}")),
        Expect::Below(limit) => (number(|value, limit| value < limit, *limit), format!("not below {limit}")),
    };
    (!holds).then(|| format!("{} is {}, {}", clip(path), clip(&json_without(first, secrets)), clip(&wanted)))
}

/// 1 and 1.0 are the same to people.
fn equal(a: &Value, b: &Value) -> bool {
    a == b || matches!((a.as_f64(), b.as_f64()), (Some(a), Some(b)) if (a - b).abs() < f64::EPSILON)
}

fn contains(body: &[u8], text: &[u8]) -> bool {
    text.is_empty() || body.windows(text.len()).any(|window| window == text)
}

/// Enough to recognise, short enough for a line.
fn clip(text: &str) -> String {
    const MOST: usize = 80;
    if text.chars().count() <= MOST { text.to_owned() } else { text.chars().take(MOST).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn judge(assertions: Value, status: u16, body: &str) -> Option<(Outcome, Cause, String)> {
        let assertions: Vec<Assertion> = serde_json::from_value(assertions).expect("assertions");
        let mut headers = HeaderMap::new();
        headers.insert("content-type", http::HeaderValue::from_static("text/html; charset=utf-8"));
        let http = HttpEvidence { status, headers: &headers, body: body.as_bytes(), truncated: false };
        let compiled = Compiled::new(&assertions);
        assert_eq!(compiled.broken(), None);
        let evidence = Evidence { http: Some(http), latency_us: 250_000, certificate_expires_at: Some(10 * DAY_MS), now_ms: 0 };
        compiled.judge(&evidence).map(|finding| (finding.outcome, finding.cause, finding.detail))
    }

    fn finds(assertions: Value, status: u16, body: &str) -> Option<(Outcome, Cause)> {
        judge(assertions, status, body).map(|(outcome, cause, _)| (outcome, cause))
    }

    #[test]
    fn without_a_status_assertion_2xx_is_up() {
        assert_eq!(finds(json!([]), 204, ""), None);
        assert_eq!(judge(json!([]), 503, ""), Some((Outcome::Down, Cause::Status, "status 503 Service Unavailable".to_owned())));
        assert_eq!(finds(json!([{"kind": "status", "is": "503, 3xx"}]), 503, ""), None);
        assert_eq!(finds(json!([{"kind": "status", "is": "503"}]), 200, ""), Some((Outcome::Down, Cause::Status)));
    }

    #[test]
    fn bodies_are_searched_matched_and_read_as_json() {
        let failed = Some((Outcome::Down, Cause::Assertion));
        assert_eq!(finds(json!([{"kind": "body_contains", "text": "ok"}]), 200, "all ok"), None);
        assert_eq!(finds(json!([{"kind": "body_contains", "text": "ok"}]), 200, "no"), failed);
        assert_eq!(finds(json!([{"kind": "body_contains", "text": "error", "absent": true}]), 200, "an error"), failed);
        assert_eq!(finds(json!([{"kind": "body_matches", "pattern": "v\\d+"}]), 200, "at v12"), None);
        assert_eq!(finds(json!([{"kind": "body_matches", "pattern": "^v\\d+$"}]), 200, "at v12"), failed);
        let path = |expect: Value| json!([{"kind": "json_path", "path": "$.db[0].lag", "expect": expect}]);
        let body = r#"{"db":[{"lag":3}]}"#;
        assert_eq!(finds(path(json!("exists")), 200, body), None);
        assert_eq!(finds(path(json!({"equals": 3.0})), 200, body), None);
        assert_eq!(finds(path(json!({"not_equals": 3})), 200, body), failed);
        assert_eq!(finds(path(json!({"below": 5.0})), 200, body), None);
        assert_eq!(finds(path(json!({"above": 5.0})), 200, body), failed);
        assert_eq!(finds(path(json!("exists")), 200, "{}"), failed);
        assert_eq!(finds(path(json!("exists")), 200, "<html>"), failed);
    }

    #[test]
    fn what_was_not_read_is_not_vouched_for() {
        let judged = |assertion: Value, truncated| {
            let compiled = Compiled::new(&serde_json::from_value::<Vec<Assertion>>(json!([assertion])).expect("assertions"));
            let http = HttpEvidence { status: 200, headers: &HeaderMap::new(), body: b"all well so far", truncated };
            let evidence = Evidence { http: Some(http), latency_us: 1, certificate_expires_at: None, now_ms: 0 };
            compiled.judge(&evidence).map(|finding| (finding.outcome, finding.detail))
        };
        let absent = json!({"kind": "body_contains", "text": "error", "absent": true});
        assert_eq!(judged(absent.clone(), false), None);
        let (outcome, detail) = judged(absent, true).expect("a finding");
        assert_eq!(outcome, Outcome::Unknown);
        assert_eq!(detail, "the body is longer than the 1 MiB that is read: beyond it may be \"error\"");
        let present = json!({"kind": "body_contains", "text": "the end"});
        let (outcome, detail) = judged(present, true).expect("a finding");
        assert_eq!(outcome, Outcome::Unknown, "our limit, not the target's fault");
        assert_eq!(detail, "the body is longer than the 1 MiB that is read: beyond it may be \"the end\"");
        let pattern = json!({"kind": "body_matches", "pattern": "end$"});
        assert_eq!(judged(pattern.clone(), true).map(|(outcome, _)| outcome), Some(Outcome::Unknown));
        assert_eq!(judged(pattern, false).map(|(outcome, _)| outcome), Some(Outcome::Down));
        assert_eq!(judged(json!({"kind": "body_contains", "text": "well"}), true), None);
        let path = json!({"kind": "json_path", "path": "$.a", "expect": "exists"});
        assert_eq!(judged(path.clone(), true).map(|(outcome, _)| outcome), Some(Outcome::Unknown));
        assert_eq!(judged(path, false).map(|(outcome, _)| outcome), Some(Outcome::Down));
    }

    #[test]
    fn an_https_url_whose_last_answer_shows_no_certificate_fails_as_severely_as_one_that_expires() {
        let judged = |severity: &str| {
            let assertions = json!([{"kind": "certificate_days", "min": 14, "severity": severity}]);
            let compiled = Compiled::new(&serde_json::from_value::<Vec<Assertion>>(assertions).expect("assertions"));
            let http = HttpEvidence { status: 200, headers: &HeaderMap::new(), body: b"", truncated: false };
            let evidence = Evidence { http: Some(http), latency_us: 1, certificate_expires_at: None, now_ms: 0 };
            compiled.judge(&evidence).map(|finding| (finding.outcome, finding.cause))
        };
        for (severity, outcome) in [("degraded", Outcome::Degraded), ("down", Outcome::Down)] {
            assert_eq!(judged(severity), Some((outcome, Cause::Assertion)));
        }
    }

    #[test]
    fn a_secret_that_comes_back_is_not_told() {
        let spec = json!({"name": "a", "probe": {"kind": "http", "url": "https://h.example/", "headers": {"authorization": "Bearer s3cret"}},
            "assertions": [{"kind": "json_path", "path": "$.error", "expect": {"equals": "none"}}]});
        let compiled = Compiled::of(&serde_json::from_value(spec).expect("a spec"));
        let http = HttpEvidence { status: 200, headers: &HeaderMap::new(), body: br#"{"error": "unknown key s3cret"}"#, truncated: false };
        let evidence = Evidence { http: Some(http), latency_us: 1, certificate_expires_at: None, now_ms: 0 };
        let told = compiled.judge(&evidence).map(|finding| finding.detail);
        assert_eq!(told.as_deref(), Some(r#"$.error is "unknown key __masked__", not "none""#));
    }

    #[test]
    fn headers_equal_or_contain() {
        let failed = Some((Outcome::Down, Cause::Assertion));
        assert_eq!(finds(json!([{"kind": "header", "name": "Content-Type", "value": "text/html", "contains": true}]), 200, ""), None);
        assert_eq!(finds(json!([{"kind": "header", "name": "Content-Type", "value": "text/html"}]), 200, ""), failed);
        assert_eq!(finds(json!([{"kind": "header", "name": "x-absent", "value": "1"}]), 200, ""), failed);
    }

    #[test]
    fn the_worst_finding_is_told() {
        let slow = json!({"kind": "latency", "max_ms": 200});
        let old = json!({"kind": "certificate_days", "min": 14, "severity": "down"});
        assert_eq!(finds(json!([slow]), 200, ""), Some((Outcome::Degraded, Cause::Latency)));
        assert_eq!(finds(json!([slow, old]), 200, ""), Some((Outcome::Down, Cause::CertificateExpiry)));
        assert_eq!(finds(json!([slow, old]), 500, ""), Some((Outcome::Down, Cause::Status)));
        assert_eq!(finds(json!([{"kind": "latency", "max_ms": 250}, {"kind": "certificate_days", "min": 10}]), 200, ""), None);
    }
}
