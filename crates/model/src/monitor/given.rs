//! A monitor's settings as they are given, and what stands for those that are not: the default of one depends on another.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

use super::spec::{AlertPolicy, Assertion, MonitorSpec, ProbeSpec};
use crate::ids::Region;

/// [`MonitorSpec`] as it is read. The name is for messages.
#[derive(Deserialize)]
#[serde(rename = "MonitorSpec", deny_unknown_fields)]
pub(super) struct Given {
    name: String,
    probe: ProbeSpec,
    #[serde(default = "interval")]
    interval_seconds: u32,
    #[serde(default, deserialize_with = "given")]
    timeout_ms: Option<u32>,
    #[serde(default)]
    regions: Vec<Region>,
    #[serde(default)]
    assertions: Vec<Assertion>,
    #[serde(default)]
    alert: AlertPolicy,
    #[serde(default)]
    paused: bool,
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

impl From<Given> for MonitorSpec {
    fn from(given: Given) -> Self {
        let Given { name, probe, interval_seconds, timeout_ms, regions, assertions, alert, paused, tags } = given;
        let timeout_ms = timeout_ms.unwrap_or_else(|| timeout_within(interval_seconds));
        Self { name, probe, interval_seconds, timeout_ms, regions, assertions, alert, paused, tags }
    }
}

/// Ten seconds, or as many whole ones as stay below the interval. What was given is never changed: a timeout that does not fit
/// is refused.
fn timeout_within(interval_seconds: u32) -> u32 {
    interval_seconds.saturating_sub(1).clamp(1, 10) * 1000
}

fn interval() -> u32 {
    60
}

/// A number: `null` is not "not given".
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    u32::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::validate;
    use super::*;

    fn read(more: &Value) -> Result<MonitorSpec, serde_json::Error> {
        let mut spec = json!({"name": "a", "probe": {"kind": "icmp", "host": "a.example"}});
        for (name, value) in more.as_object().into_iter().flatten() {
            spec[name] = value.clone();
        }
        serde_json::from_value(spec)
    }

    #[test]
    fn a_timeout_that_is_not_given_fits_the_interval() {
        for (more, timeout) in [
            (json!({}), 10_000),
            (json!({"interval_seconds": 10}), 9000),
            (json!({"interval_seconds": 11}), 10_000),
            (json!({"interval_seconds": 86_400}), 10_000),
        ] {
            let spec = read(&more).expect("a spec");
            assert_eq!((spec.timeout_ms, validate(&spec)), (timeout, vec![]), "{more}");
            // As it was stored: what was filled in has become a setting.
            let again: MonitorSpec = serde_json::from_value(json!(spec)).expect("a spec");
            assert_eq!(again, spec);
        }
    }

    #[test]
    fn a_timeout_that_is_given_stays_or_is_refused() {
        for timeout in [0, 100, 9999, 10_000, 60_000, u32::MAX] {
            let spec = read(&json!({"interval_seconds": 10, "timeout_ms": timeout})).expect("a spec");
            assert_eq!(spec.timeout_ms, timeout);
        }
        let refused = validate(&read(&json!({"interval_seconds": 10, "timeout_ms": 10_000})).expect("a spec"));
        assert_eq!(refused.len(), 1, "{refused:?}");
        assert!(refused[0].message.contains("lower the timeout or lengthen the interval"), "{refused:?}");
        assert!(read(&json!({"timeout_ms": null})).is_err());
    }
}
