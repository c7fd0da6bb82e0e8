//! What a monitor's settings must satisfy. Pure: addresses are judged by the egress guard when dialled.

use std::collections::BTreeMap;

use jsonpath_rust::parser::model::JpQuery;
use url::Url;

use super::mask;
use super::spec::{AlertPolicy, Assertion, HttpMethod, HttpProbe, MonitorSpec, ProbeSpec};
use crate::error::FieldError;

/// Every mistake at once, so that a person mends them in one go. Empty means valid. Settings may name no region: the users
/// service fills in its own, and only then how many of them must agree can be judged.
pub fn validate(spec: &MonitorSpec) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut wrong = |field: &str, message: String| errors.push(FieldError::new(field, message));

    text(&mut wrong, "name", &spec.name, 200);
    range(&mut wrong, "interval_seconds", spec.interval_seconds, 10, 86_400);
    range(&mut wrong, "timeout_ms", spec.timeout_ms, 100, 60_000);
    if u64::from(spec.timeout_ms) >= u64::from(spec.interval_seconds) * 1000 {
        wrong(
            "timeout_ms",
            format!(
                "{} ms is not below the interval of {} s: lower the timeout or lengthen the interval",
                spec.timeout_ms, spec.interval_seconds
            ),
        );
    }
    if spec.regions.len() > 32 {
        wrong("regions", format!("{} are too many: at most 32", spec.regions.len()));
    }
    let mut regions = spec.regions.clone();
    regions.sort();
    regions.dedup();
    if regions.len() != spec.regions.len() {
        wrong("regions", "names a region twice".to_owned());
    }
    probe(&mut wrong, &spec.probe);
    mask::refuse(&mut wrong, &spec.probe);
    if spec.assertions.len() > 20 {
        wrong("assertions", format!("{} are too many: at most 20", spec.assertions.len()));
    }
    for (i, one) in spec.assertions.iter().enumerate() {
        assertion(&mut |field: &str, message| wrong(&format!("assertions[{i}].{field}"), message), one, &spec.probe);
    }
    policy(&mut wrong, &spec.alert, spec.regions.len());
    tags(&mut wrong, &spec.tags);
    errors
}

fn range(wrong: &mut dyn FnMut(&str, String), field: &str, value: u32, min: u32, max: u32) {
    if value < min || value > max {
        wrong(field, format!("{value} is out of range: use {min} to {max}"));
    }
}

fn text(wrong: &mut dyn FnMut(&str, String), field: &str, value: &str, max: usize) {
    if value.trim().is_empty() {
        wrong(field, "is empty".to_owned());
    } else if value.chars().count() > max {
        wrong(field, format!("is longer than {max} characters"));
    } else if value.chars().any(char::is_control) {
        wrong(field, "contains a control character".to_owned());
    }
}

fn probe(wrong: &mut dyn FnMut(&str, String), probe: &ProbeSpec) {
    match probe {
        ProbeSpec::Http(http) => http_probe(wrong, http),
        ProbeSpec::Tcp(tcp) => {
            host(wrong, &tcp.host);
            if tcp.port == 0 {
                wrong("probe.port", "0 is no port: use 1 to 65535".to_owned());
            }
            for (field, value) in [("probe.send", &tcp.send), ("probe.expect", &tcp.expect)] {
                if value.as_ref().is_some_and(|value| value.len() > 4096) {
                    wrong(field, "is longer than 4096 bytes".to_owned());
                }
            }
        }
        ProbeSpec::Icmp(icmp) => {
            host(wrong, &icmp.host);
            range(wrong, "probe.packets", u32::from(icmp.packets), 1, 10);
        }
    }
}

fn host(wrong: &mut dyn FnMut(&str, String), host: &str) {
    if host.len() > 253 || url::Host::parse(host).is_err() {
        wrong(
            "probe.host",
            format!("{:?} is no host name or address: use for example \"db.example.com\", \"192.0.2.7\" or \"[2001:db8::7]\"", clip(host)),
        );
    }
}

