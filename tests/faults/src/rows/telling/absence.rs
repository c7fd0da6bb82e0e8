//! The alerter is away for an hour, in which targets fall and rise again, some of them for good.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use model::CheckResult;
use system_tests::{Service, now};
use uuid::Uuid;

use super::{Telling, Verdicts, transitions, verdict};
use crate::log::INTERVAL_MS;
use crate::row::Row;
use crate::rows::alerts::check::quiet;
use crate::rows::alerts::copies::{OPENED, RESOLVED};
use crate::seed::Seed;

const MONITORS: usize = 60;
const HOUR_MS: i64 = 3_600_000;
const PATIENCE: Duration = Duration::from_secs(180);

/// `rounds` hours.
pub async fn absence(seed: &Seed, rounds: u64) -> Vec<Row> {
    let began = Instant::now();
    let mut row = Row::new(
        "21b",
        format!("the alerter is away for an hour in which {MONITORS} targets fall and rise up to four times"),
        "every result is judged once and in order; of each monitor only the final state is told, in one message, with the history in it",
    );
    let mut seed = seed.branch("absence");
    let mut telling = Telling::start(1).await;
    for round in 0..rounds {
        away(&mut telling, round, &mut seed, &mut row).await;
    }
    row.took = began.elapsed();
    eprintln!("  absence: {}", row.compared);
    vec![row]
}

async fn away(telling: &mut Telling, round: u64, seed: &mut Seed, row: &mut Row) {
    row.trials += 1;
    let monitors = telling.monitors(&format!("away {round} "), MONITORS).await;
    telling.mesh.terminate(Service::Alerter, 0).await;
    let (told_before, alerts_before) = (telling.sink.taken().len(), telling.alerts().await.len());
    let hours = an_hour(monitors.keys(), seed);
    // As a log has them: all monitors slot by slot.
    let slots = hours.values().map(Vec::len).max().unwrap_or(0);
    for n in 0..slots {
        let checked = |(name, verdicts): (&&str, &Verdicts)| {
            let (slot, up) = verdicts[n];
            CheckResult { started_at: slot + 3, ..verdict(monitors[*name], slot, up) }
        };
        let results: Vec<_> = hours.iter().map(checked).collect();
        telling.writer.results(&results).await;
    }
    let began = Instant::now();
    telling.mesh.restart(Service::Alerter, 0);
    let quiet = quiet(&telling.mesh, PATIENCE).await;
    row.require(quiet.is_ok(), || format!("not quiet: {}", quiet.err().unwrap_or_default()));
    let caught_up = began.elapsed();

    let expected: BTreeMap<Uuid, &str> = hours.iter().flat_map(|(name, verdicts)| transitions(monitors[*name], verdicts)).collect();
    let found = telling.alerts().await;
    let lacking = expected.iter().filter(|(id, kind)| found.get(id).is_none_or(|found| found.1 != **kind)).count();
    row.require(lacking == 0 && found.len() == alerts_before + expected.len(), || {
        format!("I6, {lacking} of {} transitions are lacking, {} are there", expected.len(), found.len() - alerts_before)
    });
    let told = telling.told();
    let mut fell = 0;
    for (name, verdicts) in &hours {
        let outages = transitions(monitors[*name], verdicts).iter().filter(|(_, kind)| *kind == OPENED).count();
        let told = told.get(&monitors[*name].to_string()).map(Vec::as_slice).unwrap_or_default();
        fell += usize::from(outages > 0);
        let last = if verdicts.last().is_some_and(|(_, up)| *up) { RESOLVED } else { OPENED };
        let right = match told {
            [] => outages == 0,
            [one] => outages > 0 && one.kind == last && (last == OPENED || one.tells_opening),
            _ => false,
        };
        row.require(right, || {
            format!("{name} fell {outages} times, is {last} and was told {:?}", told.iter().map(|copy| copy.kind).collect::<Vec<_>>())
        });
    }
    let messages = telling.sink.taken();
    let earlier: u64 = messages.iter().skip(told_before).filter_map(|post| post.body["data"]["earlier_times"].as_u64()).sum();
    let outages = expected.values().filter(|kind| **kind == OPENED).count();
    row.require(earlier + fell as u64 == outages as u64, || format!("{outages} outages of {fell} targets, {earlier} told as earlier ones"));
    row.exposed("an hour");
    row.compared = format!(
        "{} results, {} transitions of {fell} targets in {} messages, judged and told {} ms after the start",
        slots * MONITORS,
        expected.len(),
        messages.len() - told_before,
        caught_up.as_millis()
    );
}

/// The last hour of each, up at its beginning.
fn an_hour<'a>(names: impl Iterator<Item = &'a String>, seed: &mut Seed) -> BTreeMap<&'a str, Verdicts> {
    let begin = (now() - HOUR_MS) / INTERVAL_MS * INTERVAL_MS;
    let slots = (HOUR_MS / INTERVAL_MS).unsigned_abs();
    names
        .map(|name| {
            let turns: Vec<u64> = (0..seed.below(9)).map(|_| 1 + seed.below(slots - 1)).collect();
            let mut up = true;
            let verdicts = (0..slots).map(|n| {
                up ^= turns.contains(&n);
                (begin + INTERVAL_MS * n.cast_signed(), up)
            });
            (name.as_str(), verdicts.collect())
        })
        .collect()
}
