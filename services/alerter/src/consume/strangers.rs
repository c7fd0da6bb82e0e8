//! Results of monitors that are not in our list: made a moment ago and checked before we heard of them, or gone. They are
//! held until users' list says which, and so is the committed offset: whoever reads on after us reads them again.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use directory::Status;
use kafka::Message;
use model::{CheckResult, MonitorId};
use store::incidents::OffsetRow;

/// Results held over all monitors. Of those beyond, judgement begins with the next check.
const MOST: usize = 10_000;
/// Nothing is held longer: users may have another database by now, whose revisions begin anew.
const LONGEST: Duration = Duration::from_hours(1);

/// What is held, by monitor.
#[derive(Debug, Default)]
pub(super) struct Strangers {
    monitors: HashMap<MonitorId, Stranger>,
    /// Of all monitors.
    results: usize,
}

#[derive(Debug)]
struct Stranger {
    since: Instant,
    /// The newest that its pinger knew: users' list says what became of it once it has come so far.
    revision: i64,
    /// As they came.
    results: Vec<(Message, CheckResult)>,
}

impl Strangers {
    pub fn holds(&self, monitor: MonitorId) -> bool {
        self.monitors.contains_key(&monitor)
    }

    pub fn monitors(&self) -> Vec<MonitorId> {
        self.monitors.keys().copied().collect()
    }

    /// Says whether there was room.
    pub fn hold(&mut self, message: Message, result: CheckResult) -> bool {
        if self.results >= MOST {
            return false;
        }
        let new = || Stranger { since: Instant::now(), revision: 0, results: Vec::new() };
        let stranger = self.monitors.entry(result.monitor).or_insert_with(new);
        stranger.revision = stranger.revision.max(result.revision);
        // Its bytes would keep those of all records that came with it.
        stranger.results.push((Message { key: None, value: None, ..message }, result));
        self.results += 1;
        true
    }

    /// What was held of a monitor, in order.
    pub fn take(&mut self, monitor: MonitorId) -> Vec<(Message, CheckResult)> {
        let taken = self.monitors.remove(&monitor).map_or_else(Vec::new, |stranger| stranger.results);
        self.results -= taken.len();
        taken
    }

    /// Gives up those of which `is_unknown` says so after users' list had come as far as `status`, where it has
    /// come past them; says how many results.
    pub fn give_up(&mut self, status: &Status, is_unknown: impl Fn(MonitorId) -> bool) -> u64 {
        self.keep(|id, stranger| {
            let held = stranger.since.elapsed();
            let asked = status.age.is_some_and(|age| age < held);
            (held < LONGEST && !(asked && stranger.revision <= status.revision)) || !is_unknown(id)
        })
    }

    /// Partitions are no longer ours.
    pub fn shut(&mut self, partitions: &[i32]) {
        self.keep(|_, stranger| !stranger.results.iter().any(|(message, _)| partitions.contains(&message.partition)));
    }

    /// A commit goes no further than what is held.
    pub fn hold_back(&self, offsets: &mut [OffsetRow]) {
        for (message, _) in self.monitors.values().flat_map(|stranger| &stranger.results) {
            if let Some(row) = offsets.iter_mut().find(|row| row.partition == message.partition) {
                row.next_offset = row.next_offset.min(message.offset);
            }
        }
    }

    fn keep(&mut self, keep: impl Fn(MonitorId, &Stranger) -> bool) -> u64 {
        let before = self.results;
        self.monitors.retain(|id, stranger| keep(*id, stranger));
        self.results = self.monitors.values().map(|stranger| stranger.results.len()).sum();
        (before - self.results) as u64
    }
}

#[cfg(test)]
mod tests {
    use model::{Outcome, Phases};
    use uuid::Uuid;

    use super::*;

    fn read(monitor: u128, offset: i64, revision: i64) -> (Message, CheckResult) {
        let message = Message {
            topic: "results".into(),
            partition: 3,
            offset,
            timestamp_ms: 0,
            key: Some(vec![1].into()),
            value: Some(vec![1].into()),
            traceparent: None,
        };
        let result = CheckResult {
            monitor: Uuid::from_u128(monitor).into(),
            region: "local".parse().expect("a region"),
            slot: 0,
            interval_ms: 60_000,
            outcome: Outcome::Down,
            cause: None,
            detail: None,
            latency_us: None,
            phases: Phases::default(),
            status: None,
            certificate_expires_at: None,
            attempts: 1,
            started_at: 0,
            epoch: 1,
            pinger: String::new(),
            revision,
            suspect: false,
        };
        (message, result)
    }

    fn hold(strangers: &mut Strangers, monitor: u128, offset: i64, revision: i64) -> bool {
        let (message, result) = read(monitor, offset, revision);
        strangers.hold(message, result)
    }

    fn committed(strangers: &Strangers) -> i64 {
        let mut rows = [OffsetRow { partition: 3, epoch: 1, next_offset: 100, judged: 0 }];
        strangers.hold_back(&mut rows);
        rows[0].next_offset
    }

    fn status(revision: i64, age: Option<Duration>) -> Status {
        Status { monitors: 0, revision, age }
    }

    #[test]
    fn the_offset_waits_for_what_is_held() {
        let mut strangers = Strangers::default();
        assert!([(1, 40), (2, 41), (1, 42)].into_iter().all(|(monitor, offset)| hold(&mut strangers, monitor, offset, 1)));
        assert_eq!(committed(&strangers), 40);
        let taken = strangers.take(Uuid::from_u128(1).into());
        assert_eq!(taken.iter().map(|(message, _)| message.offset).collect::<Vec<_>>(), [40, 42]);
        assert_eq!((taken[0].0.value.as_ref(), committed(&strangers)), (None, 41));
        strangers.shut(&[3]);
        assert_eq!((strangers.monitors().len(), strangers.results, committed(&strangers)), (0, 0, 100));
    }

    #[test]
    fn a_monitor_is_gone_once_the_list_has_come_past_it_without_it() {
        let mut strangers = Strangers::default();
        assert!(hold(&mut strangers, 1, 40, 7));
        let just_now = Some(Duration::ZERO);
        assert_eq!(strangers.give_up(&status(6, just_now), |_| true), 0, "it is to come");
        assert_eq!(strangers.give_up(&status(9, Some(LONGEST)), |_| true), 0, "users were not asked since");
        assert_eq!(strangers.give_up(&status(9, None), |_| true), 0);
        assert_eq!(strangers.give_up(&status(7, just_now), |_| false), 0, "it is known by now");
        assert_eq!(strangers.give_up(&status(7, just_now), |_| true), 1);
        assert!(strangers.monitors.is_empty());
    }

    #[test]
    fn so_many_are_held_and_no_more() {
        let mut strangers = Strangers::default();
        let offsets = || 0..i64::try_from(MOST).expect("small");
        assert!(offsets().all(|offset| hold(&mut strangers, 1, offset, 1)));
        assert!(!hold(&mut strangers, 2, 0, 1));
        assert_eq!(strangers.take(Uuid::from_u128(1).into()).len(), MOST);
        assert!(hold(&mut strangers, 2, 0, 1));
    }
}