fn http_probe(wrong: &mut dyn FnMut(&str, String), http: &HttpProbe) {
    if http.url.len() > 2048 {
        wrong("probe.url", "is longer than 2048 characters".to_owned());
        return;
    }
    match Url::parse(&http.url) {
        Err(error) => {
            wrong("probe.url", format!("{:?} is no URL ({error}): use for example \"https://example.com/health\"", clip(&http.url)));
        }
        Ok(url) => {
            if !matches!(url.scheme(), "http" | "https") {
                wrong("probe.url", format!("scheme {:?} is not checked over HTTP: use http:// or https://", url.scheme()));
            } else if url.host().is_none() {
                wrong("probe.url", "has no host".to_owned());
            }
            if !url.username().is_empty() || url.password().is_some() {
                wrong("probe.url", "holds a user name or password: send an authorization header instead".to_owned());
            }
        }
    }
    if http.max_redirects > 10 {
        wrong("probe.max_redirects", format!("{} is out of range: use 0 to 10", http.max_redirects));
    }
    if http.body.as_ref().is_some_and(|body| body.len() > 65_536) {
        wrong("probe.body", "is longer than 64 KiB".to_owned());
    }
    if http.headers.len() > 50 {
        wrong("probe.headers", "are more than 50".to_owned());
    }
    for (name, value) in &http.headers {
        header(wrong, name, value);
    }
}

fn header(wrong: &mut dyn FnMut(&str, String), name: &str, value: &str) {
    const OURS: [&str; 7] = ["host", "content-length", "connection", "transfer-encoding", "upgrade", "te", "trailer"];
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if name.is_empty() || name.len() > 200 || !name.chars().all(token) {
        wrong("probe.headers", format!("{:?} is no header name", clip(name)));
    } else if OURS.contains(&name.to_ascii_lowercase().as_str()) {
        wrong("probe.headers", format!("{name} is set by Upmesh: leave it out"));
    }
    if value.len() > 8192 || value.chars().any(|c| c.is_control() && c != '\t') {
        wrong("probe.headers", format!("the value of {} is too long or holds a control character", clip(name)));
    }
}

fn assertion(wrong: &mut dyn FnMut(&str, String), assertion: &Assertion, probe: &ProbeSpec) {
    if let Some(why) = never_shown(assertion, probe) {
        wrong("kind", why);
    }
    match assertion {
        Assertion::Status { is } => {
            if let Err(message) = parse_statuses(is) {
                wrong("is", message);
            }
        }
        Assertion::BodyContains { text: value, .. } => {
            if value.is_empty() || value.len() > 4096 {
                wrong("text", "must have 1 to 4096 bytes".to_owned());
            }
        }
        Assertion::BodyMatches { pattern } => {
            if pattern.is_empty() || pattern.len() > 1024 {
                wrong("pattern", "must have 1 to 1024 bytes".to_owned());
            } else if let Err(error) = compile_pattern(pattern) {
                wrong("pattern", format!("is no regular expression: {error}"));
            }
        }
        Assertion::Header { name, value, .. } => header(wrong, name, value),
        Assertion::JsonPath { path, .. } => {
            if let Err(message) = compile_json_path(path) {
                wrong("path", message);
            }
        }
        Assertion::Latency { max_ms, .. } => range(wrong, "max_ms", *max_ms, 1, 60_000),
        Assertion::CertificateDays { min, .. } => range(wrong, "min", *min, 1, 825),
    }
}

/// Why no answer to this probe can ever show what is asserted: it would be down for ever, or green whatever comes.
fn never_shown(assertion: &Assertion, probe: &ProbeSpec) -> Option<String> {
    let http = match probe {
        ProbeSpec::Http(http) => http,
        _ if matches!(assertion, Assertion::Latency { .. }) => return None,
        _ => return Some(format!("cannot be asserted of a {} check: only latency can", probe.kind())),
    };
    match assertion {
        Assertion::BodyContains { .. } | Assertion::BodyMatches { .. } | Assertion::JsonPath { .. } if http.method == HttpMethod::Head => {
            Some("cannot be asserted of an answer to HEAD, which has no body: use the method GET".to_owned())
        }
        // Also where it redirects to https: what is shown then hangs on a redirect that somebody may take away.
        Assertion::CertificateDays { .. } if Url::parse(&http.url).is_ok_and(|url| url.scheme() == "http") => {
            Some("cannot be asserted of an http:// URL, which shows no certificate: set the URL to https://".to_owned())
        }
        _ => None,
    }
}

/// The one way a user's path becomes a query.
pub fn compile_json_path(path: &str) -> Result<JpQuery, String> {
    if !path.starts_with('$') || path.len() > 512 {
        return Err("must start with $ and have at most 512 characters, for example \"$.status\"".to_owned());
    }
    // Before it is parsed, which takes as long.
    if is_costly(path) {
        return Err("may nest brackets at most four deep and have at most one \"..\"".to_owned());
    }
    // The parser's own words are of its grammar's rules, over several lines.
    jsonpath_rust::parser::parse_json_path(path)
        .map_err(|_| format!("{:?} is no JSON path (RFC 9535): use for example \"$.status\" or \"$.items[0].state\"", clip(path)))
}

