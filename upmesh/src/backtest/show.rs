//! A backtest for people and for programs.

use std::fmt::Write as _;

use comfy_table::presets::NOTHING;
use comfy_table::{Cell, ContentArrangement, Table};
use indicatif::HumanCount;
use model::Millis;
use model::monitor::AlertPolicy;
use serde_json::{Value, json};
use store::incidents::PastIncident;

use super::log::Read;
use super::outcome::{Outcome, Pair, Verdict, median};
use super::{seconds, when};

pub struct Test<'a> {
    pub policy: &'a AlertPolicy,
    /// The beginning that was asked for.
    pub asked: Millis,
    pub from: Millis,
    pub to: Millis,
    pub read: &'a Read,
    pub outcome: &'a Outcome,
}

pub fn text(test: &Test<'_>) -> String {
    let (outcome, read) = (test.outcome, test.read);
    let mut page = String::new();
    if test.from > test.asked {
        let _ = writeln!(page, "the log begins at {}: nothing before can be tested", when::show(test.from));
    }
    let _ = writeln!(page, "{} … {}: {} results folded", when::show(test.from), when::show(test.to), HumanCount(read.results));
    if read.unreadable > 0 {
        let _ = writeln!(page, "{} records cannot be read and were left out", HumanCount(read.unreadable));
    }
    if !outcome.pairs.is_empty() || !outcome.missing.is_empty() {
        let _ = writeln!(page, "\n{}\n", table(test));
    }
    let _ = writeln!(
        page,
        "this policy: {} (as it was: {}): {} the same, {} otherwise, {} new; {} would not have opened",
        incidents(outcome.pairs.len()),
        outcome.past().count(),
        outcome.count(Verdict::Same),
        outcome.count(Verdict::Other),
        outcome.count(Verdict::New),
        outcome.missing.len()
    );
    let (would, was) = detection(outcome);
    if let Some(would) = would {
        let was = was.map(|was| format!(" (as it was: {})", when::span(was))).unwrap_or_default();
        let _ = writeln!(page, "time to detect, median: {}{was}", when::span(would));
    }
    page
}

fn table(test: &Test<'_>) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["MONITOR", "SINCE", "LENGTH", "DETECTED AFTER", "CAUSE", "REGIONS", "AS IT WAS"]);
    for pair in &test.outcome.pairs {
        let would = &pair.would;
        let regions: Vec<&str> = would.regions.iter().map(model::Region::as_str).collect();
        table.add_row([
            Cell::new(&would.name),
            Cell::new(when::show(would.since)),
            Cell::new(length(would.since, would.until)),
            Cell::new(when::span(would.detected - would.since)),
            Cell::new(would.cause.map_or("", model::Cause::as_str)),
            Cell::new(regions.join(" ")),
            Cell::new(as_it_was(pair)),
        ]);
    }
    for was in &test.outcome.missing {
        table.add_row([
            Cell::new(&was.monitor_name),
            Cell::new(when::show(was.opened_at)),
            Cell::new("—"),
            Cell::new("—"),
            Cell::new(was.cause.as_deref().unwrap_or_default()),
            Cell::new(""),
            Cell::new(format!("would not have opened; was {}{}", length(was.opened_at, was.resolved_at), detected(was))),
        ]);
    }
    table
}

fn as_it_was(pair: &Pair) -> String {
    match (&pair.was, pair.verdict) {
        (_, Verdict::Same) => "the same".to_owned(),
        (Some(was), _) => {
            let since = if was.opened_at == pair.would.since { String::new() } else { format!("since {}, ", when::show(was.opened_at)) };
            format!("{since}{}{}", length(was.opened_at, was.resolved_at), detected(was))
        }
        (None, _) => "new".to_owned(),
    }
}

fn detected(was: &PastIncident) -> String {
    was.detected_at.map(|at| format!(", detected after {}", when::span(at - was.opened_at))).unwrap_or_default()
}

fn length(since: Millis, until: Option<Millis>) -> String {
    until.map_or_else(|| "still open".to_owned(), |until| when::span(until - since))
}

fn incidents(count: usize) -> String {
    if count == 1 { "1 incident".to_owned() } else { format!("{count} incidents") }
}

/// Medians: as it would be, as it was.
fn detection(outcome: &Outcome) -> (Option<Millis>, Option<Millis>) {
    let would = outcome.pairs.iter().map(|pair| pair.would.detected - pair.would.since).collect();
    let was = outcome.past().filter_map(|was| Some(was.detected_at? - was.opened_at)).collect();
    (median(would), median(was))
}

pub fn json(test: &Test<'_>) -> Value {
    let outcome = test.outcome;
    let (would, was) = detection(outcome);
    let incidents: Vec<Value> = outcome
        .pairs
        .iter()
        .map(|pair| {
            let would = &pair.would;
            json!({
                "verdict": pair.verdict.as_str(), "incident": would.id, "monitor": would.monitor, "name": would.name,
                "since": would.since, "detected": would.detected, "until": would.until, "paused": would.paused,
                "length_seconds": would.until.map(|until| seconds(until - would.since)),
                "time_to_detect_seconds": seconds(would.detected - would.since),
                "cause": would.cause, "regions": would.regions, "was": pair.was.as_ref().map(past),
            })
        })
        .collect();
    json!({
        "policy": test.policy,
        "from": test.from,
        "to": test.to,
        "results": test.read.results,
        "unreadable": test.read.unreadable,
        "log_begins": test.read.begins,
        "incidents": incidents,
        "would_not_have_opened": outcome.missing.iter().map(past).collect::<Vec<_>>(),
        "summary": {
            "would": outcome.pairs.len(), "was": outcome.past().count(), "same": outcome.count(Verdict::Same),
            "other": outcome.count(Verdict::Other), "new": outcome.count(Verdict::New), "missing": outcome.missing.len(),
            "time_to_detect_median_seconds": would.map(seconds), "time_to_detect_median_seconds_was": was.map(seconds),
        },
    })
}

fn past(was: &PastIncident) -> Value {
    json!({
        "incident": was.id, "monitor": was.monitor, "name": was.monitor_name, "since": was.opened_at, "detected": was.detected_at,
        "until": was.resolved_at, "cause": was.cause, "note": was.note,
    })
}
