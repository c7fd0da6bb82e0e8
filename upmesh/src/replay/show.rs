//! A replay's report, for people and for programs.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use indicatif::HumanCount;
use model::Millis;
use processor::replay::{Found, Place, Report};
use serde_json::{Value, json};

/// Differences shown; `--json` has them all.
const SHOWN: usize = 40;

pub fn text(report: &Report) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{} records read in {:.1} s ({} records/s), {} blocks compared",
        HumanCount(report.records),
        report.reading.as_secs_f64(),
        HumanCount(rate(report)),
        HumanCount(report.blocks)
    );
    if report.unreadable > 0 {
        let _ = writeln!(text, "{} records cannot be read and were left out, as the processors do", HumanCount(report.unreadable));
    }
    if report.too_old > 0 {
        let _ = writeln!(text, "{} results are older than CHECK_RETENTION_DAYS and were left out", HumanCount(report.too_old));
    }
    let _ =
        writeln!(text, "the log holds every hour since {}; older hours are merged, nothing is taken from them", hour(report.covered_from));
    if report.behind > 0 {
        let _ = writeln!(text, "the processors had {} results of the log still to flush", HumanCount(report.behind));
    }
    if report.differences == 0 {
        let _ = writeln!(text, "no difference: what stands is what the log says");
    } else {
        let _ = writeln!(text, "{} places differ from the log:", HumanCount(report.differences));
        for found in report.found.iter().take(SHOWN) {
            let _ = writeln!(text, "  {}", line(found));
        }
        let more = report.differences.saturating_sub(report.found.len().min(SHOWN) as u64);
        if more > 0 {
            let _ = writeln!(text, "  … and {} more", HumanCount(more));
        }
    }
    if let Some(swapped) = &report.swapped {
        let _ = writeln!(
            text,
            "swapped in as generation {}: {} blocks added, {} changed, {} removed; flushes waited {:.2} s",
            swapped.generation,
            HumanCount(swapped.applied.added),
            HumanCount(swapped.applied.changed),
            HumanCount(swapped.applied.removed),
            swapped.locked.as_secs_f64()
        );
        if swapped.carried > 0 {
            let _ = writeln!(text, "{} latest results older than the log were kept", HumanCount(swapped.carried));
        }
        let _ = writeln!(
            text,
            "checksum of what stands = of what was rebuilt = {:016x} ({} blocks of the days that were touched)",
            swapped.checksum.sum,
            HumanCount(swapped.checksum.blocks)
        );
    }
    text
}

pub fn json(report: &Report) -> Value {
    let found: Vec<Value> = report
        .found
        .iter()
        .map(|found| {
            json!({
                "place": place(found.place), "monitor": found.key.monitor, "region": found.key.region, "hour": found.key.hour,
                "lacking": found.lacking, "surplus": found.surplus, "wrong": found.wrong,
            })
        })
        .collect();
    json!({
        "records": report.records,
        "unreadable": report.unreadable,
        "too_old": report.too_old,
        "behind": report.behind,
        "seconds": report.took.as_secs_f64(),
        "records_per_second": rate(report),
        "covered_from": report.covered_from,
        "blocks": report.blocks,
        "unsettled": report.unsettled,
        "differences": report.differences,
        "found": found,
        "swapped": report.swapped.as_ref().map(|swapped| json!({
            "generation": swapped.generation,
            "added": swapped.applied.added,
            "changed": swapped.applied.changed,
            "removed": swapped.applied.removed,
            "checksum": format!("{:016x}", swapped.checksum.sum),
            "checksum_blocks": swapped.checksum.blocks,
            "locked_seconds": swapped.locked.as_secs_f64(),
            "carried": swapped.carried,
        })),
    })
}

fn line(found: &Found) -> String {
    let parts = [(found.lacking, "lacking"), (found.surplus, "unknown to the log"), (found.wrong, "otherwise than in the log")];
    let parts: Vec<String> = parts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    format!("{:<13} {}  {:<12} {}  {}", place(found.place), found.key.monitor, found.key.region, hour(found.key.hour), parts.join(", "))
}

fn place(place: Place) -> &'static str {
    match place {
        Place::History => "history",
        Place::LiveBlock => "live block",
        Place::LiveResult => "latest result",
    }
}

fn hour(at: Millis) -> String {
    DateTime::<Utc>::from_timestamp_millis(at).map_or_else(|| at.to_string(), |at| at.format("%Y-%m-%d %H:%M UTC").to_string())
}

#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate for people")]
fn rate(report: &Report) -> u64 {
    (report.records as f64 / report.reading.as_secs_f64().max(0.001)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::history::BlockKey;

    #[test]
    fn each_difference_names_place_monitor_region_and_hour() {
        let monitor = model::MonitorId(uuid::Uuid::from_u128(7));
        let key = BlockKey { monitor, region: "eu".parse().expect("a region"), hour: 1_772_323_200_000 };
        let found = Found { place: Place::History, key, lacking: 3, surplus: 0, wrong: 1 };
        let report = Report { differences: 1, found: vec![found], covered_from: 1_772_323_200_000, ..Report::default() };
        let text = text(&report);
        for part in ["history", &monitor.to_string(), "eu", "2026-03-01 00:00 UTC", "3 lacking, 1 otherwise"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert_eq!(json(&report)["found"][0]["lacking"], 3);
    }
}
