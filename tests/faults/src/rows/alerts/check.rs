//! The oracle: transitions by the truth, PostgreSQL, the topic and the channels' ledgers, as sets.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use events::IncidentEvent;
use model::alerting::incident_id;
use sqlx::Row as _;
use system_tests::{Mesh, Service};
use uuid::Uuid;

use super::copies::{Copy, OPENED, RESOLVED, copies, counted};
use super::{Alerts, KINDS};
use crate::log::read_all;
use crate::row::Row;
use crate::victim::Victim;

/// From a channel's answer to the record of it, on a busy machine.
const WINDOW: Duration = Duration::from_millis(2500);

/// Monitor and kind: each monitor goes down once.
type Key = (String, &'static str);

/// Waits until every record is judged and every delivery settled.
pub async fn quiet(mesh: &Mesh, patience: Duration) -> Result<(), String> {
    let begin = Instant::now();
    let pool = mesh.stack.database().await.store.pool();
    let config = kafka::KafkaConfig::new(&mesh.kafka, "faults");
    let topic = mesh.stack.topics().results;
    let ends = kafka::end_offsets(&config, &topic, Duration::from_secs(30)).await.map_err(|error| error.to_string())?;
    let end: i64 = ends.iter().sum();
    loop {
        let row = sqlx::query(
            "SELECT (SELECT count(*) FROM deliveries WHERE state IN ('pending', 'sending')),
                    (SELECT coalesce(sum(next_offset), 0)::bigint FROM consumer_offsets WHERE consumer = 'alerter')",
        )
        .fetch_one(pool)
        .await
        .map_err(|error| error.to_string())?;
        let (waiting, judged): (i64, i64) = (row.get(0), row.get(1));
        if waiting == 0 && judged == end {
            return Ok(());
        }
        if begin.elapsed() > patience {
            return Err(format!("{waiting} deliveries wait, {judged} of {end} records judged"));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

impl Alerts {
    /// Compares everything that is settled by now.
    pub(super) async fn check(&self, rows: &mut [Row; 3]) {
        let expected = self.expected();
        let pool = self.mesh.stack.database().await.store.pool();
        let found = sqlx::query(
            "SELECT a.id, i.monitor_id, a.kind, d.channel_kind, d.state
             FROM alerts a JOIN incidents i ON i.id = a.incident_id LEFT JOIN deliveries d ON d.alert_id = a.id",
        )
        .fetch_all(pool)
        .await
        .expect("PostgreSQL");
        let mut alerts: BTreeMap<Uuid, Key> = BTreeMap::new();
        let mut states: BTreeMap<(Key, String), String> = BTreeMap::new();
        for row in &found {
            let kind = if row.get::<String, _>("kind") == OPENED { OPENED } else { RESOLVED };
            let key = (row.get::<Uuid, _>("monitor_id").to_string(), kind);
            alerts.insert(row.get("id"), key.clone());
            if let Some(channel) = row.get::<Option<String>, _>("channel_kind") {
                states.insert((key, channel), row.get("state"));
            }
        }
        // I6: the alerts are the transitions, by id.
        let difference = difference(&expected, &alerts);
        for (row, (hook, channel)) in rows.iter_mut().zip(self.hooks.iter().zip(KINDS)) {
            row.require(difference.is_empty(), || format!("I6, alerts are not the transitions: {difference:?}"));
            let mut told: BTreeMap<Key, Vec<Copy>> = BTreeMap::new();
            for copy in hook.posts().iter().flat_map(copies) {
                told.entry((copy.monitor.clone(), copy.kind)).or_default().push(copy);
            }
            for key in told.keys().filter(|key| !expected.values().any(|one| one == *key)) {
                row.violated(format!("I6, a message about nothing: {key:?}"));
            }
            // A group names twenty and counts the others: so many may have no copy of their own.
            let counted = counted(&hook.posts());
            let (mut silent, mut repeats, mut doubtful) = (Vec::new(), 0, BTreeMap::new());
            for key in expected.values() {
                let state = states.get(&(key.clone(), channel.to_owned())).map_or("absent", String::as_str);
                let copies = told.get(key).map(Vec::as_slice).unwrap_or_default();
                // I7: at least once; a beginning that was over before it was told is told by its end.
                if state == "folded" && key.1 == OPENED {
                    let later = told.get(&(key.0.clone(), RESOLVED));
                    let told_later = later.is_some_and(|later| later.iter().any(|copy| copy.tells_opening));
                    // Where the recovery itself is silent, that is enough.
                    if copies.is_empty() && !told_later && later.is_some() {
                        row.violated(format!("I7, the beginning of {} was folded and never told", key.0));
                    }
                } else if state != "sent" {
                    row.violated(format!("I7, {key:?} is {state} with {} copies", copies.len()));
                } else if copies.is_empty() {
                    silent.push(key);
                }
                repeats += self.judge_copies(row, key, copies, channel, &mut doubtful);
            }
            let beyond = unexplained(doubtful, &self.deaths);
            row.require(beyond == 0, || format!("I8, {beyond} messages were repeated beyond one per death"));
            row.require(silent.len() <= counted, || format!("I7, sent without a copy, {counted} counted in groups: {silent:?}"));
            for (key, copies) in told.iter().filter(|(key, _)| key.1 == RESOLVED) {
                let opened = told.get(&(key.0.clone(), OPENED)).and_then(|copies| copies.first());
                let in_order = opened.is_none_or(|opened| copies.iter().all(|copy| copy.at >= opened.at));
                row.require(in_order, || format!("order, {} recovered before it was down", key.0));
            }
            let copies: usize = told.values().map(Vec::len).sum();
            row.compared =
                format!("{} transitions, {copies} copies, {} counted in groups, {repeats} flagged repeats", expected.len(), silent.len());
        }
    }

    /// I8: a copy after another is flagged, and the one before it was never known to have arrived. `doubtful` gets the messages that only
    /// a death explains, each with the end of its window.
    fn judge_copies(&self, row: &mut Row, key: &Key, copies: &[Copy], channel: &str, doubtful: &mut BTreeMap<Instant, Instant>) -> usize {
        for pair in copies.windows(2) {
            let [first, second] = pair else { continue };
            if channel == "slack_bot" {
                row.violated(format!("I8, {key:?} is in the channel twice"));
                continue;
            }
            let window = first.at + first.answered_after + WINDOW;
            let died = self.deaths.iter().any(|death| *death >= first.at && *death <= window);
            let mute = self.mute.iter().any(|(from, until)| first.at >= *from && first.at <= *until);
            row.require(first.unanswered || died || mute, || {
                let after = |at: Instant| at.saturating_duration_since(first.at).as_secs_f64();
                let next = self.deaths.iter().find(|death| **death >= first.at).map_or(f64::NAN, |death| after(*death));
                format!(
                    "I8, {key:?} was repeated though its first copy was answered after {:?}: the next death came {next:.1} s and the repeat {:.1} s after it",
                    first.answered_after,
                    after(second.at)
                )
            });
            if died && !first.unanswered && !mute {
                doubtful.insert(first.at, window);
            }
            row.require(second.repeat, || format!("I8, the second copy of {key:?} does not say that it may be a repeat"));
        }
        copies.len().saturating_sub(1)
    }

    /// Every transition by the truth: alert id to (monitor, kind).
    fn expected(&self) -> BTreeMap<Uuid, Key> {
        let mut expected = BTreeMap::new();
        for story in &self.stories {
            let incident = incident_id(story.monitor, story.down);
            let monitor = story.monitor.to_string();
            expected.insert(IncidentEvent::event_id(incident, 1), (monitor.clone(), OPENED));
            if story.up.is_some() {
                expected.insert(IncidentEvent::event_id(incident, 2), (monitor, RESOLVED));
            }
        }
        expected
    }

    /// The topic of incident events holds each transition, and each dead letter arrived. Once, at the end:
    /// what a dead publisher held is taken over after a minute.
    pub(super) async fn check_log(&mut self, rows: &mut [Row; 3]) {
        Victim::of(Service::Alerter).start(&mut self.mesh, None);
        let pool = self.mesh.stack.database().await.store.pool().clone();
        let begin = Instant::now();
        let unpublished = "SELECT count(*) FROM alerts WHERE published_at IS NULL";
        while sqlx::query_scalar::<_, i64>(unpublished).fetch_one(&pool).await.expect("a count") > 0
            && begin.elapsed() < Duration::from_secs(90)
        {
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        let topics = self.mesh.stack.topics();
        let mut seen: BTreeMap<Uuid, BTreeSet<Vec<u8>>> = BTreeMap::new();
        for message in read_all(&self.mesh.kafka, &topics.incidents).await {
            let bytes = message.value.as_deref().unwrap_or_default().to_vec();
            match IncidentEvent::decode(Some(&bytes)) {
                Ok(event) => drop(seen.entry(event.id).or_default().insert(bytes)),
                Err(error) => rows.iter_mut().for_each(|row| row.violated(format!("an incident event cannot be read: {error}"))),
            }
        }
        let expected: BTreeSet<Uuid> = self.expected().into_keys().collect();
        let ids: BTreeSet<Uuid> = seen.keys().copied().collect();
        let letters = read_all(&self.mesh.kafka, &events::Topics::dead_letter(&topics.results)).await;
        let letters: BTreeSet<Vec<u8>> = letters.iter().map(|message| message.value.as_deref().unwrap_or_default().to_vec()).collect();
        let poisons: BTreeSet<Vec<u8>> = self.poisons.iter().cloned().collect();
        for row in rows {
            row.require(ids == expected, || {
                format!("incident-events differs: {:?}", expected.symmetric_difference(&ids).collect::<Vec<_>>())
            });
            row.require(seen.values().all(|bodies| bodies.len() == 1), || "one event id with two bodies".to_owned());
            row.require(letters == poisons, || format!("{} dead letters, {} poison records", letters.len(), poisons.len()));
        }
    }
}

/// How many messages, each with its window, are left when every death explains one. An alerter writes one message at a time to a channel.
fn unexplained(mut doubtful: BTreeMap<Instant, Instant>, deaths: &[Instant]) -> usize {
    for death in deaths {
        let within = doubtful.iter().filter(|(at, end)| (**at..=**end).contains(death));
        if let Some(at) = within.min_by_key(|(_, end)| **end).map(|(at, _)| *at) {
            doubtful.remove(&at);
        }
    }
    doubtful.len()
}

fn difference(expected: &BTreeMap<Uuid, Key>, found: &BTreeMap<Uuid, Key>) -> Vec<String> {
    let lacking = expected.iter().filter(|(id, _)| !found.contains_key(id)).map(|(_, key)| format!("lacks {key:?}"));
    let surplus = found.iter().filter(|(id, _)| !expected.contains_key(id)).map(|(_, key)| format!("has {key:?}"));
    lacking.chain(surplus).take(10).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_death_explains_one_message() {
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        let doubtful = |windows: &[(u64, u64)]| windows.iter().map(|(from, to)| (at(*from), at(*to))).collect();
        assert_eq!(unexplained(doubtful(&[(1, 3), (10, 12)]), &[at(2), at(11)]), 0);
        assert_eq!(unexplained(doubtful(&[(1, 5), (2, 4)]), &[at(3), at(5)]), 0, "the shorter window first");
        assert_eq!(unexplained(doubtful(&[(1, 3), (2, 4)]), &[at(3)]), 1);
        assert_eq!(unexplained(doubtful(&[(1, 3)]), &[at(4)]), 1);
    }
}
