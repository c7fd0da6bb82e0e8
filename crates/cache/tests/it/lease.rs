use std::time::Duration;

use cache::{Cache, Leases, Renewal, redis};
use model::{Region, Shard};

use crate::fresh;

fn region() -> Region {
    "local".parse().expect("a region")
}

fn leases(cache: &Cache, owner: &str, ttl_ms: u64) -> Leases {
    Leases::new(cache.clone(), region(), owner.to_owned(), Duration::from_millis(ttl_ms))
}

#[tokio::test]
async fn one_shard_has_one_owner_and_each_acquisition_a_larger_epoch() {
    let cache = fresh();
    let (a, b) = (leases(&cache, "a", 60_000), leases(&cache, "b", 60_000));
    let taken = a.acquire(&[Shard(1), Shard(2)]).await.expect("acquired");
    assert_eq!(taken.iter().map(|one| one.shard).collect::<Vec<_>>(), [Shard(1), Shard(2)]);
    assert!(b.acquire(&[Shard(1), Shard(2)]).await.expect("asked").is_empty());

    b.release(&[Shard(1)]).await.expect("not ours: no effect");
    assert!(b.acquire(&[Shard(1)]).await.expect("asked").is_empty());
    a.release(&[Shard(1)]).await.expect("released");
    let next = b.acquire(&[Shard(1)]).await.expect("acquired");
    assert!(next[0].epoch > taken[0].epoch);
    // The zombie is told.
    assert_eq!(
        a.renew(&[(Shard(1), taken[0].epoch), (Shard(2), taken[1].epoch)]).await.expect("renewed"),
        [(Shard(1), Renewal::Lost), (Shard(2), Renewal::Held)]
    );
}

#[tokio::test]
async fn a_dead_owner_is_taken_over_after_the_ttl() {
    let cache = fresh();
    let (a, b) = (leases(&cache, "a", 150), leases(&cache, "b", 150));
    a.acquire(&[Shard(1)]).await.expect("acquired");
    a.join().await.expect("joined");
    assert_eq!(b.join().await.expect("joined"), ["a", "b"]);
    tokio::time::sleep(Duration::from_millis(250)).await;
    assert_eq!(b.join().await.expect("joined"), ["b"]);
    assert_eq!(b.acquire(&[Shard(1)]).await.expect("acquired").len(), 1);
    b.leave().await.expect("left");
    assert_eq!(a.join().await.expect("joined"), ["a"]);
}

#[tokio::test]
async fn progress_never_goes_back_and_a_zombie_is_fenced() {
    let cache = fresh();
    let (a, b) = (leases(&cache, "a", 60_000), leases(&cache, "b", 60_000));
    let old = a.acquire(&[Shard(7)]).await.expect("acquired")[0];
    assert_eq!(old.progress, None);
    assert!(a.advance(&[(Shard(7), old.epoch, 2_000)]).await.expect("advanced").is_empty());
    assert!(a.advance(&[(Shard(7), old.epoch, 1_000)]).await.expect("ignored").is_empty());
    a.release(&[Shard(7)]).await.expect("released");
    let new = b.acquire(&[Shard(7)]).await.expect("acquired")[0];
    assert_eq!(new.progress, Some(2_000));
    assert_eq!(a.advance(&[(Shard(7), old.epoch, 9_000)]).await.expect("asked"), [Shard(7)]);
    assert!(b.advance(&[(Shard(7), new.epoch, 3_000)]).await.expect("advanced").is_empty());
    let stands: i64 = cache.query(redis::cmd("GET").arg(cache.keys().progress(&region(), Shard(7)))).await.expect("stands");
    assert_eq!(stands, 3_000);
}

#[tokio::test]
async fn an_emptied_redis_gives_the_lease_back_to_its_holder() {
    let cache = fresh();
    let (a, b) = (leases(&cache, "a", 60_000), leases(&cache, "b", 60_000));
    let held = a.acquire(&[Shard(7)]).await.expect("acquired")[0];
    let keys = cache.keys();
    cache.query::<()>(redis::cmd("DEL").arg(keys.lease(&region(), Shard(7))).arg(keys.epoch(&region(), Shard(7)))).await.expect("emptied");
    assert_eq!(a.renew(&[(Shard(7), held.epoch)]).await.expect("renewed"), [(Shard(7), Renewal::Held)]);
    assert!(b.acquire(&[Shard(7)]).await.expect("asked").is_empty());

    // Emptied again, and another was faster: its epoch is larger, though Redis forgot ours.
    cache.query::<()>(redis::cmd("DEL").arg(keys.lease(&region(), Shard(7))).arg(keys.epoch(&region(), Shard(7)))).await.expect("emptied");
    tokio::time::sleep(Duration::from_millis(5)).await;
    let taken = b.acquire(&[Shard(7)]).await.expect("acquired")[0];
    assert!(taken.epoch > held.epoch);
    b.release(&[Shard(7)]).await.expect("released");
    assert_eq!(a.renew(&[(Shard(7), held.epoch)]).await.expect("renewed"), [(Shard(7), Renewal::Lost)]);
}
