//! Every key of Redis, built in one place. `{p}` below is the prefix (`REDIS_PREFIX`).

use std::sync::Arc;

use model::{Millis, MonitorId, Region, Shard};

/// Builds keys under one prefix.
#[derive(Debug, Clone)]
pub struct Keys {
    prefix: Arc<str>,
    /// Leads the keys of live state: the prefix, and the generation unless it is the first.
    derived: Arc<str>,
    generation: Arc<str>,
}

impl Keys {
    pub fn new(prefix: &str) -> Self {
        Self { prefix: prefix.into(), derived: prefix.into(), generation: "".into() }
    }

    /// The same keys, those of live state (`{d}` below) in a generation of their own: `{p}:{generation}`.
    #[must_use]
    pub fn in_generation(&self, generation: &str) -> Self {
        let derived = if generation.is_empty() { Arc::clone(&self.prefix) } else { format!("{}:{generation}", self.prefix).into() };
        Self { prefix: Arc::clone(&self.prefix), derived, generation: generation.into() }
    }

    /// The generation these keys are in; empty for the first.
    pub fn generation_name(&self) -> &str {
        &self.generation
    }

    /// Which generation of live state is shown: `{p}:live-generation`; absent for the first.
    pub fn live_generation(&self) -> String {
        format!("{}:live-generation", self.prefix)
    }

    /// The generation a replay is staging, or staged last: `{p}:staged-generation`.
    pub fn staged_generation(&self) -> String {
        format!("{}:staged-generation", self.prefix)
    }

    /// What the keys of latest results begin with.
    pub fn live_start(&self) -> String {
        format!("{}:live:", self.derived)
    }

    /// What the keys of live state begin with, all of it.
    pub fn derived_starts(&self) -> [String; 3] {
        [self.live_start(), format!("{}:hours:", self.derived), format!("{}:block:", self.derived)]
    }

    /// Who checks a shard: `{p}:lease:{region}:{shard}` = owner token, with a time to live.
    pub fn lease(&self, region: &Region, shard: Shard) -> String {
        format!("{}:lease:{region}:{shard}", self.prefix)
    }

    /// Fencing epoch of a shard, grows with every acquisition: `{p}:epoch:{region}:{shard}`.
    pub fn epoch(&self, region: &Region, shard: Shard) -> String {
        format!("{}:epoch:{region}:{shard}", self.prefix)
    }

    /// Up to which instant a shard's slots are on the log: `{p}:progress:{region}:{shard}`.
    pub fn progress(&self, region: &Region, shard: Shard) -> String {
        format!("{}:progress:{region}:{shard}", self.prefix)
    }

    /// Live pingers of a region: `{p}:members:{region}`, sorted set of token by expiry.
    pub fn members(&self, region: &Region) -> String {
        format!("{}:members:{region}", self.prefix)
    }

    /// What a pinger says of itself: `{p}:prober:{region}:{pinger}`, JSON, with a time to live.
    pub fn prober(&self, region: &Region, pinger: &str) -> String {
        format!("{}:prober:{region}:{pinger}", self.prefix)
    }

    /// Latest result of a monitor: `{d}:live:{monitor}`, hash of region to JSON.
    pub fn live(&self, monitor: MonitorId) -> String {
        format!("{}:live:{monitor}", self.derived)
    }

    /// Counts of the last hours: `{d}:hours:{monitor}`, hash of `{region}:{hour}` to counts.
    pub fn hours(&self, monitor: MonitorId) -> String {
        format!("{}:hours:{monitor}", self.derived)
    }

    /// A current history block: `{d}:block:{monitor}:{region}:{hour}`, bytes.
    pub fn block(&self, monitor: MonitorId, region: &Region, hour: Millis) -> String {
        format!("{}:block:{monitor}:{region}:{hour}", self.derived)
    }

    /// The judged state of a monitor: `{p}:verdict:{monitor}`, JSON.
    pub fn verdict(&self, monitor: MonitorId) -> String {
        format!("{}:verdict:{monitor}", self.prefix)
    }

    /// The newest judged slot of each region: `{p}:judged`, sorted set of region by slot.
    pub fn judged(&self) -> String {
        format!("{}:judged", self.prefix)
    }

    /// A session by the hash of its token: `{p}:session:{sha256 hex}`, JSON; empty for a while after its end.
    pub fn session(&self, token_hash: &str) -> String {
        format!("{}:session:{token_hash}", self.prefix)
    }

    /// Vanishes when Redis is emptied: `{p}:generation`.
    pub fn generation(&self) -> String {
        format!("{}:generation", self.prefix)
    }

    /// The generation into which live state was restored from PostgreSQL, and what was owed when that began: `{p}:restored`.
    pub fn restored(&self) -> String {
        format!("{}:restored", self.prefix)
    }

    /// Grows when something is lost from live state, or left out of it, that another restore brings: `{p}:owed`.
    pub fn owed(&self) -> String {
        format!("{}:owed", self.prefix)
    }

    /// Channel of live updates: `{p}:updates`.
    pub fn updates(&self) -> String {
        format!("{}:updates", self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn keys_are_what_the_other_services_read() {
        let keys = Keys::new("p");
        let region: Region = "local".parse().expect("a region");
        let monitor = MonitorId(Uuid::from_u128(1));
        assert_eq!(keys.lease(&region, Shard(3)), "p:lease:local:3");
        assert_eq!(keys.epoch(&region, Shard(3)), "p:epoch:local:3");
        assert_eq!(keys.progress(&region, Shard(3)), "p:progress:local:3");
        assert_eq!(keys.members(&region), "p:members:local");
        assert_eq!(keys.live(monitor), "p:live:00000000-0000-0000-0000-000000000001");
        assert_eq!(keys.hours(monitor), "p:hours:00000000-0000-0000-0000-000000000001");
        assert_eq!(keys.block(monitor, &region, 7), "p:block:00000000-0000-0000-0000-000000000001:local:7");
        assert_eq!(keys.verdict(monitor), "p:verdict:00000000-0000-0000-0000-000000000001");
        assert_eq!(keys.judged(), "p:judged");
        assert_eq!(keys.session("ab"), "p:session:ab");
        let other = keys.in_generation("r1");
        assert_eq!(other.live(monitor), "p:r1:live:00000000-0000-0000-0000-000000000001");
        assert_eq!(other.verdict(monitor), keys.verdict(monitor), "only live state has generations");
        assert_eq!(other.in_generation("").live(monitor), keys.live(monitor));
        assert_eq!((keys.generation(), keys.updates()), ("p:generation".to_owned(), "p:updates".to_owned()));
    }
}
