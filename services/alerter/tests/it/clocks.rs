//! Clocks that differ.

use model::Outcome::{Down, Up};
use testkit::eventually;

use crate::mesh::{LONG, Mesh, Told};

/// Far more than a slot may lie in the future.
const TEN_MINUTES: i64 = 600_000;

#[tokio::test(flavor = "multi_thread")]
async fn an_alerter_whose_clock_is_slow_judges_what_is_past_by_users_clock() {
    let mut mesh = Mesh::new(1, 1, Told::SlackWebhook).await;
    // Users and pingers agree; ours is ten minutes slow.
    mesh.set_users_ahead(TEN_MINUTES);
    mesh.slot += TEN_MINUTES;
    let alerter = mesh.alerter();
    mesh.all(Down).await;
    mesh.all(Down).await;
    let posts = mesh.slack.wait_taken(1, LONG).await;
    assert!(posts[0].text().contains("Down: Shop 0"), "{}", posts[0].text());
    // What lies in the future by theirs, too, is passed over: a pinger's clock is ahead.
    mesh.slot += TEN_MINUTES;
    mesh.all(Up).await;
    mesh.all(Up).await;
    eventually("all is read", LONG, async || {
        (mesh.count("SELECT coalesce(sum(next_offset), 0)::bigint FROM consumer_offsets WHERE consumer = 'alerter'").await == 4)
            .then_some(())
    })
    .await;
    alerter.stop().await;
    assert_eq!(mesh.count("SELECT count(*) FROM incidents WHERE state = 'open'").await, 1);
    assert_eq!(mesh.slack.posts().len(), 1);
}
