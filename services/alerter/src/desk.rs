//! The cases under judgement: one per monitor, by partition, in memory. Written to PostgreSQL with the
//! offset that led to them.

mod newest;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use cache::{VerdictUpdate, VerdictWrite};
use model::alerting::{Folded, MonitorState, Note, Policy, Shown, Transition, acknowledge, close, fold, shown};
use model::{CheckResult, IncidentId, Millis, Monitor, MonitorId, Region, Slot};
use store::incidents::{OffsetRow, StateRow, StoredState, TakenPartition};

use crate::heartbeat::SILENCE_MS;
use newest::Newest;

/// A steady state is written this seldom: an older one judges what is to come in the same way.
const STEADY_WRITES_MS: Millis = 5 * 60_000;

/// A partition that is ours.
#[derive(Debug, Clone)]
struct Held {
    epoch: i64,
    /// Everything before is judged.
    next_offset: i64,
    /// Everything before is committed.
    committed: i64,
    /// Behind: what is decided now is announced once this is over.
    catching_up: Option<CatchingUp>,
    /// When the newest check that was judged here began, or up to when it was judged when it became ours.
    through: Millis,
    /// Between checks of the busiest monitor, when it was last looked for; none where nothing is to be judged.
    interval: Option<Millis>,
}

/// A partition whose log is not read to its end.
#[derive(Debug, Clone, Copy)]
pub struct CatchingUp {
    pub since: Instant,
    /// Where the log ended when it began, once that is known: however much comes meanwhile, it is reached.
    pub until: Option<i64>,
}

impl CatchingUp {
    fn begin() -> Self {
        Self { since: Instant::now(), until: None }
    }
}

impl Held {
    /// Up to when it is judged: the present, where nothing is to be judged or something was lately.
    fn judged(&self, now: Millis) -> Millis {
        let present = self.interval.is_none_or(|interval| now - self.through <= SILENCE_MS.max(interval.saturating_mul(2)));
        if present { now } else { self.through }
    }
}

/// One monitor's case.
#[derive(Debug)]
struct Case {
    state: MonitorState,
    partition: i32,
    policy: Option<(i64, Arc<Policy>)>,
    /// The monitor as it was last known; after a deletion the only one who knows its name.
    monitor: Option<Arc<Monitor>>,
    /// What PostgreSQL holds was steady, and when it was written.
    written: Option<(bool, Millis)>,
    shown: Option<Shown>,
}

impl Case {
    fn new(partition: i32) -> Self {
        Self { state: MonitorState::default(), partition, policy: None, monitor: None, written: None, shown: None }
    }

    fn policy_for(&mut self, monitor: &Arc<Monitor>) -> Arc<Policy> {
        match &self.policy {
            Some((revision, policy)) if *revision == monitor.revision => Arc::clone(policy),
            _ => {
                let policy = Arc::new(Policy::of(monitor));
                self.policy = Some((monitor.revision, Arc::clone(&policy)));
                self.monitor = Some(Arc::clone(monitor));
                policy
            }
        }
    }
}

/// A transition with what it concerns.
#[derive(Debug, Clone)]
pub struct Decided {
    pub monitor: MonitorId,
    /// As last known; absent for a monitor that was deleted while nobody watched.
    pub settings: Option<Arc<Monitor>>,
    pub partition: i32,
    pub transition: Transition,
    pub traceparent: Option<String>,
    /// Decided while catching up.
    pub held: bool,
}

/// All cases of the partitions that are ours.
#[derive(Debug, Default)]
pub struct Desk {
    partitions: HashMap<i32, Held>,
    cases: HashMap<MonitorId, Case>,
    /// Cases that changed since the last commit.
    dirty: HashSet<MonitorId>,
    /// Cases that are gone, with their partition.
    forgotten: HashMap<MonitorId, i32>,
    /// Cases whose shown state may have changed since it was last told.
    to_show: HashSet<MonitorId>,
    newest: Newest,
}

impl Desk {
    /// Partitions are ours from now on, with the states committed for them.
    pub fn open(&mut self, taken: Vec<TakenPartition>, states: Vec<StoredState>) {
        for one in taken {
            let held = Held {
                epoch: one.epoch,
                next_offset: one.next_offset,
                committed: one.next_offset,
                catching_up: Some(CatchingUp::begin()),
                through: one.judged,
                // Something is, until we know better.
                interval: Some(0),
            };
            self.partitions.insert(one.partition, held);
        }
        self.restore(states);
    }

    /// Puts committed states in place of none.
    pub fn restore(&mut self, states: Vec<StoredState>) {
        for stored in states {
            let case = self.cases.entry(stored.monitor).or_insert_with(|| Case::new(stored.partition));
            case.state = stored.state;
            case.partition = stored.partition;
            // Whether it is steady depends on a policy that is not known here; written anew at the next change.
            case.written = None;
        }
    }

