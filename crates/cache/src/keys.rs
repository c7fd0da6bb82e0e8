//! Every key of Redis, built in one place. `{p}` below is the prefix (`REDIS_PREFIX`).

use std::sync::Arc;

use model::{Millis, MonitorId, Region, Shard};

/// Builds keys under one prefix.
#[derive(Debug, Clone)]
pub struct Keys {
    prefix: Arc<str>,
}

impl Keys {
    pub fn new(prefix: &str) -> Self {
        Self { prefix: prefix.into() }
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

    /// Latest result of a monitor: `{p}:live:{monitor}`, hash of region to JSON.
    pub fn live(&self, monitor: MonitorId) -> String {
        format!("{}:live:{monitor}", self.prefix)
    }

    /// Counts of the last hours: `{p}:hours:{monitor}`, hash of `{region}:{hour}` to counts.
    pub fn hours(&self, monitor: MonitorId) -> String {
        format!("{}:hours:{monitor}", self.prefix)
    }

    /// A current history block: `{p}:block:{monitor}:{region}:{hour}`, bytes.
    pub fn block(&self, monitor: MonitorId, region: &Region, hour: Millis) -> String {
        format!("{}:block:{monitor}:{region}:{hour}", self.prefix)
    }

    /// The judged state of a monitor: `{p}:verdict:{monitor}`, JSON.
    pub fn verdict(&self, monitor: MonitorId) -> String {
        format!("{}:verdict:{monitor}", self.prefix)
    }

    /// A session by the hash of its token: `{p}:session:{sha256 hex}`, JSON.
    pub fn session(&self, token_hash: &str) -> String {
        format!("{}:session:{token_hash}", self.prefix)
    }

    /// Vanishes when Redis is emptied: `{p}:generation`.
    pub fn generation(&self) -> String {
        format!("{}:generation", self.prefix)
    }

    /// The generation into which live state was restored from PostgreSQL: `{p}:restored`.
    pub fn restored(&self) -> String {
        format!("{}:restored", self.prefix)
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
        assert_eq!(keys.session("ab"), "p:session:ab");
        assert_eq!((keys.generation(), keys.updates()), ("p:generation".to_owned(), "p:updates".to_owned()));
    }
}
