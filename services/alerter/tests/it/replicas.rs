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

#[tokio::test(flavor = "multi_thread")]
async fn a_zombie_commits_nothing() {
    let mut mesh = Mesh::new(1, 1, Told::SlackWebhook).await;
    let zombie = mesh.alerter();
    mesh.all(Down).await;
    eventually("the partition is taken", LONG, async || {
        (mesh.count("SELECT coalesce(sum(next_offset), 0)::bigint FROM consumer_offsets").await == 1).then_some(())
    })
    .await;
    // Another alerter takes the partition without the group knowing.
    mesh.count("WITH taken AS (UPDATE consumer_offsets SET epoch = epoch + 1 RETURNING 1) SELECT count(*) FROM taken").await;
    mesh.all(Down).await;
    eventually("the zombie is fenced", LONG, async || (zombie.metric("upmesh_alerter_fenced_total") > 0.5).then_some(())).await;
    assert_eq!(mesh.count("SELECT count(*) FROM alerts").await, 0);
    assert_eq!(mesh.slack.posts().len(), 0);
    zombie.kill();
    let _owner = mesh.alerter();
    mesh.slack.wait_taken(1, LONG).await;
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
