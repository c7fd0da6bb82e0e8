//! The oracle of the whole mesh: the farm's ledger, the log, PostgreSQL, Redis and Slack.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use model::schedule::{Schedule, segment_windows};
use model::{Millis, Outcome, Region, Slot};
use sqlx::{PgPool, Row as _};
use system_tests::{all_configured, now};
use uuid::Uuid;

use super::Storm;
use super::alerts::{Alert, Heard, KINDS, Truth};
use super::clocks::EARLY_MS;
use crate::history::{Place, Told, live_differs, stored, wins};
use crate::log::{INTERVAL_MS, read_all};
use crate::row::Row;
use crate::rows::alerts::copies::{copies, counted};

/// After the slot: a check, its confirmation, the way to the target.
const LATE_MS: Millis = 3000;

/// After a fault, what was in doubt is told by then: the lease of whoever held it, one more that is left to owners after an absence
/// of PostgreSQL, and the channel's rests.
const DOUBT: Duration = Duration::from_mins(1);

impl Storm {
    pub(super) async fn check(&mut self, row: &mut Row) {
        let pool = self.mesh.stack.database().await.store.pool().clone();
        // Every target keeps still from here on, and every monitor is checked once more.
        let quiet_from = now();
        let begin = Instant::now();
        let visited = |storm: &Self| {
            storm.monitors.iter().all(|(name, _)| storm.farm.visits(name).last().is_some_and(|visit| visit.at > quiet_from + 1000))
        };
        while !visited(self) && begin.elapsed() < Duration::from_secs(40) {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        row.require(visited(self), || "not every monitor was checked within 40 s of the last fault".to_owned());
        let until = now() - LATE_MS;
        let due = self.due(until).await;
        // I10: no slot is absent.
        let mut told = stored(&pool, &mut Row::new("", "", "")).await;
        while due.iter().any(|place| !told.contains_key(place)) && begin.elapsed() < Duration::from_secs(75) {
            tokio::time::sleep(Duration::from_millis(500)).await;
            told = stored(&pool, &mut Row::new("", "", "")).await;
        }
        let told_until = |told: Told| -> Told { told.into_iter().filter(|((_, slot), _)| *slot < until).collect() };
        let told = told_until(stored(&pool, row).await);
        let absent: Vec<_> = due.iter().filter(|place| !told.contains_key(place)).collect();
        row.require(absent.is_empty(), || {
            format!("I10, {} of {} slots are absent: {:?}", absent.len(), due.len(), &absent[..absent.len().min(5)])
        });
        // A new monitor's first check is of the slot before its first; a pause takes a moment to be heard of.
        let all = all_configured(&self.mesh).await;
        let paused: BTreeSet<Uuid> =
            all.iter().filter(|monitor| monitor.segments.iter().any(|segment| !segment.active)).map(|monitor| monitor.id.0).collect();
        let phantom = told
            .keys()
            .filter(|place| {
                !due.contains(*place) && !paused.contains(&place.0) && due.iter().any(|one| one.0 == place.0 && one.1 < place.1)
            })
            .count();
        row.require(phantom == 0, || format!("{phantom} slots were never due"));
        let contradicted = self.compare_with_log(row, &told, until).await;
        self.compare_with_farm(row, &told);
        self.compare_with_schedule(row, &told, &due);
        let reopened = self.compare_alerts(row, &pool, &contradicted).await;
        let mut differs = Vec::new();
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(15) {
            let now = stored(&pool, &mut Row::new("", "", "")).await;
            differs = live_differs(&self.mesh, &pool, &now, true).await;
            if differs.is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        row.require(differs.is_empty(), || format!("{} of live state: {}", differs.len(), differs[0]));
        let missed = told.values().filter(|(outcome, _)| !outcome.is_verdict()).count();
        row.compared = format!(
            "{}{} slots due, {missed} of them missed or unknown, {} checked twice with opposite verdicts, {reopened} incidents reopened by those",
            row.compared,
            due.len(),
            contradicted.len()
        );
    }

    /// Every slot due so far, by the configuration.
    pub(super) async fn due(&self, until: Millis) -> BTreeSet<(Uuid, Slot)> {
        let region: Region = "local".parse().expect("a region");
        let mut due = BTreeSet::new();
        for monitor in all_configured(&self.mesh).await {
            for (segment, start, end) in segment_windows(&monitor.segments, self.began, until) {
                if segment.active {
                    due.extend(Schedule::new(monitor.id, &region, segment.interval_ms).slots(start, end).map(|slot| (monitor.id.0, slot)));
                }
            }
        }
        due
    }

    /// I2: history is the fold of the log. Gives the slots that two pingers checked with opposite verdicts,
    /// as happens where one died and its target turned over before another ran the slot again.
    async fn compare_with_log(&self, row: &mut Row, told: &Told, until: Millis) -> BTreeSet<Place> {
        let (mut folded, mut contradicted) = (Told::new(), BTreeSet::new());
        let mut verdicts: BTreeMap<Place, Outcome> = BTreeMap::new();
        for message in read_all(&self.mesh.kafka, &self.mesh.stack.topics().results).await {
            match events::decode_result(message.key.as_deref(), message.value.as_deref()) {
                Ok(result) if result.slot < until => {
                    let new =
                        (if result.suspect { Outcome::Unknown } else { result.outcome }, result.latency_us.map(|us| (us + 50) / 100 * 100));
                    let place = (result.monitor.0, result.slot);
                    if new.0.is_verdict() && verdicts.insert(place, new.0).is_some_and(|before| before != new.0) {
                        contradicted.insert(place);
                    }
                    if folded.get(&place).is_none_or(|old| wins(new, *old)) {
                        folded.insert(place, new);
                    }
                }
                Ok(_) => {}
                Err(error) => row.violated(format!("a result cannot be read: {error}")),
            }
        }
        let differ = folded.iter().filter(|(place, one)| told.get(place) != Some(one)).count()
            + told.keys().filter(|place| !folded.contains_key(place)).count();
        row.require(differ == 0, || format!("I2, history and the log differ in {differ} slots"));
        contradicted
    }

    /// I9: nothing is told up or down that the target did not show within the slot.
    fn compare_with_farm(&self, row: &mut Row, told: &Told) {
        // Where clocks are tampered with, a check may be as early as a clock may be off unnoticed.
        let early = if self.postgres.is_some() { EARLY_MS } else { 5 };
        for (name, id) in &self.monitors {
            let visits: Vec<(Millis, bool)> = self.farm.visits(name).iter().map(|visit| (visit.at, visit.status == 200)).collect();
            for ((_, slot), (outcome, _)) in of(told, id).filter(|(_, (outcome, _))| outcome.is_verdict()) {
                row.require(shown(&visits, *slot, *outcome, early), || {
                    format!("I9, {name} is told {outcome} at {slot}, its target did not show it")
                });
            }
        }
    }

    /// I1: through deploys every slot is really checked.
    fn compare_with_schedule(&mut self, row: &mut Row, told: &Told, due: &BTreeSet<Place>) {
        for (from, until) in std::mem::take(&mut self.unbroken) {
            let within: Vec<&Place> = due.iter().filter(|(_, slot)| (from..until).contains(slot)).collect();
            let unchecked: Vec<_> =
                within.iter().filter_map(|place| told.get(place)).filter(|(outcome, _)| !outcome.is_verdict()).map(|one| one.0).collect();
            row.require(unchecked.is_empty(), || {
                format!("I1, {} of {} slots were not checked: {unchecked:?}", unchecked.len(), within.len())
            });
            row.compared = format!("{}{} slots due meanwhile, all checked; ", row.compared, within.len());
        }
    }

    /// I6–I8: alerts follow history, messages follow alerts. Says how many incidents were reopened.
    async fn compare_alerts(&self, row: &mut Row, pool: &PgPool, contradicted: &BTreeSet<Place>) -> usize {
        let begin = Instant::now();
        let waiting = "SELECT count(*) FROM deliveries WHERE state IN ('pending', 'sending')";
        while sqlx::query_scalar::<_, i64>(waiting).fetch_one(pool).await.expect("a count") > 0 {
            if begin.elapsed() > Duration::from_secs(60) {
                row.violated("deliveries wait after 60 s");
                break;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let told = stored(pool, row).await;
        let by_monitor = alerts_of(pool).await;
        let mut heard: BTreeMap<(String, &str), Heard> = BTreeMap::new();
        let posts = self.slack.posts();
        for copy in posts.iter().flat_map(copies) {
            row.require(!copy.repeat || explained(copy.at, &self.unsure), || {
                format!(
                    "I8, {} of {} is flagged as a repeat, though every sender knew what became of its messages",
                    copy.kind, copy.monitor
                )
            });
            let heard = heard.entry((copy.monitor, copy.kind)).or_default();
            heard.copies += 1;
            heard.repeats += usize::from(copy.repeat);
        }
        let (mut again, mut unseen) = (0, 0);
        for (name, id) in &self.monitors {
            let alerts = by_monitor.get(id).map(Vec::as_slice).unwrap_or_default();
            let verdicts: Vec<(Slot, Outcome)> =
                of(&told, id).filter(|(_, (outcome, _))| outcome.is_verdict()).map(|((_, slot), (outcome, _))| (*slot, *outcome)).collect();
            let contradicted = contradicted.iter().filter(|place| place.0.to_string() == *id).map(|place| place.1).collect();
            let (faults, reopened) = Truth { verdicts: &verdicts, contradicted: &contradicted }.judge(alerts);
            again += reopened;
            for fault in faults {
                row.violated(format!("I6, {name}: {fault}"));
            }
            for kind in KINDS {
                let heard = heard.get(&(id.clone(), kind)).copied().unwrap_or_default();
                unseen += heard.lacking(alerts, kind);
                row.require(!heard.beyond(alerts, kind), || format!("I8, {name}, {kind}: {heard:?}"));
            }
        }
        // A group that is long mentions some only by their number.
        let unnamed = counted(&posts);
        row.require(unseen <= unnamed, || format!("I7, {unnamed} were counted in groups, and {unseen} not told"));
        again
    }
}

/// Of one monitor.
fn of<'a>(told: &'a Told, id: &str) -> impl Iterator<Item = (&'a Place, &'a (Outcome, Option<u32>))> {
    let id: Uuid = id.parse().expect("an id");
    told.range((id, 0)..=(id, i64::MAX))
}

/// Whether the target showed this within the slot. `visits`: when, and whether it answered as one that is up.
fn shown(visits: &[(Millis, bool)], slot: Slot, outcome: Outcome, early: Millis) -> bool {
    let within = slot - early..slot + INTERVAL_MS + LATE_MS;
    visits.iter().any(|(at, up)| within.contains(at) && *up == (outcome == Outcome::Up))
}

/// By monitor, in order.
async fn alerts_of(pool: &PgPool) -> BTreeMap<String, Vec<Alert>> {
    let alerts = sqlx::query(
        "SELECT i.monitor_id, a.kind, a.slot, d.state FROM alerts a JOIN incidents i ON i.id = a.incident_id
         LEFT JOIN deliveries d ON d.alert_id = a.id ORDER BY i.monitor_id, i.opened_at, a.sequence",
    );
    let mut by_monitor: BTreeMap<String, Vec<Alert>> = BTreeMap::new();
    for one in alerts.fetch_all(pool).await.expect("alerts") {
        let alert = Alert {
            kind: one.get("kind"),
            slot: one.get::<DateTime<Utc>, _>("slot").timestamp_millis(),
            state: one.get::<Option<String>, _>("state").unwrap_or_default(),
        };
        by_monitor.entry(one.get::<Uuid, _>("monitor_id").to_string()).or_default().push(alert);
    }
    by_monitor
}

/// Slack answers every message here, so only these leave one in doubt.
fn explained(repeat: Instant, unsure: &[(Instant, Instant)]) -> bool {
    unsure.iter().any(|(from, until)| (*from..=*until + DOUBT).contains(&repeat))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_that_no_visit_shows_is_seen() {
        let visits = [(100_000, true), (110_000, false)];
        assert!(shown(&visits, 100_000, Outcome::Up, 5) && shown(&visits, 110_000, Outcome::Down, 5));
        assert!(!shown(&visits, 110_001 + INTERVAL_MS, Outcome::Down, 5), "nobody came");
        assert!(!shown(&visits[..1], 100_000, Outcome::Down, 5), "it answered");
        assert!(!shown(&visits, 100_006, Outcome::Up, 5), "before its slot");
    }

    #[test]
    fn only_a_fault_of_a_sender_or_its_database_explains_a_repeat() {
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        assert!(!explained(at(10), &[]));
        let unsure = [(at(20), at(38)), (at(200), at(200))];
        assert_eq!(
            [10, 25, 60, 98, 99, 199, 230].map(|seconds| explained(at(seconds), &unsure)),
            [false, true, true, true, false, false, true]
        );
    }
}
