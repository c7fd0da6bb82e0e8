//! Fair shares by rendezvous hashing: every pinger computes the same owner from the same members,
//! and a member that comes or goes moves only its own shards.

use std::hash::Hasher as _;

use model::Shard;

/// Who among `members` should hold `shard`; none only if there are no members.
pub fn owner_of<'a>(shard: Shard, members: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    members.into_iter().max_by_key(|member| (weight(shard, member), *member))
}

/// FNV-1a with a final mix: stable between versions and machines, unlike the hashers of std.
fn weight(shard: Shard, member: &str) -> u64 {
    let mut hash = Fnv(0xcbf2_9ce4_8422_2325);
    hash.write(member.as_bytes());
    hash.write(&shard.0.to_be_bytes());
    let mut mixed = hash.finish();
    mixed ^= mixed >> 33;
    mixed = mixed.wrapping_mul(0xff51_afd7_ed55_8ccd);
    mixed ^= mixed >> 33;
    mixed = mixed.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    mixed ^ (mixed >> 33)
}

struct Fnv(u64);

impl std::hash::Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use model::schedule::SHARDS;

    use super::*;

    fn owners<'a>(members: &[&'a str]) -> Vec<&'a str> {
        (0..SHARDS).filter_map(|shard| owner_of(Shard(shard), members.iter().copied())).collect()
    }

    #[test]
    fn shares_are_about_fair_and_complete() {
        let members = ["a-1", "a-2", "a-3", "a-4"];
        let mut shares: HashMap<&str, u32> = HashMap::new();
        for owner in owners(&members) {
            *shares.entry(owner).or_default() += 1;
        }
        assert_eq!(shares.values().sum::<u32>(), u32::from(SHARDS));
        assert!(members.iter().all(|member| shares.get(member).is_some_and(|share| (6..=30).contains(share))), "{shares:?}");
    }

    #[test]
    fn a_member_that_leaves_moves_only_its_own_shards() {
        let before = owners(&["a", "b", "c"]);
        let after = owners(&["a", "c"]);
        assert!(before.iter().zip(&after).all(|(before, after)| before == after || *before == "b"));
    }

    #[test]
    fn the_order_of_the_members_does_not_matter() {
        assert_eq!(owners(&["a", "b", "c"]), owners(&["c", "a", "b"]));
    }
}
