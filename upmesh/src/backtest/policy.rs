//! The policy to be tested, from a file.

use std::collections::HashMap;
use std::path::Path;

use model::monitor::AlertPolicy;
use model::{Monitor, MonitorId};
use serde_json::Value;
use service::Error;

/// A policy has a handful of lines.
const MAX_BYTES: u64 = 1 << 20;

/// Reads and judges the file.
pub fn read(path: &Path) -> Result<AlertPolicy, Error> {
    let name = path.display().to_string();
    let failed = |error: &dyn std::fmt::Display| Error::msg(format!("{name}: {error}"));
    if std::fs::metadata(path).map_err(|error| failed(&error))?.len() > MAX_BYTES {
        return Err(failed(&"is larger than 1 MiB; a policy is a few lines"));
    }
    parse(&name, &std::fs::read_to_string(path).map_err(|error| failed(&error))?)
}

/// The fields themselves, or beneath `alert:` as in a file of monitors.
fn parse(name: &str, text: &str) -> Result<AlertPolicy, Error> {
    let failed = |problem: String| Error::msg(format!("{name}: {problem}"));
    let yaml: serde_norway::Value = serde_norway::from_str(text).map_err(|error| failed(format!("is no valid YAML: {error}")))?;
    let mut value = serde_json::to_value(yaml).map_err(|error| failed(format!("holds what no policy can have: {error}")))?;
    if let Value::Object(fields) = &mut value
        && let Some(alert) = fields.remove("alert")
    {
        if let Some(other) = fields.keys().next() {
            return Err(failed(format!("holds `{other}:` beside `alert:`; only `alert:` is read")));
        }
        value = alert;
    }
    if value.as_object().is_none_or(serde_json::Map::is_empty) {
        return Err(failed("names no field; write for example `failures_to_open: 3`".to_owned()));
    }
    serde_path_to_error::deserialize(value).map_err(|error| failed(format!("{}: {}", error.path(), error.inner())))
}

/// Whether every monitor could have this policy, by the rules that hold for monitors.
pub fn fits(policy: &AlertPolicy, monitors: &HashMap<MonitorId, Monitor>) -> Result<(), Error> {
    let mut wrong = Vec::new();
    for monitor in monitors.values() {
        let mut spec = monitor.spec.clone();
        spec.alert = policy.clone();
        for error in model::monitor::validate(&spec).into_iter().filter(|error| error.field.starts_with("alert")) {
            // The range of a number is wrong for all of them; the number of regions for some.
            let whose = if error.field.ends_with("regions_down") { format!(" (monitor {:?})", spec.name) } else { String::new() };
            wrong.push(format!("{}: {}{whose}", error.field, error.message));
        }
    }
    wrong.sort();
    wrong.dedup();
    wrong.truncate(10);
    if wrong.is_empty() { Ok(()) } else { Err(Error::msg(format!("the policy fits not: {}", wrong.join("; ")))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_read_bare_or_beneath_alert_and_mistakes_are_named() {
        assert_eq!(parse("p.yaml", "failures_to_open: 5").expect("bare").failures_to_open, 5);
        let beneath = parse("p.yaml", "alert:\n  successes_to_close: 4\n  regions_down: 2\n").expect("beneath");
        assert_eq!((beneath.successes_to_close, beneath.regions_down, beneath.failures_to_open), (4, Some(2), 2));
        for (text, part) in [
            ("", "names no field"),
            ("alert:", "names no field"),
            ("- 3", "names no field"),
            ("failures: 3", "failures"),
            ("failures_to_open: often", "failures_to_open"),
            ("failures_to_open: 300", "failures_to_open"),
            ("alert: {failures_to_open: 3}\nname: x", "`name:` beside `alert:`"),
            ("a: [", "no valid YAML"),
        ] {
            let error = parse("p.yaml", text).expect_err(text).to_string();
            assert!(error.starts_with("p.yaml: ") && error.contains(part), "{text:?}: {error}");
        }
    }
}
