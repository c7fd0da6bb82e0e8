//! How two versions of a monitor's settings differ, field by field, without showing a secret.

use std::fmt;

use model::monitor::masked_url;
use serde_json::Value;

/// One field that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    pub field: String,
    /// Before and after, as people read it; `None` where the values may be secret.
    pub values: Option<(String, String)>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.values {
            Some((before, after)) => write!(f, "{}: {before} → {after}", self.field),
            None => write!(f, "{}: changed", self.field),
        }
    }
}

/// Headers carry tokens, bodies and what is sent over TCP may.
const SECRET: [&str; 3] = ["probe.headers", "probe.body", "probe.send"];
/// Longest value shown.
const SHOWN: usize = 60;

/// The fields that differ, in the order of their names.
pub fn differences(before: &Value, after: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    compare("", before, after, &mut found);
    found
}

fn compare(path: &str, before: &Value, after: &Value, found: &mut Vec<Difference>) {
    if before == after {
        return;
    }
    if SECRET.contains(&path) {
        found.push(Difference { field: path.to_owned(), values: None });
        return;
    }
    if let (Value::Object(left), Value::Object(right)) = (before, after) {
        let mut names: Vec<_> = left.keys().chain(right.keys().filter(|name| !left.contains_key(*name))).collect();
        names.sort_unstable();
        for name in names {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            compare(&path, left.get(name).unwrap_or(&Value::Null), right.get(name).unwrap_or(&Value::Null), found);
        }
        return;
    }
    // A URL shows where it leads; two that differ in a key alone are only said to differ.
    let shown = |value: &Value| match value {
        Value::String(url) if path == "probe.url" => text(&masked_url(url).into()),
        other => text(other),
    };
    let values = Some((shown(before), shown(after))).filter(|(before, after)| before != after);
    found.push(Difference { field: path.to_owned(), values });
}

fn text(value: &Value) -> String {
    let full = match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if full.chars().count() <= SHOWN { full } else { full.chars().take(SHOWN - 1).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_the_fields_and_hides_what_may_be_secret() {
        let before = json!({"a": 1, "probe": {"url": "x", "headers": {"authorization": "s3cret"}}, "tags": {}});
        let after = json!({"a": 1, "probe": {"url": "y", "headers": {"authorization": "other"}, "body": "token"}, "tags": {"team": "web"}});
        let shown: Vec<_> = differences(&before, &after).iter().map(ToString::to_string).collect();
        let keyed = |key: &str| json!({"probe": {"url": format!("https://h.example/?key={key}")}});
        assert_eq!(differences(&keyed("s3cret"), &keyed("other"))[0].to_string(), "probe.url: changed");
        assert_eq!(shown, ["probe.body: changed", "probe.headers: changed", "probe.url: x → y", "tags.team: none → web"]);
    }
}
