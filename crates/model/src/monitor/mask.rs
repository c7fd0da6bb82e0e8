//! What of a monitor may be a secret, and the mask that everybody but its editors sees instead. Pure.
//!
//! The rule is simple rather than clever: all values of request headers, the body, what is sent over TCP, and of a URL all
//! that may hold a key. Names stay, so that people see what is sent without seeing what it is.

use serde_json::Value;
use url::Url;

use super::spec::{MonitorSpec, ProbeSpec};

/// Stands for a value that is not shown. No setting may hold it: a masked answer that is sent back must not take the
/// secret's place. Letters and underscores alone, so that it survives whatever encodes a URL.
pub const MASK: &str = "__masked__";

impl MonitorSpec {
    /// As those see it who may not change it.
    #[must_use]
    pub fn masked(&self) -> Self {
        Self { probe: self.probe.masked(), ..self.clone() }
    }
}

impl ProbeSpec {
    /// As those see it who may not change it.
    #[must_use]
    pub fn masked(&self) -> Self {
        let mut masked = self.clone();
        match &mut masked {
            Self::Http(http) => {
                http.url = masked_url(&http.url);
                http.headers.values_mut().chain(&mut http.body).for_each(hide);
            }
            Self::Tcp(tcp) => tcp.send.iter_mut().for_each(hide),
            Self::Icmp(_) => {}
        }
        masked
    }

    /// The target as everybody may see it: in messages, in lists, on pages.
    pub fn masked_target(&self) -> String {
        match self {
            Self::Http(http) => masked_url(&http.url),
            Self::Tcp(_) | Self::Icmp(_) => self.target(),
        }
    }

    /// What is sent to the target as a secret and may come back in its answer, whole and in its parts, the longest first.
    /// What is shorter would be found in any text.
    pub fn sent_secrets(&self) -> Vec<String> {
        const SHORTEST: usize = 6;
        let Self::Http(http) = self else { return Vec::new() };
        let mut sent = Vec::new();
        for value in http.headers.values() {
            sent.push(value.clone());
            // `Bearer key`, `a=key; b=key`
            for part in value.split([' ', ';', ',']) {
                let value = part.split_once('=').unwrap_or_default().1;
                // `token="key"`
                sent.extend([part, value, value.trim_matches('"')].map(str::to_owned));
            }
        }
        let url = Url::parse(&http.url).ok();
        let query = url.as_ref().and_then(Url::query).unwrap_or_default();
        let body = http.body.as_deref().unwrap_or_default();
        match serde_json::from_str(body) {
            Ok(json) => texts(json, &mut sent),
            Err(_) => sent.push(body.to_owned()),
        }
        for form in [query, body] {
            // As it is written, and as it is meant.
            sent.extend(form.split('&').map(|pair| valued(pair).to_owned()));
            sent.extend(
                url::form_urlencoded::parse(form.as_bytes())
                    .map(|(name, value)| (if value.is_empty() { name } else { value }).into_owned()),
            );
        }
        sent.retain(|secret| secret.len() >= SHORTEST);
        sent.sort_unstable_by_key(|secret| std::cmp::Reverse(secret.len()));
        sent.dedup();
        sent
    }
}

/// A JSON value as it is shown, without these secrets: searched before quotes and other characters are escaped.
pub fn json_without(value: &Value, secrets: &[String]) -> String {
    fn veil(value: &mut Value, secrets: &[String]) {
        match value {
            Value::String(text) => *text = without(text, secrets),
            Value::Array(values) => values.iter_mut().for_each(|value| veil(value, secrets)),
            Value::Object(fields) => {
                *fields = std::mem::take(fields)
                    .into_iter()
                    .map(|(name, mut value)| {
                        veil(&mut value, secrets);
                        (without(&name, secrets), value)
                    })
                    .collect();
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    let mut shown = value.clone();
    veil(&mut shown, secrets);
    without(&shown.to_string(), secrets)
}

/// A text without these secrets.
pub fn without(text: &str, secrets: &[String]) -> String {
    secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), MASK))
}

