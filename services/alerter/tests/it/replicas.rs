//! Two alerters at once, and one that thinks it still owns what another took.

use std::collections::HashMap;
use std::time::Duration;

use model::Outcome::{Down, Up};
use testkit::eventually;

use crate::mesh::{LONG, Mesh, Told};

#[tokio::test(flavor = "multi_thread")]
async fn two_alerters_tell_what_one_would_even_while_they_come_and_go() {
    let mut mesh = Mesh::new(24, 4, Told::Webhook).await;
    let first = mesh.alerter();
    let second = mesh.alerter();
    mesh.all(Up).await;
    mesh.all(Down).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    first.kill();
    mesh.all(Down).await;
    let third = mesh.alerter();
    eventually("all are down", Duration::from_mins(1), async || {
        (mesh.count("SELECT count(*) FROM incidents WHERE state = 'open'").await == 24).then_some(())
    })
    .await;
    second.stop().await;
    mesh.all(Up).await;
    mesh.all(Up).await;
    eventually("all is told", Duration::from_mins(1), async || {
        (mesh.count("SELECT count(*) FROM deliveries WHERE state IN ('sent', 'folded')").await == 48).then_some(())
    })
    .await;
    third.stop().await;
    let mut copies: HashMap<String, usize> = HashMap::new();
    for post in mesh.slack.taken() {
        *copies.entry(post.header("webhook-id").expect("an id").to_owned()).or_default() += 1;
    }
    assert_eq!(
        copies.len(),
        48 - usize::try_from(mesh.count("SELECT count(*) FROM deliveries WHERE state = 'folded'").await).expect("few")
    );
    assert!(copies.values().all(|copies| *copies == 1), "{copies:?}");
    assert_eq!(mesh.count("SELECT count(*) FROM alerts").await, 48);
}

/// As another alerter that takes what the group does not give it: it was stopped between the two, or PostgreSQL was away.
const TAKEN: &str = "WITH taken AS (UPDATE consumer_offsets SET epoch = epoch + 1 RETURNING 1) SELECT count(*) FROM taken";

#[tokio::test(flavor = "multi_thread")]
async fn a_zombie_commits_nothing_and_who_is_fenced_asks_the_group_whose_the_partition_is() {
    let mut mesh = Mesh::new(1, 1, Told::SlackWebhook).await;
    let alerter = mesh.alerter();
    mesh.all(Down).await;
    eventually("the partition is taken", LONG, async || {
        (mesh.count("SELECT coalesce(sum(next_offset), 0)::bigint FROM consumer_offsets").await == 1).then_some(())
    })
    .await;
    mesh.count(TAKEN).await;
    let epoch = "SELECT max(epoch) FROM consumer_offsets WHERE consumer = 'alerter'";
    let stolen = mesh.count(epoch).await;
    mesh.all(Down).await;
    eventually("the zombie is fenced", LONG, async || (alerter.metric("upmesh_alerter_fenced_total") > 0.5).then_some(())).await;
    // Nobody else is there: the group gives it the partition again.
    mesh.slack.wait_taken(1, LONG).await;
    assert_eq!(mesh.count(epoch).await, stolen + 1, "taken once more, by the word of the group");
    mesh.all(Up).await;
    mesh.all(Up).await;
    mesh.slack.wait_taken(2, LONG).await;
    alerter.stop().await;
    assert_eq!(mesh.count("SELECT count(*) FROM alerts").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn wherever_a_partition_was_taken_out_of_turn_it_is_judged_and_nobody_duels() {
    let mut mesh = Mesh::new(24, 4, Told::Webhook).await;
    let (first, second) = (mesh.alerter(), mesh.alerter());
    mesh.all(Up).await;
    eventually("both have partitions", LONG, async || {
        (mesh.count("SELECT count(DISTINCT owner) FROM consumer_offsets WHERE consumer = 'alerter'").await == 2).then_some(())
    })
    .await;
    mesh.count(TAKEN).await;
    mesh.all(Down).await;
    mesh.all(Down).await;
    eventually("all are down", Duration::from_mins(1), async || {
        (mesh.count("SELECT count(*) FROM incidents WHERE state = 'open'").await == 24).then_some(())
    })
    .await;
    let fenced = || first.metric("upmesh_alerter_fenced_total") + second.metric("upmesh_alerter_fenced_total");
    let before = fenced();
    mesh.all(Up).await;
    mesh.all(Up).await;
    eventually("all are up", Duration::from_mins(1), async || {
        (mesh.count("SELECT count(*) FROM incidents WHERE state = 'resolved'").await == 24).then_some(())
    })
    .await;
    assert!((fenced() - before).abs() < 0.5, "fenced again: {before} and {}", fenced());
    first.stop().await;
    second.stop().await;
    assert_eq!(mesh.count("SELECT count(*) FROM alerts").await, 48);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_rests_after_a_storm_whichever_alerter_told_it() {
    let mut mesh = Mesh::new(9, 1, Told::SlackWebhook).await;
    let calm = mesh.monitor(8);
    let falling: Vec<_> = (0..8).map(|n| (mesh.monitor(n), Down)).collect();
    mesh.round(&falling).await;
    mesh.round(&falling).await;
    // What was in the log before it came is told together.
    let first = mesh.alerter();
    eventually("the storm is told", LONG, async || {
        (mesh.count("SELECT count(*) FROM deliveries WHERE state = 'sent'").await == 8).then_some(())
    })
    .await;
    first.stop().await;
    let storm = mesh.slack.taken();
    assert_eq!(storm.len(), 1);
    let _second = mesh.alerter();
    mesh.round(&[(calm, Down)]).await;
    mesh.round(&[(calm, Down)]).await;
    let posts = mesh.slack.wait_taken(2, LONG).await;
    let apart = posts[1].at - storm[0].at;
    assert!(apart >= Duration::from_millis(4_900), "told after {apart:?}");
}
