//! Which slots were due, by all of a monitor's schedule segments.

use model::schedule::segment_windows;
use model::{Millis, Monitor, Region, Schedule, ScheduleSegment, Slot};

/// Whether a segment has slots in `region`.
pub(crate) fn is_here(segment: &ScheduleSegment, region: &Region) -> bool {
    segment.active && segment.regions.contains(region)
}

/// The slots due in `[from, to)`, in order, each with the interval it was due by.
pub(super) fn due_slots(monitor: &Monitor, region: &Region, from: Millis, to: Millis) -> impl Iterator<Item = (Slot, Millis)> {
    let id = monitor.id;
    segment_windows(&monitor.segments, from, to).filter(|(segment, ..)| is_here(segment, region)).flat_map(move |(segment, start, end)| {
        let interval_ms = segment.interval_ms;
        Schedule::new(id, region, interval_ms).slots(start, end).map(move |slot| (slot, interval_ms))
    })
}

/// The interval that a slot was due by; none if it was not due.
pub(super) fn interval_at(monitor: &Monitor, region: &Region, slot: Slot) -> Option<Millis> {
    due_slots(monitor, region, slot, slot + 1).next().map(|(_, interval_ms)| interval_ms)
}

/// Since when it has been due here without a pause.
pub(super) fn due_since(monitor: &Monitor, region: &Region) -> Option<Millis> {
    monitor.segments.iter().rev().take_while(|segment| is_here(segment, region)).last().map(|segment| segment.from)
}
