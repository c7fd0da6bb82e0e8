//! How often an address may do what costs users work: try to log in, come with a token nobody knows. Users counts failed logins
//! over all gateways; this spares it the flood.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use model::{Millis, network};

/// Networks remembered; beyond, those whose allowance is whole again are forgotten.
const MAX_NETWORKS: usize = 10_000;

/// One allowance per network (GCRA: a single instant says how much of it is used).
#[derive(Debug)]
pub(crate) struct Limit {
    /// How many at once, and how long one takes to come back.
    burst: Millis,
    refill_ms: Millis,
    used: Mutex<HashMap<IpAddr, Millis>>,
}

impl Limit {
    /// Of attempts to log in.
    pub(crate) fn logins() -> Self {
        Self { burst: 30, refill_ms: 2_000, used: Mutex::default() }
    }

    /// Of tokens that have to be asked for and turn out to be nobody's. Wide enough for an office whose sessions have all ended.
    pub(crate) fn unknown_tokens() -> Self {
        Self { burst: 60, refill_ms: 500, used: Mutex::default() }
    }

    /// Takes one; refused with the seconds to wait.
    pub(crate) fn take(&self, address: IpAddr, now: Millis) -> Result<(), u32> {
        let address = network(address);
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if used.len() >= MAX_NETWORKS {
            used.retain(|_, until| *until > now);
        }
        let until = used.get(&address).copied().unwrap_or(now).max(now);
        let wait = until - now - (self.burst - 1) * self.refill_ms;
        // A flood from ever new networks fills the table; then nobody new gets in until it ebbs.
        if wait > 0 || (used.len() >= MAX_NETWORKS && !used.contains_key(&address)) {
            return Err(u32::try_from(wait.max(self.refill_ms).div_euclid(1000) + 1).unwrap_or(60));
        }
        used.insert(address, until + self.refill_ms);
        Ok(())
    }

    /// What was taken cost nobody anything.
    pub(crate) fn give_back(&self, address: IpAddr, now: Millis) {
        let address = network(address);
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(until) = used.get_mut(&address) {
            *until -= self.refill_ms;
            if *until <= now {
                used.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_a_trickle() {
        let limit = Limit::logins();
        let (one, other): (IpAddr, IpAddr) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
        for _ in 0..30 {
            assert_eq!(limit.take(one, 0), Ok(()));
        }
        assert!(limit.take(one, 0).is_err_and(|seconds| (1..=4).contains(&seconds)));
        assert_eq!(limit.take(other, 0), Ok(()));
        assert_eq!(limit.take(one, 2_000), Ok(()));
        assert!(limit.take(one, 2_000).is_err());
        limit.give_back(one, 2_000);
        assert_eq!(limit.take(one, 2_000), Ok(()));
        assert!(limit.take(one, 2_000).is_err());
    }

    #[test]
    fn an_ipv6_network_is_one_address() {
        let limit = Limit::logins();
        let address = |last| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, last]);
        let taken = (0..100).filter(|n| limit.take(address(*n), 0).is_ok()).count();
        assert_eq!(taken, 30);
    }
}
