//! What a message says, before it is put into a channel's form.

use model::{IncidentId, Millis, MonitorId, WorkspaceId};
use store::incidents::ClaimedDelivery;
use uuid::Uuid;

/// What happened, as people are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoticeKind {
    Down,
    Acknowledged,
    Recovered,
    /// The probers of a region see nothing: about ourselves, not about a monitor.
    Blind,
    Sees,
}

/// One alert in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    pub kind: NoticeKind,
    pub alert: Uuid,
    pub incident: IncidentId,
    pub sequence: i32,
    pub monitor: MonitorId,
    pub workspace: WorkspaceId,
    pub name: String,
    pub target: String,
    pub cause: Option<String>,
    pub detail: Option<String>,
    pub regions: Vec<String>,
    /// The first failing slot.
    pub since: Millis,
    /// The first passing slot.
    pub until: Option<Millis>,
    pub acknowledged_by: Option<String>,
    /// Why it ended without a recovery.
    pub note: Option<String>,
    /// Slots that became unknown in a blindness.
    pub slots_unknown: i64,
    /// Earlier incidents that nothing was told of: how many, and how long in all.
    pub earlier_times: i32,
    pub earlier_ms: Millis,
    /// The beginning was never delivered, or nobody knows: tell it too.
    pub tells_opening: bool,
    /// An earlier attempt may have arrived.
    pub doubtful: bool,
    pub created_at: Millis,
    /// The incident's first message, on channels that say so.
    pub parent: Option<Parent>,
}

/// Where a message is that others belong to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parent {
    pub channel: String,
    pub ts: String,
    /// The channel as it was set when the message went there.
    pub set: Option<String>,
}

impl Notice {
    /// The words of a claimed delivery.
    pub fn of(delivery: &ClaimedDelivery) -> Self {
        Self {
            kind: match (delivery.kind.as_str(), delivery.sight.is_some()) {
                ("resolved", true) => NoticeKind::Sees,
                (_, true) => NoticeKind::Blind,
                ("resolved", false) => NoticeKind::Recovered,
                ("acknowledged", false) => NoticeKind::Acknowledged,
                (_, false) => NoticeKind::Down,
            },
            alert: delivery.alert,
            incident: delivery.incident,
            sequence: delivery.sequence,
            monitor: delivery.monitor,
            workspace: delivery.workspace,
            name: delivery.monitor_name.clone(),
            target: delivery.target.clone(),
            cause: delivery.cause.clone(),
            detail: delivery.detail.clone(),
            regions: delivery.regions.clone(),
            since: delivery.opened_at,
            until: delivery.resolved_at,
            acknowledged_by: delivery.acknowledged_by.clone(),
            note: delivery.note.clone(),
            slots_unknown: delivery.sight.as_ref().map_or(0, |(_, slots)| *slots),
            earlier_times: delivery.earlier_times,
            earlier_ms: delivery.earlier_ms,
            tells_opening: delivery.tells_opening,
            doubtful: delivery.doubtful,
            created_at: delivery.created_at,
            parent: delivery.parent_channel.clone().zip(delivery.parent_ts.clone()).map(|(channel, ts)| Parent {
                channel,
                ts,
                set: delivery.parent_set.clone(),
            }),
        }
    }

    /// About ourselves.
    pub fn is_sight(&self) -> bool {
        matches!(self.kind, NoticeKind::Blind | NoticeKind::Sees)
    }

    /// `Was down 3 times, 12 min in all`, where nothing was told of the earlier ones.
    /// An end without a recovery (paused, deleted) is no news, unless it carries outages that nothing was told of.
    pub fn is_news(&self) -> bool {
        self.note.is_none() || self.earlier_times > 0
    }

    pub fn history(&self) -> Option<String> {
        if self.earlier_times == 0 {
            return None;
        }
        let times = |n: i32| if n == 1 { "once".to_owned() } else { format!("{n} times") };
        Some(match self.duration_ms() {
            Some(last) => format!("Was down {}, {} in all", times(self.earlier_times + 1), duration_words(self.earlier_ms + last)),
            None => format!("Was down {} before, {} in all", times(self.earlier_times), duration_words(self.earlier_ms)),
        })
    }

    /// How long it was down, once that is known.
    pub fn duration_ms(&self) -> Option<Millis> {
        self.until.map(|until| (until - self.since).max(0))
    }
}

/// A cause in words; an unknown one as it is.
pub fn cause_words(cause: &str) -> &str {
    match cause {
        "timeout" => "no answer in time",
        "dns_not_found" => "the name does not resolve",
        "connection_refused" => "connection refused",
        "connection_reset" => "connection reset",
        "unreachable" => "host unreachable",
        "tls" => "TLS handshake failed",
        "certificate" => "certificate not valid",
        "protocol" => "the answer is no valid HTTP",
        "redirect" => "redirects that cannot be followed",
        "status" => "unexpected status",
        "assertion" => "unexpected content",
        "latency" => "too slow",
        "certificate_expiry" => "certificate expires soon",
        "packet_loss" => "no echo reply",
        // Of a blindness.
        "network" => "neither the canaries nor other targets can be reached from there",
        "resolver" => "its resolver does not answer",
        "resources" => "it is out of file descriptors, ports or memory",
        other => other,
    }
}

/// `45 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`: the two largest units.
pub fn duration_words(ms: Millis) -> String {
    let seconds = (ms.max(0) + 500) / 1000;
    let units = [(86_400, "d"), (3600, "h"), (60, "min"), (1, "s")];
    let first = units.iter().position(|(size, _)| seconds >= *size).unwrap_or(units.len() - 1);
    let mut words = Vec::new();
    let mut rest = seconds;
    for (size, unit) in units.iter().skip(first).take(2) {
        let count = rest / size;
        rest %= size;
        if count > 0 || words.is_empty() {
            words.push(format!("{count} {unit}"));
        }
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well() {
        let cases =
            [(0, "0 s"), (45_000, "45 s"), (60_000, "1 min"), (200_000, "3 min 20 s"), (7_500_000, "2 h 5 min"), (273_600_000, "3 d 4 h")];
        for (ms, words) in cases {
            assert_eq!(duration_words(ms), words);
        }
    }
}
