//! One alerter and several, with the same script: they decide and say the same.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use model::MonitorId;
use system_tests::{Service, now};

use super::{Telling, Verdicts, transitions, verdict};
use crate::log::INTERVAL_MS;
use crate::row::Row;
use crate::rows::alerts::check::quiet;
use crate::rows::alerts::copies::{OPENED, RESOLVED};
use crate::seed::Seed;

const MONITORS: usize = 40;
const SLOTS: usize = 60;
const SEVERAL: usize = 5;
const PATIENCE: Duration = Duration::from_secs(60);

/// `rounds` scripts.
pub async fn replicas(seed: &Seed, rounds: u64) -> Vec<Row> {
    let began = Instant::now();
    let mut row = Row::new(
        "25",
        format!("the same script for one alerter and for {SEVERAL}, of which one leaves and comes back meanwhile"),
        "the same alerts, each message once, and of each monitor the same last message",
    );
    let mut seed = seed.branch("replicas");
    let (one, mut several) = tokio::join!(Telling::start(1), Telling::start(SEVERAL));
    for round in 0..rounds {
        row.trials += 1;
        let prefix = format!("script {round} ");
        let (few, many) = tokio::join!(one.monitors(&prefix, MONITORS), several.monitors(&prefix, MONITORS));
        let script = script(few.keys(), &mut seed);
        for n in 0..SLOTS {
            let results = |ids: &BTreeMap<String, MonitorId>| -> Vec<_> {
                script.iter().map(|(name, verdicts)| verdict(ids[*name], verdicts[n].0, verdicts[n].1)).collect()
            };
            let (left, right) = (results(&few), results(&many));
            tokio::join!(one.writer.results(&left), several.writer.results(&right));
            if n == SLOTS / 3 {
                several.mesh.terminate(Service::Alerter, 1).await;
            } else if n == SLOTS * 2 / 3 {
                several.mesh.restart(Service::Alerter, 1);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let (first, second) = tokio::join!(quiet(&one.mesh, PATIENCE), quiet(&several.mesh, PATIENCE));
        row.require(first.is_ok() && second.is_ok(), || format!("not quiet: {first:?} {second:?}"));
        row.compared = String::new();
        compare(&one, &few, &script, "one", &mut row).await;
        compare(&several, &many, &script, "several", &mut row).await;
        row.exposed("script");
        several.mesh.ready().await;
    }
    row.took = began.elapsed();
    eprintln!("  replicas: {}", row.compared);
    vec![row]
}

/// Up to now, up at the beginning.
fn script<'a>(names: impl Iterator<Item = &'a String>, seed: &mut Seed) -> BTreeMap<&'a str, Verdicts> {
    let begin = now() / INTERVAL_MS * INTERVAL_MS - i64::try_from(SLOTS).unwrap_or(0) * INTERVAL_MS;
    names
        .map(|name| {
            let mut up = true;
            let verdicts = (0..SLOTS).map(|n| {
                up ^= n > 0 && seed.chance(10);
                (begin + INTERVAL_MS * i64::try_from(n).unwrap_or(0), up)
            });
            (name.as_str(), verdicts.collect())
        })
        .collect()
}

/// Both are compared with the script, and so with each other.
async fn compare(telling: &Telling, ids: &BTreeMap<String, MonitorId>, script: &BTreeMap<&str, Verdicts>, who: &str, row: &mut Row) {
    let ours: BTreeSet<MonitorId> = ids.values().copied().collect();
    let found: BTreeMap<_, _> = telling.alerts().await.into_iter().filter(|(_, (monitor, _))| ours.contains(monitor)).collect();
    let expected: BTreeMap<_, _> = script.iter().flat_map(|(name, verdicts)| transitions(ids[*name], verdicts)).collect();
    let same = expected.len() == found.len() && expected.iter().all(|(id, kind)| found.get(id).is_some_and(|found| found.1 == *kind));
    row.require(same, || format!("I6, {who}: {} alerts, the script has {}", found.len(), expected.len()));
    let mut told_ids = BTreeSet::new();
    for post in telling.sink.taken() {
        let id = post.header("webhook-id").unwrap_or_default().to_owned();
        row.require(told_ids.insert(id.clone()), || format!("I8, {who}: {id} was told twice"));
    }
    let told = telling.told();
    let mut messages = 0;
    for (name, verdicts) in script {
        let transitions = transitions(ids[*name], verdicts);
        let told = told.get(&ids[*name].to_string()).map(Vec::as_slice).unwrap_or_default();
        messages += told.len();
        let last = told.last().map(|copy| copy.kind);
        row.require(last == transitions.last().map(|(_, kind)| *kind), || format!("{who}: the last message of {name} is {last:?}"));
        // In turns, but for an outage that was over before it was told.
        let turns = told.windows(2).all(|pair| pair[0].kind != pair[1].kind || (pair[1].kind == RESOLVED && pair[1].tells_opening));
        row.require(turns && told.first().is_none_or(|copy| copy.kind == OPENED || copy.tells_opening), || {
            format!("{who}: {name} was told {:?}", told.iter().map(|copy| copy.kind).collect::<Vec<_>>())
        });
    }
    row.compared = format!("{}{who}: {} alerts, {messages} messages; ", row.compared, found.len());
}