    /// Partitions are no longer ours; what was not committed is forgotten.
    pub fn shut(&mut self, partitions: &[i32]) {
        for partition in partitions {
            self.partitions.remove(partition);
        }
        let gone: Vec<MonitorId> = self.cases.iter().filter(|(_, case)| partitions.contains(&case.partition)).map(|(id, _)| *id).collect();
        for id in gone {
            self.cases.remove(&id);
            self.dirty.remove(&id);
            self.to_show.remove(&id);
        }
        // Their states stay for the next owner, who ends what is open.
        self.forgotten.retain(|_, partition| !partitions.contains(partition));
    }

    /// The partitions that are ours.
    pub fn partitions(&self) -> Vec<i32> {
        self.partitions.keys().copied().collect()
    }

    /// Where to go on in a partition; `None` where it is not ours.
    pub fn position(&self, partition: i32) -> Option<i64> {
        self.partitions.get(&partition).map(|held| held.next_offset)
    }

    pub fn advance(&mut self, partition: i32, next_offset: i64) {
        if let Some(held) = self.partitions.get_mut(&partition) {
            held.next_offset = next_offset;
        }
    }

    pub fn knows(&self, monitor: MonitorId) -> bool {
        self.cases.contains_key(&monitor)
    }

    pub fn monitors(&self) -> Vec<MonitorId> {
        self.cases.keys().copied().collect()
    }

    pub fn len(&self) -> usize {
        self.cases.len()
    }

    /// Looks for the busiest monitor of each partition that is not paused; says the interval of the busiest of all, none without
    /// partitions or monitors.
    pub fn shortest_interval(&mut self) -> Option<Millis> {
        let mut shortest: HashMap<i32, Millis> = HashMap::new();
        for case in self.cases.values() {
            if let Some((_, policy)) = case.policy.as_ref().filter(|(_, policy)| policy.active) {
                let known = shortest.entry(case.partition).or_insert(policy.interval_ms);
                *known = policy.interval_ms.min(*known);
            }
        }
        for (partition, held) in &mut self.partitions {
            held.interval = shortest.get(partition).copied();
        }
        self.partitions.values().filter_map(|held| held.interval).min()
    }

    /// A check that began then was judged.
    pub fn judged_through(&mut self, partition: i32, started_at: Millis) {
        if let Some(held) = self.partitions.get_mut(&partition) {
            held.through = held.through.max(started_at);
        }
    }

    /// Whether a partition lags behind the present.
    pub fn set_catching_up(&mut self, partition: i32, catching_up: bool) -> bool {
        match self.partitions.get_mut(&partition) {
            Some(held) if held.catching_up.is_some() != catching_up => {
                held.catching_up = catching_up.then(CatchingUp::begin);
                true
            }
            _ => false,
        }
    }

    /// Whether any partition that we have is in the present.
    pub fn is_present(&self) -> bool {
        self.partitions.values().any(|held| held.catching_up.is_none())
    }

    /// Partitions that lag behind, with how far each is judged. `lag` says how much of the log is left, where that is known.
    pub fn catching_up(&mut self, lag: impl Fn(i32) -> Option<i64>) -> Vec<(i32, i64, CatchingUp)> {
        let mut all = Vec::new();
        for (partition, held) in &mut self.partitions {
            if let Some(behind) = &mut held.catching_up {
                behind.until = behind.until.or_else(|| lag(*partition).map(|lag| held.next_offset + lag));
                all.push((*partition, held.next_offset, *behind));
            }
        }
        all
    }

    /// Judges one result.
    pub fn judge(&mut self, partition: i32, monitor: &Arc<Monitor>, result: &CheckResult) -> (Folded, Option<Decided>) {
        let case = self.cases.entry(result.monitor).or_insert_with(|| Case::new(partition));
        case.partition = partition;
        let policy = case.policy_for(monitor);
        let folded = fold(&mut case.state, &policy, result);
        self.newest.note(result);
        if matches!(folded, Folded::Taken(_) | Folded::NoEvidence) {
            self.touch(result.monitor);
        }
        let Folded::Taken(Some(transition)) = &folded else { return (folded, None) };
        let decided = self.decided(result.monitor, Some(Arc::clone(monitor)), transition.as_ref().clone());
        (folded, decided)
    }

    /// The monitor's settings changed.
    pub fn reconfigure(&mut self, monitor: &Arc<Monitor>, now: Millis) -> Option<Decided> {
        let case = self.cases.get_mut(&monitor.id)?;
        let policy = case.policy_for(monitor);
        let transition = if policy.active { None } else { close(&mut case.state, Note::Paused, paused_at(monitor).min(now)) };
        if !policy.active {
            // What was steady is not any more: the evidence is gone.
            case.written = None;
        }
        self.touch(monitor.id);
        self.decided(monitor.id, Some(Arc::clone(monitor)), transition?)
    }

    /// The monitor is gone.
    pub fn delete(&mut self, id: MonitorId, now: Millis) -> Option<Decided> {
        let case = self.cases.get_mut(&id)?;
        let (settings, partition) = (case.monitor.clone(), case.partition);
        let closed = close(&mut case.state, Note::Deleted, now);
        let decided = closed.and_then(|transition| self.decided(id, settings, transition));
        self.cases.remove(&id);
        self.dirty.remove(&id);
        self.to_show.remove(&id);
        self.forgotten.insert(id, partition);
        decided
    }

