//! How often an address may try to log in. Users counts attempts per account over all gateways; this
//! spares it the flood.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use model::Millis;

/// Attempts at once, and how long one takes to come back.
const BURST: Millis = 30;
const REFILL_MS: Millis = 2_000;
/// Addresses remembered; beyond, those whose allowance is whole again are forgotten.
const MAX_ADDRESSES: usize = 10_000;

/// One allowance per address (GCRA: a single instant says how much of it is used).
#[derive(Debug, Default)]
pub(crate) struct LoginLimit(Mutex<HashMap<IpAddr, Millis>>);

impl LoginLimit {
    /// Takes one attempt; refused with the seconds to wait.
    pub(crate) fn take(&self, address: IpAddr, now: Millis) -> Result<(), u32> {
        let address = network(address);
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if used.len() >= MAX_ADDRESSES {
            used.retain(|_, until| *until > now);
        }
        let until = used.get(&address).copied().unwrap_or(now).max(now);
        let wait = until - now - (BURST - 1) * REFILL_MS;
        // A flood from ever new addresses fills the table; then nobody new gets in until it ebbs.
        if wait > 0 || (used.len() >= MAX_ADDRESSES && !used.contains_key(&address)) {
            return Err(u32::try_from(wait.max(REFILL_MS).div_euclid(1000) + 1).unwrap_or(60));
        }
        used.insert(address, until + REFILL_MS);
        Ok(())
    }
}

/// Whoever has one IPv6 address has the whole /64.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_a_trickle() {
        let limit = LoginLimit::default();
        let (one, other): (IpAddr, IpAddr) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
        for _ in 0..BURST {
            assert_eq!(limit.take(one, 0), Ok(()));
        }
        assert!(limit.take(one, 0).is_err_and(|seconds| (1..=4).contains(&seconds)));
        assert_eq!(limit.take(other, 0), Ok(()));
        assert_eq!(limit.take(one, REFILL_MS), Ok(()));
        assert!(limit.take(one, REFILL_MS).is_err());
    }

    #[test]
    fn an_ipv6_network_is_one_address() {
        let limit = LoginLimit::default();
        let address = |last| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, last]);
        let taken = (0..100).filter(|n| limit.take(address(*n), 0).is_ok()).count();
        assert_eq!(taken, 30);
    }
}
