//! The faults of disks, stores and clocks, on a mesh whose stores are all its own.

use std::time::Duration;

use super::Storm;
use crate::row::Row;

/// One kind of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    Spool,
    RedisKilled,
    RedisDump,
    RedisAway,
    Postgres,
    Clock,
    ServiceClock,
}

impl Fault {
    pub const ALL: [Self; 7] =
        [Self::Spool, Self::RedisKilled, Self::Postgres, Self::RedisAway, Self::Clock, Self::ServiceClock, Self::RedisDump];
    /// For `make test`. A dump that is old, and a full disk, take their time.
    pub const SHORT: [Self; 6] = [Self::Spool, Self::RedisKilled, Self::Postgres, Self::RedisAway, Self::Clock, Self::ServiceClock];

    pub fn row(self) -> Row {
        const ALL: &str = "no slot absent, none twice, no up or down the target did not show; alerts are the transitions";
        match self {
            Self::Spool => Row::new(
                "9",
                "spool: flipped bits and torn tails while the pingers are dead, a disk of 32 kB",
                "every damage is found, nobody panics, what is lost or given up is recorded as missed; and all of row 1",
            ),
            Self::RedisKilled => Row::new("10", "Redis kill -9 and restart, with its data or without", ALL),
            Self::RedisDump => Row::new(
                "11b",
                "Redis put back to an older dump",
                "the same bytes as history again, also of what is checked no more; all of row 1",
            ),
            Self::RedisAway => Row::new(
                "12",
                "Redis away while people ask",
                "≥ 99.9 % of slots are checked; no answer of 5xx, each says how old it is; all of row 1",
            ),
            Self::Postgres => Row::new("13", "PostgreSQL stopped hard, in the middle of transactions too; away for longer", ALL),
            Self::Clock => Row::new(
                "18",
                "a pinger's clock set ±5 min, wrong from the start, drifting by a fifth",
                "no result of a slot that is not the one of its time; all of row 1",
            ),
            Self::ServiceClock => {
                Row::new("18b", "of two processors, then of two alerters, one's clock is 5 min ahead and the other's 5 min behind", ALL)
            }
        }
    }
}

impl Storm {
    /// `amount` scales with the time there is; 1 is the short form.
    pub(super) async fn disturb(&mut self, fault: Fault, amount: u64, row: &mut Row) {
        let short = amount <= 1;
        let seconds = |short_form: u64, long: u64| Duration::from_secs(if short { short_form } else { long });
        match fault {
            Fault::Spool => self.spools(amount.min(6), row).await,
            Fault::RedisKilled => self.redis_kills(amount * 2, row).await,
            Fault::RedisDump => self.redis_dump(seconds(15, 100), row).await,
            Fault::RedisAway => self.redis_away(seconds(10, 40), row).await,
            Fault::Postgres => self.postgres_stops(amount * 3, seconds(0, 60), row).await,
            Fault::Clock => self.clocks(amount.min(5), row).await,
            Fault::ServiceClock => self.service_clocks(row).await,
        }
    }
}