/// Whether a JSON path could take for ever to read or to follow: the time grows exponentially with what is nested in it, and
/// by a power with each `..`.
fn is_costly(path: &str) -> bool {
    let (mut depth, mut deepest) = (0_usize, 0);
    for c in path.chars() {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest > 4 || path.matches("..").count() > 1
}

/// The one way a user's pattern becomes a regular expression: linear time, bounded memory.
pub fn compile_pattern(pattern: &str) -> Result<regex::Regex, regex::Error> {
    regex::RegexBuilder::new(pattern).size_limit(1 << 20).dfa_size_limit(1 << 20).build()
}

/// `200`, `2xx`, `200-299`, separated by commas, as inclusive ranges.
pub fn parse_statuses(text: &str) -> Result<Vec<(u16, u16)>, String> {
    let one = |part: &str| -> Option<(u16, u16)> {
        let status = |text: &str| text.parse::<u16>().ok().filter(|status| (100..=599).contains(status));
        if let Some(class) = part.strip_suffix("xx").filter(|class| class.len() == 1) {
            let class = class.parse::<u16>().ok().filter(|class| (1..=5).contains(class))?;
            return Some((class * 100, class * 100 + 99));
        }
        match part.split_once('-') {
            Some((low, high)) => Some((status(low.trim())?, status(high.trim())?)).filter(|(low, high)| low <= high),
            None => status(part).map(|status| (status, status)),
        }
    };
    if text.len() > 200 {
        return Err("is longer than 200 characters".to_owned());
    }
    text.split(',')
        .map(str::trim)
        .map(|part| one(part).ok_or_else(|| format!("{:?} is no status: use for example \"200\", \"2xx\" or \"200-204,301\"", clip(part))))
        .collect()
}

fn policy(wrong: &mut dyn FnMut(&str, String), policy: &AlertPolicy, regions: usize) {
    range(wrong, "alert.failures_to_open", u32::from(policy.failures_to_open), 1, 20);
    range(wrong, "alert.successes_to_close", u32::from(policy.successes_to_close), 1, 20);
    if let Some(down) = policy.regions_down
        && (down == 0 || (regions > 0 && usize::from(down) > regions))
    {
        wrong("alert.regions_down", format!("{down} is out of range: the monitor has {regions} region(s)"));
    }
    if policy.channels.len() > 20 {
        wrong("alert.channels", "are more than 20".to_owned());
    }
}

fn tags(wrong: &mut dyn FnMut(&str, String), tags: &BTreeMap<String, String>) {
    if tags.len() > 20 {
        wrong("tags", "are more than 20".to_owned());
    }
    for (name, value) in tags {
        text(wrong, "tags", name, 60);
        if value.chars().count() > 200 || value.chars().any(char::is_control) {
            wrong("tags", format!("the value of {} is longer than 200 characters or holds a control character", clip(name)));
        }
    }
}

/// Enough of a bad value to recognise it, not enough to flood a log.
fn clip(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(value: serde_json::Value) -> Vec<String> {
        let spec: MonitorSpec = serde_json::from_value(value).expect("a spec");
        validate(&spec).into_iter().map(|error| error.field).collect()
    }

    #[test]
    fn a_json_path_that_would_take_for_ever_is_refused() {
        let path = |path: &str| {
            fields(json!({
                "name": "a",
                "probe": {"kind": "http", "url": "http://a.b"},
                "assertions": [{"kind": "json_path", "path": path, "expect": {"equals": "ok"}}],
            }))
        };
        for fine in ["$.status", "$.items[0].state", "$..book[?(@.price < 10)].title", "$[?length(@.a[0]) > 1]"] {
            assert!(path(fine).is_empty(), "{fine}");
        }
        for costly in [format!("$[?{}#", "length(".repeat(40)), "$..*..*".to_owned()] {
            assert_eq!(path(&costly), ["assertions[0].path"], "{costly}");
        }
    }

    #[test]
    fn a_json_path_that_cannot_be_read_is_refused() {
        for wrong in ["$.", "$.a[", "$[?(@.a == )]", "$.items[0", "$['a'", "$..", "$.a..", "$]"] {
            let named = fields(json!({
                "name": "a",
                "probe": {"kind": "http", "url": "http://a.b"},
                "assertions": [{"kind": "latency", "max_ms": 1}, {"kind": "json_path", "path": wrong, "expect": "exists"}],
            }));
            assert_eq!(named, ["assertions[1].path"], "{wrong}");
        }
    }

    #[test]
    fn what_an_answer_can_never_show_is_refused() {
        let kind = |method: &str, url: &str, assertion: &serde_json::Value| {
            fields(json!({"name": "a", "probe": {"kind": "http", "url": url, "method": method}, "assertions": [assertion]}))
        };
        let certificate = json!({"kind": "certificate_days", "min": 14});
        assert_eq!(kind("GET", "http://a.b", &certificate), ["assertions[0].kind"]);
        assert!(kind("GET", "https://a.b", &certificate).is_empty());
        assert!(kind("HEAD", "https://a.b", &certificate).is_empty());
        for body in [
            json!({"kind": "body_contains", "text": "ok"}),
            json!({"kind": "body_contains", "text": "error", "absent": true}),
            json!({"kind": "body_matches", "pattern": "ok"}),
            json!({"kind": "json_path", "path": "$.a", "expect": "exists"}),
        ] {
            assert_eq!(kind("HEAD", "https://a.b", &body), ["assertions[0].kind"], "{body}");
            assert!(kind("OPTIONS", "https://a.b", &body).is_empty(), "{body}");
        }
        assert!(kind("HEAD", "http://a.b", &json!({"kind": "header", "name": "x", "value": "1"})).is_empty());
    }

    #[test]
    fn the_smallest_spec_is_valid() {
        assert!(fields(json!({"name": "a", "probe": {"kind": "http", "url": "https://example.com"}})).is_empty());
    }

    #[test]
    fn each_mistake_names_its_field() {
        let http = |url: &str| json!({"kind": "http", "url": url});
        assert_eq!(fields(json!({"name": " ", "probe": http("https://example.com")})), ["name"]);
        assert_eq!(fields(json!({"name": "a", "probe": http("ftp://example.com")})), ["probe.url"]);
        assert_eq!(fields(json!({"name": "a", "probe": http("http://u:p@example.com")})), ["probe.url"]);
        assert_eq!(fields(json!({"name": "a", "probe": http("nonsense")})), ["probe.url"]);
        assert_eq!(
            fields(json!({"name": "a", "interval_seconds": 5, "timeout_ms": 1000, "probe": http("http://a.b")})),
            ["interval_seconds"]
        );
        assert_eq!(fields(json!({"name": "a", "interval_seconds": 10, "timeout_ms": 10000, "probe": http("http://a.b")})), ["timeout_ms"]);
        let many: Vec<String> = (0..33).map(|n| format!("r{n}")).collect();
        assert_eq!(fields(json!({"name": "a", "regions": many, "probe": http("http://a.b")})), ["regions"]);
        assert_eq!(fields(json!({"name": "a", "regions": ["eu", "eu"], "probe": http("http://a.b")})), ["regions"]);
        assert!(fields(json!({"name": "a", "regions": [], "probe": http("http://a.b")})).is_empty());
        assert_eq!(fields(json!({"name": "a", "probe": {"kind": "tcp", "host": "a b", "port": 1}})), ["probe.host"]);
        assert_eq!(
            fields(json!({"name": "a", "probe": http("http://a.b"), "assertions": [{"kind": "body_matches", "pattern": "("}]})),
            ["assertions[0].pattern"]
        );
        assert_eq!(
            fields(json!({"name": "a", "probe": http("http://a.b"), "assertions": [{"kind": "status", "is": "2xx,600"}]})),
            ["assertions[0].is"]
        );
        assert_eq!(
            fields(json!({"name": "a", "probe": {"kind": "icmp", "host": "a.b"}, "assertions": [{"kind": "status", "is": "200"}]})),
            ["assertions[0].kind"]
        );
        let quorum = |regions: &[&str], down: u8| {
            fields(json!({"name": "a", "probe": http("http://a.b"), "regions": regions, "alert": {"regions_down": down}}))
        };
        assert_eq!(quorum(&["eu"], 2), ["alert.regions_down"]);
        assert_eq!(quorum(&[], 0), ["alert.regions_down"]);
        assert!(quorum(&[], 2).is_empty(), "it depends on the regions that users fills in");
    }

    #[test]
    fn unknown_fields_are_refused() {
        let error = serde_json::from_value::<MonitorSpec>(json!({"name": "a", "probe": {"kind": "icmp", "host": "a.b"}, "intervall": 3}))
            .expect_err("unknown field");
        assert!(error.to_string().contains("intervall"), "{error}");
    }

    #[test]
    fn statuses_read_as_people_write_them() {
        assert_eq!(parse_statuses("200, 2xx,300-302"), Ok(vec![(200, 200), (200, 299), (300, 302)]));
        assert!(parse_statuses("").is_err());
    }
}
