//! The plan as a person likes to read it.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use model::MonitorSpec;

use super::plan::{Plan, Step};

/// Widest name that is padded; longer ones just run on.
const WIDEST: usize = 40;

/// The steps, then one line that counts them.
pub fn plan(plan: &Plan, colour: bool) -> String {
    let width = plan.steps.iter().map(|step| step.name().chars().count()).max().unwrap_or(0).min(WIDEST);
    let mut text = String::new();
    for step in &plan.steps {
        let (sign, style, what) = match step {
            Step::Create { spec } => ("+ create", AnsiColor::Green, summary(spec)),
            Step::Update { differences, .. } => {
                ("~ change", AnsiColor::Yellow, differences.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
            }
            Step::Delete { .. } => ("- delete", AnsiColor::Red, String::new()),
        };
        let style = if colour { Style::new().fg_color(Some(style.into())) } else { Style::new() };
        let name: String = step.name().chars().map(|c| if c.is_control() { '?' } else { c }).collect();
        let line = format!("  {style}{sign}{style:#}  {name:<width$}  {what}");
        let _ = writeln!(text, "{}", line.trim_end());
    }
    if !text.is_empty() {
        text.push('\n');
    }
    let created = plan.count(|step| matches!(step, Step::Create { .. }));
    let changed = plan.count(|step| matches!(step, Step::Update { .. }));
    let deleted = plan.count(|step| matches!(step, Step::Delete { .. }));
    if plan.is_empty() {
        let _ = write!(text, "Nothing to do: {} as they should be", monitors(plan.unchanged));
    } else {
        let _ = write!(text, "{created} to create, {changed} to change, {deleted} to delete, {} as they should be", plan.unchanged);
    }
    if plan.untouched > 0 {
        let _ = write!(text, "; {} not in the file left alone (--prune deletes)", monitors(plan.untouched));
    }
    text.push_str(".\n");
    text
}

fn summary(spec: &MonitorSpec) -> String {
    let regions: Vec<_> = spec.regions.iter().map(model::Region::as_str).collect();
    // What the mesh's own are, it knows.
    let from = if regions.is_empty() { String::new() } else { format!(" from {}", regions.join(", ")) };
    let paused = if spec.paused { ", paused" } else { "" };
    format!("{}  {}  every {}{from}{paused}", spec.probe.kind(), spec.probe.masked_target(), every(spec.interval_seconds))
}

fn every(seconds: u32) -> String {
    match seconds {
        s if s.is_multiple_of(3600) => format!("{} h", s / 3600),
        s if s.is_multiple_of(60) => format!("{} min", s / 60),
        s => format!("{s} s"),
    }
}

pub fn monitors(count: usize) -> String {
    if count == 1 { "1 monitor".to_owned() } else { format!("{count} monitors") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::apply::difference::Difference;

    #[test]
    fn reads_well_without_colour() {
        let spec = |name: &str, regions: &[&str]| -> MonitorSpec {
            let probe = json!({"kind": "http", "url": "https://a.b"});
            serde_json::from_value(json!({"name": name, "probe": probe, "interval_seconds": 30, "regions": regions})).expect("a spec")
        };
        let difference = Difference { field: "interval_seconds".to_owned(), values: Some(("60".to_owned(), "30".to_owned())) };
        let id = Uuid::nil().into();
        let shown = plan(
            &Plan {
                steps: vec![
                    Step::Create { spec: spec("Website", &["local"]) },
                    Step::Create { spec: spec("Shop", &[]) },
                    Step::Update { id, revision: 1, spec: spec("API", &["local"]), differences: vec![difference] },
                    Step::Delete { id, name: "Old".to_owned() },
                ],
                unchanged: 3,
                untouched: 0,
            },
            false,
        );
        let expected = "  + create  Website  http  https://a.b  every 30 s from local\n  + create  Shop     http  https://a.b  every 30 s\n  ~ change  API      interval_seconds: 60 → 30\n  - delete  Old\n\n2 to create, 1 to change, 1 to delete, 3 as they should be.\n";
        assert_eq!(shown, expected);
        let idle = Plan { unchanged: 2, untouched: 1, ..Plan::default() };
        assert_eq!(
            plan(&idle, false),
            "Nothing to do: 2 monitors as they should be; 1 monitor not in the file left alone (--prune deletes).\n"
        );
    }
}
