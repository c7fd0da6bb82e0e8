//! Reads a file of monitors. Every mistake names file, item and field, and all are shown at once.

use std::collections::HashMap;
use std::path::Path;

use model::MonitorSpec;
use serde_json::Value;
use service::Error;

/// A file of 100,000 monitors has some 30 MB.
const MAX_BYTES: u64 = 64 << 20;
/// Mistakes shown; a file with more has one cause.
const SHOWN: usize = 50;

/// The monitors of a file, each valid, no name twice.
pub fn read(path: &Path) -> Result<Vec<MonitorSpec>, Error> {
    let name = path.display().to_string();
    let failed = |error: &dyn std::fmt::Display| Error::msg(format!("{name}: {error}"));
    let size = std::fs::metadata(path).map_err(|error| failed(&error))?.len();
    if size > MAX_BYTES {
        return Err(failed(&"is larger than 64 MiB"));
    }
    let text = std::fs::read_to_string(path).map_err(|error| failed(&error))?;
    parse(&name, &text)
}

/// `name` is the file, for the messages.
pub fn parse(name: &str, text: &str) -> Result<Vec<MonitorSpec>, Error> {
    let whole = |problem: String| Error::msg(format!("{name}: {problem}"));
    // Read as YAML first: it refuses a key that is there twice, which JSON's reader would let pass.
    // The library's message ends with line and column.
    let yaml: serde_norway::Value = serde_norway::from_str(text).map_err(|error| whole(format!("is no valid YAML: {error}")))?;
    let value = serde_json::to_value(yaml).map_err(|error| whole(format!("holds what no monitor can have: {error}")))?;
    let Value::Object(mut fields) = value else {
        return Err(whole("must begin with `monitors:` and a list beneath it".to_owned()));
    };
    let Some(monitors) = fields.remove("monitors") else {
        return Err(whole("has no `monitors:` (a list) at its top".to_owned()));
    };
    if let Some(other) = fields.keys().next() {
        return Err(whole(format!("holds `{other}:`, which is not known: only `monitors:` is")));
    }
    let items = match monitors {
        Value::Array(items) => items,
        Value::Null => Vec::new(),
        _ => return Err(whole("`monitors:` is no list: begin each monitor with `- name:`".to_owned())),
    };

    let (mut specs, mut mistakes) = (Vec::with_capacity(items.len()), Vec::new());
    let mut names: HashMap<String, usize> = HashMap::new();
    for (index, item) in items.into_iter().enumerate() {
        let label = label(index, &item);
        match serde_path_to_error::deserialize::<_, MonitorSpec>(item) {
            Err(error) => {
                let path = error.path().to_string();
                let field = if path == "." { String::new() } else { format!("{path}: ") };
                mistakes.push(format!("{label}: {field}{}", error.inner()));
            }
            Ok(spec) => {
                mistakes.extend(
                    model::monitor::validate(&spec).into_iter().map(|error| format!("{label}: {}: {}", error.field, error.message)),
                );
                if let Some(first) = names.insert(spec.name.clone(), index) {
                    mistakes.push(format!("{label}: name: monitors[{first}] has the same name"));
                }
                specs.push(spec);
            }
        }
    }
    if mistakes.is_empty() {
        return Ok(specs);
    }
    let (count, more) = (mistakes.len(), mistakes.len().saturating_sub(SHOWN));
    mistakes.truncate(SHOWN);
    if more > 0 {
        mistakes.push(format!("… and {more} more"));
    }
    let plural = if count == 1 { "mistake" } else { "mistakes" };
    Err(whole(format!("{count} {plural}, nothing was changed\n  {}", mistakes.join("\n  "))))
}

/// `monitors[2] ("API")`: people look for the name, programs for the index.
fn label(index: usize, item: &Value) -> String {
    match item.get("name").and_then(Value::as_str) {
        Some(name) => format!("monitors[{index}] ({:?})", name.chars().take(60).collect::<String>()),
        None => format!("monitors[{index}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistake(text: &str) -> String {
        parse("m.yaml", text).expect_err("a mistake").to_string()
    }

    #[test]
    fn the_example_of_the_repository_is_valid() {
        let text = include_str!("../../../examples/monitors.yaml");
        let specs = parse("examples/monitors.yaml", text).expect("the example");
        assert!(specs.len() >= 4);
        let kinds: std::collections::BTreeSet<_> = specs.iter().map(|spec| spec.probe.kind()).collect();
        assert_eq!(kinds.into_iter().collect::<Vec<_>>(), ["http", "icmp", "tcp"]);
    }

    #[test]
    fn json_is_yaml_too_and_an_empty_list_is_a_list() {
        let text = r#"{"monitors": [{"name": "a", "probe": {"kind": "tcp", "host": "db", "port": 5432}}]}"#;
        assert_eq!(parse("m.json", text).expect("JSON").len(), 1);
        assert!(parse("m.yaml", "monitors: []").expect("an empty list").is_empty());
        assert!(parse("m.yaml", "monitors:\n").expect("nothing beneath").is_empty());
    }

    #[test]
    fn each_mistake_names_file_item_and_field() {
        let cases: [(&str, &[&str]); 12] = [
            ("", &["m.yaml", "monitors:"]),
            ("- a", &["must begin with `monitors:`"]),
            ("name: a", &["has no `monitors:`"]),
            ("monitors: 3", &["is no list"]),
            ("monitors: []\nmonitor: []", &["`monitor:`", "not known"]),
            ("monitors: [\n", &["m.yaml", "no valid YAML", "line 2"]),
            ("monitors:\n- {name: a, name: b}", &["no valid YAML", "duplicate"]),
            ("monitors:\n- just text", &["monitors[0]"]),
            ("monitors:\n- {name: a}", &["monitors[0] (\"a\")", "probe"]),
            ("monitors:\n- {name: a, colour: red, probe: {kind: icmp, host: h}}", &["monitors[0]", "colour"]),
            ("monitors:\n- {name: a, probe: {kind: icmp, host: h}, interval_seconds: often}", &["interval_seconds", "often"]),
            ("monitors:\n- {name: a, probe: {kind: gopher, host: h}}", &["probe", "gopher"]),
        ];
        for (text, expected) in cases {
            let shown = mistake(text);
            for part in expected {
                assert!(shown.contains(part), "{text:?} should say {part:?}: {shown}");
            }
        }
    }

    #[test]
    fn all_mistakes_are_shown_at_once() {
        let shown = mistake(
            "monitors:\n- {name: a, interval_seconds: 3, timeout_ms: 1000, probe: {kind: http, url: 'ftp://x'}}\n- {name: b}\n- {name: a, probe: {kind: icmp, host: h}}",
        );
        for part in ["4 mistakes", "interval_seconds: 3", "probe.url", "monitors[1] (\"b\")", "monitors[0] has the same name"] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
    }
}