fn texts(json: Value, into: &mut Vec<String>) {
    match json {
        Value::String(text) => into.push(text),
        Value::Array(values) => values.into_iter().for_each(|value| texts(value, into)),
        Value::Object(fields) => fields.into_iter().for_each(|(_, value)| texts(value, into)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn hide(value: &mut String) {
    MASK.clone_into(value);
}

/// A URL without user information, values of parameters and fragment. Scheme, host, port, path and the names of parameters
/// stay; where there is nothing to mask, so does every character. What is no URL is masked as a whole.
pub fn masked_url(text: &str) -> String {
    // What is masked begins with one of these, or ends with it.
    if !text.contains(['@', '?', '#']) {
        return text.to_owned();
    }
    masked_parts(text).unwrap_or_else(|()| MASK.to_owned())
}

fn masked_parts(text: &str) -> Result<String, ()> {
    let mut url = Url::parse(text).map_err(|_| ())?;
    if url.cannot_be_a_base() {
        return Err(());
    }
    let user = !url.username().is_empty() || url.password().is_some();
    if !user && url.query().is_none() && url.fragment().is_none() {
        return Ok(text.to_owned());
    }
    if user {
        url.set_password(None)?;
        url.set_username(MASK)?;
    }
    if let Some(query) = url.query() {
        let masked: Vec<_> = query.split('&').map(masked_parameter).collect();
        url.set_query(Some(&masked.join("&")));
    }
    if url.fragment().is_some() {
        url.set_fragment(Some(MASK));
    }
    Ok(url.into())
}

/// Name and value of `name=value`. What has no value may be a key itself, padded with `=` perhaps.
fn named(pair: &str) -> Option<(&str, &str)> {
    pair.split_once('=').filter(|(name, value)| !name.is_empty() && !value.trim_matches('=').is_empty())
}

/// What of `name=value` may be a secret: the value, or all of what has none.
fn valued(pair: &str) -> &str {
    named(pair).map_or(pair.trim_matches('='), |(_, value)| value)
}

/// `name=value` keeps its name.
fn masked_parameter(parameter: &str) -> String {
    match named(parameter) {
        Some((name, _)) => format!("{name}={MASK}"),
        None if parameter.is_empty() => String::new(),
        None => MASK.to_owned(),
    }
}

/// Refuses settings that were copied from a masked answer.
pub(super) fn refuse(wrong: &mut dyn FnMut(&str, String), probe: &ProbeSpec) {
    let mut judge = |field: &str, what: &str, value: &str| {
        if value.contains(MASK) {
            wrong(field, format!("{what} holds {MASK}, which stands for a value you were not shown: send the value itself"));
        }
    };
    match probe {
        ProbeSpec::Http(http) => {
            judge("probe.url", "the URL", &http.url);
            for (name, value) in &http.headers {
                judge("probe.headers", name, value);
            }
            judge("probe.body", "the body", http.body.as_deref().unwrap_or_default());
        }
        ProbeSpec::Tcp(tcp) => judge("probe.send", "the text", tcp.send.as_deref().unwrap_or_default()),
        ProbeSpec::Icmp(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::validate;
    use super::*;

    #[test]
    fn a_url_shows_where_and_hides_with_what() {
        for (url, shown) in [
            ("https://shop.example.org", "https://shop.example.org"),
            ("https://shop.example.org/a@b", "https://shop.example.org/a@b"),
            ("https://h.example/p?token=s3cret&page=2", "https://h.example/p?token=__masked__&page=__masked__"),
            ("https://h.example/p?s3cret", "https://h.example/p?__masked__"),
            ("https://h.example/p?s3cret=", "https://h.example/p?__masked__"),
            ("https://h.example/p?s3cret==&=s3cret", "https://h.example/p?__masked__&__masked__"),
            ("https://h.example/p?a=1&&b=x=y", "https://h.example/p?a=__masked__&&b=__masked__"),
            ("https://h.example/p?#s3cret", "https://h.example/p?#__masked__"),
            ("https://anna:s3cret@h.example:8443/p", "https://__masked__@h.example:8443/p"),
            ("https://s3cret@h.example", "https://__masked__@h.example/"),
            ("https://:s3cret@h.example/", "https://__masked__@h.example/"),
            // As a browser reads it, all this is user information.
            ("https:\\\\anna:s3cret@h.example", "https://__masked__@h.example/"),
            ("https:anna:s3cret@h.example", "https://__masked__@h.example/"),
            // No URL, no host: nobody knows what is what.
            ("anna:s3cret@h.example", "__masked__"),
            ("://h?s3cret", "__masked__"),
        ] {
            assert_eq!(masked_url(url), shown, "{url}");
            assert_eq!(masked_url(shown), shown, "{url}: masked twice");
        }
    }

    proptest! {
        #[test]
        fn no_value_of_a_url_survives(user in "(u[0-9]{5}(:p[0-9]{5})?@)?", query in "(\\?[a-e]=v[0-9]{5}(&[a-e]=v[0-9]{5}){0,3})?", end in "(#f[0-9]{5})?") {
            let shown = masked_url(&format!("https://{user}h.example/path{query}{end}"));
            prop_assert!(!shown.contains(|c: char| c.is_ascii_digit()), "{shown}");
            prop_assert!(shown.contains("h.example/path"), "{shown}");
        }
    }

    #[test]
    fn settings_show_names_and_a_masked_answer_is_refused_by_field() {
        let fields = |probe: Value| {
            let spec: MonitorSpec = serde_json::from_value(json!({"name": "a", "probe": probe})).expect("a spec");
            assert_eq!(validate(&spec), []);
            let masked = spec.masked();
            assert!(!json!(masked).to_string().contains("s3cret"), "{masked:?}");
            assert_eq!(masked.masked(), masked);
            let fields: Vec<_> = validate(&masked).into_iter().map(|error| error.field).collect();
            (json!(masked.probe), fields)
        };
        let (http, refused) = fields(json!({"kind": "http", "url": "https://h.example/?key=s3cret", "method": "POST", "body": "s3cret",
            "headers": {"authorization": "Bearer s3cret", "accept": "text/html"}}));
        assert_eq!(http["headers"], json!({"authorization": MASK, "accept": MASK}));
        assert_eq!((&http["url"], &http["body"]), (&json!("https://h.example/?key=__masked__"), &json!(MASK)));
        assert_eq!(refused, ["probe.url", "probe.headers", "probe.headers", "probe.body"]);
        let (tcp, refused) = fields(json!({"kind": "tcp", "host": "db.example", "port": 6379, "send": "AUTH s3cret\r\n", "expect": "+OK"}));
        assert_eq!((&tcp["send"], &tcp["expect"]), (&json!(MASK), &json!("+OK")));
        assert_eq!(refused, ["probe.send"]);
        assert_eq!(fields(json!({"kind": "icmp", "host": "h.example"})).1, [""; 0]);
    }

    #[test]
    fn an_answer_repeats_no_secret_that_was_sent() {
        let sent = |probe: Value| serde_json::from_value::<ProbeSpec>(probe).expect("a probe").sent_secrets();
        let secrets = sent(json!({"kind": "http", "url": "https://h.example/?key=in%2Fquery&page=2", "method": "POST",
            "headers": {"authorization": "Bearer in-header", "cookie": "sid=in-cookie; a=b"}, "body": "{\"user\": {\"password\": \"in-body\"}, \"n\": 1}"}));
        for said in ["in-header", "Bearer in-header", "in-cookie", "in-body", "in/query", "in%2Fquery"] {
            let shown = without(&format!("unknown key {said:?} on page 2"), &secrets);
            assert_eq!(shown, "unknown key \"__masked__\" on page 2", "{secrets:?}");
        }
        let form = sent(json!({"kind": "http", "url": "https://h.example/", "method": "POST", "body": "user=anna&password=in%20form"}));
        assert_eq!(without("no in form, no in%20form, anna", &form), "no __masked__, no __masked__, anna");
        assert_eq!(sent(json!({"kind": "http", "url": "https://h.example/health"})), [""; 0]);
        let quoted = sent(json!({"kind": "http", "url": "https://h.example/?b%2Fre-key=", "method": "POST",
            "headers": {"authorization": "Token token=\"in-quotes\""}, "body": "{\"password\": \"p\\\"ass-1234\"}"}));
        assert_eq!(
            json_without(&json!({"e": ["p\"ass-1234", "in-quotes", "b/re-key"]}), &quoted),
            r#"{"e":["__masked__","__masked__","__masked__"]}"#
        );
    }
}