    /// Someone has seen it.
    pub fn acknowledge(&mut self, id: MonitorId, incident: IncidentId, now: Millis) -> Option<Decided> {
        let case = self.cases.get_mut(&id)?;
        let settings = case.monitor.clone();
        let transition = acknowledge(&mut case.state, incident, now)?;
        self.touch(id);
        self.decided(id, settings, transition)
    }

    fn touch(&mut self, id: MonitorId) {
        self.dirty.insert(id);
        self.to_show.insert(id);
    }

    /// The newest judged slot of every region, where that is to be told.
    pub fn newest_judged(&mut self) -> Option<Vec<(Region, Slot)>> {
        self.newest.untold()
    }

    fn decided(&self, monitor: MonitorId, settings: Option<Arc<Monitor>>, transition: Transition) -> Option<Decided> {
        let partition = self.cases.get(&monitor)?.partition;
        let held = self.partitions.get(&partition).is_some_and(|held| held.catching_up.is_some());
        Some(Decided { monitor, settings, partition, transition, traceparent: None, held })
    }

    /// Whether a commit would write anything.
    pub fn is_dirty(&self) -> bool {
        !self.forgotten.is_empty() || self.partitions.values().any(|held| held.next_offset != held.committed) || !self.dirty.is_empty()
    }

    /// The rows of a commit: every offset, so that the fence covers all that is written.
    pub fn rows(&self, now: Millis) -> (Vec<OffsetRow>, Vec<StateRow>, Vec<MonitorId>) {
        let offsets = self.partitions.iter().map(|(partition, held)| OffsetRow {
            partition: *partition,
            epoch: held.epoch,
            next_offset: held.next_offset,
            judged: held.judged(now),
        });
        let states = self.dirty.iter().filter_map(|id| {
            let case = self.cases.get(id)?;
            let steady = is_steady(case);
            let fresh = case.written.is_some_and(|(written_steady, at)| written_steady && now - at < STEADY_WRITES_MS);
            if (steady && fresh) || !self.partitions.contains_key(&case.partition) {
                return None;
            }
            // A state always serialises: its keys are strings.
            let state = serde_json::to_value(&case.state).unwrap_or_default();
            Some(StateRow { monitor: *id, partition: case.partition, state })
        });
        (offsets.collect(), states.collect(), self.forgotten.keys().copied().collect())
    }

    /// The commit of [`Desk::rows`] is done.
    pub fn committed(&mut self, offsets: &[OffsetRow], states: &[StateRow], now: Millis) {
        for row in offsets {
            if let Some(held) = self.partitions.get_mut(&row.partition) {
                held.committed = row.next_offset;
            }
        }
        for row in states {
            if let Some(case) = self.cases.get_mut(&row.monitor) {
                case.written = Some((is_steady(case), now));
            }
        }
        self.dirty.clear();
        self.forgotten.clear();
    }

    /// What is shown of the cases that changed, where it is not what was told last.
    pub fn changed_shown(&mut self, now: Millis) -> Vec<VerdictWrite> {
        let touched = std::mem::take(&mut self.to_show);
        let mut changed = Vec::new();
        for id in touched {
            let Some(case) = self.cases.get_mut(&id) else { continue };
            if let Some((new, true)) = look(&self.partitions, id, case, now) {
                changed.push(new);
            }
        }
        changed
    }

    /// What is shown of every case, and whether that is news.
    pub fn all_shown(&mut self, now: Millis) -> Vec<(VerdictWrite, bool)> {
        self.to_show.clear();
        self.newest.tell_again();
        self.cases.iter_mut().filter_map(|(id, case)| look(&self.partitions, *id, case, now)).collect()
    }
}

/// Since when a monitor is paused, by users' clock: the same for every alerter, and before whatever is checked once it is resumed.
/// By a clock of ours that is ahead, what comes after the pause would seem to come from before it.
fn paused_at(monitor: &Monitor) -> Millis {
    monitor.segments.last().map_or(monitor.updated_at, |segment| segment.from)
}

fn is_steady(case: &Case) -> bool {
    case.policy.as_ref().is_some_and(|(_, policy)| case.state.is_steady(policy))
}

/// What to show, and whether it differs from what was told last in more than the slot.
fn look(partitions: &HashMap<i32, Held>, monitor: MonitorId, case: &mut Case, now: Millis) -> Option<(VerdictWrite, bool)> {
    let (_, policy) = case.policy.as_ref()?;
    let (partition, epoch) = (case.partition, partitions.get(&case.partition)?.epoch);
    let new = shown(&case.state, policy, now);
    let news = case.shown.as_ref().is_none_or(|old| Shown { slot: new.slot, ..old.clone() } != new);
    case.shown = Some(new.clone());
    Some((VerdictWrite { update: VerdictUpdate { monitor, verdict: new }, partition, epoch }, news))
}

#[cfg(test)]
mod tests;
