//! The Slack incoming webhook: what people read, once.

use std::time::{Duration, Instant};

use model::Outcome::{Down, Unknown, Up};
use model::monitor::AlertPolicy;
use testkit::{SlackBehaviour, eventually};

use crate::mesh::{LONG, Mesh, Told};

#[tokio::test(flavor = "multi_thread")]
async fn down_is_told_once_and_so_is_the_recovery() {
    let mut mesh = Mesh::new(1, 2, Told::SlackWebhook).await;
    let _alerter = mesh.alerter();
    mesh.all(Up).await;
    mesh.all(Down).await;
    mesh.all(Unknown).await;
    mesh.all(Down).await;
    let posts = mesh.slack.wait_taken(1, LONG).await;
    assert!(posts[0].text().contains("Down: Shop 0"), "{}", posts[0].text());
    let body = posts[0].body.to_string();
    for part in ["503 Service Unavailable", "unexpected status", "https://shop0.example.org/", "local", "https://up.example.org/monitors/"]
    {
        assert!(body.contains(part), "{part} is missing in {body}");
    }
    mesh.all(Down).await;
    mesh.all(Up).await;
    mesh.all(Up).await;
    let posts = mesh.slack.wait_taken(2, LONG).await;
    assert!(posts[1].text().contains("Recovered: Shop 0 after 40 s"), "{}", posts[1].text());
    // A moment for a message too many.
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(mesh.slack.posts().len(), 2);
    assert_eq!(mesh.count("SELECT count(*) FROM incidents WHERE state = 'resolved' AND cause = 'status'").await, 1);
    eventually("both alerts are on the topic", LONG, async || {
        (mesh.count("SELECT count(*) FROM alerts WHERE published_at IS NOT NULL").await == 2).then_some(())
    })
    .await;
    let ends =
        kafka::end_offsets(&kafka::KafkaConfig::new(mesh.stack.kafka_brokers.clone(), "test"), &mesh.stack.topics().incidents, LONG).await;
    assert_eq!(ends.expect("offsets").iter().sum::<i64>(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn retries_follow_what_slack_says() {
    let mut mesh = Mesh::new(1, 1, Told::SlackWebhook).await;
    mesh.slack.script([SlackBehaviour::RateLimited(1), SlackBehaviour::Status(503)]);
    let _alerter = mesh.alerter();
    mesh.all(Down).await;
    mesh.all(Down).await;
    let taken = mesh.slack.wait_taken(1, LONG).await;
    assert!(!taken[0].body.to_string().contains("may be a repeat"), "nothing was in doubt");
    let posts = mesh.slack.posts();
    assert_eq!(posts.len(), 3, "two refused, one taken");
    assert!(posts[1].at - posts[0].at >= Duration::from_secs(1), "Retry-After is kept");
    assert_eq!(mesh.count("SELECT attempts::bigint FROM deliveries").await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_not_slacks_is_no_delivery() {
    let mut mesh = Mesh::new(1, 1, Told::SlackWebhook).await;
    mesh.slack.script([SlackBehaviour::Page]);
    let _alerter = mesh.alerter();
    mesh.all(Down).await;
    mesh.all(Down).await;
    let taken = mesh.slack.wait_taken(1, LONG).await;
    assert!(taken[0].text().contains("Down: Shop 0"), "{}", taken[0].text());
    assert!(!taken[0].body.to_string().contains("may be a repeat"), "nothing was in doubt");
    assert_eq!(mesh.slack.posts().len(), 2, "the page took none, Slack one");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_in_words_that_postgresql_does_not_take_is_recorded() {
    let mut mesh = Mesh::new(1, 1, Told::SlackWebhook).await;
    mesh.slack.script([SlackBehaviour::Failed("not\u{0}now\u{1b}[2J")]);
    let _alerter = mesh.alerter();
    mesh.all(Down).await;
    mesh.all(Down).await;
    eventually("it is recorded", LONG, async || {
        (mesh.count("SELECT count(*) FROM deliveries WHERE state = 'pending' AND attempts = 1").await == 1).then_some(())
    })
    .await;
    assert_eq!(mesh.text("SELECT last_error || doubtful FROM deliveries").await, "Slack says not now [2Jfalse");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_send_in_doubt_is_repeated_once_and_says_so() {
    let mut mesh = Mesh::new(1, 1, Told::SlackWebhook).await;
    mesh.slack.script([SlackBehaviour::Reset]);
    let _alerter = mesh.alerter();
    mesh.all(Down).await;
    mesh.all(Down).await;
    let taken = mesh.slack.wait_taken(2, LONG).await;
    assert!(!taken[0].body.to_string().contains("may be a repeat"));
    assert!(taken[1].body.to_string().contains("may be a repeat"), "{}", taken[1].body);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(mesh.slack.posts().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_over_before_it_was_told_is_one_message() {
    let mut mesh = Mesh::new(1, 1, Told::SlackWebhook).await;
    mesh.slack.always(SlackBehaviour::Status(503));
    let _alerter = mesh.alerter();
    mesh.all(Down).await;
    mesh.all(Down).await;
    eventually("a first attempt", LONG, async || (!mesh.slack.posts().is_empty()).then_some(())).await;
    mesh.all(Up).await;
    mesh.all(Up).await;
    eventually("the recovery is decided", LONG, async || (mesh.count("SELECT count(*) FROM alerts").await == 2).then_some(())).await;
    mesh.slack.always(SlackBehaviour::Ok);
    let taken = mesh.slack.wait_taken(1, LONG).await;
    assert!(taken[0].text().contains("Was down: Shop 0 for 20 s"), "{}", taken[0].text());
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(mesh.slack.taken().len(), 1);
    assert_eq!(mesh.count("SELECT count(*) FROM deliveries WHERE state = 'folded'").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_is_told_in_few_messages() {
    let mut mesh = Mesh::new(30, 1, Told::SlackWebhook).await;
    let _alerter = mesh.alerter();
    mesh.all(Down).await;
    mesh.all(Down).await;
    eventually("all are sent", LONG, async || {
        (mesh.count("SELECT count(*) FROM deliveries WHERE state = 'sent'").await == 30).then_some(())
    })
    .await;
    let posts = mesh.slack.taken();
    assert!(posts.len() <= 8, "{} messages for 30 alerts", posts.len());
    let named = posts.iter().map(|post| post.body.to_string().matches("/monitors/").count().min(20)).sum::<usize>();
    assert!(named >= 20, "{named} alerts named");
}

/// Not timed as an assertion: prints what the bench measures properly.
#[tokio::test(flavor = "multi_thread")]
async fn the_way_from_the_log_to_slack_is_short() {
    let policy = AlertPolicy { failures_to_open: 1, successes_to_close: 1, ..AlertPolicy::default() };
    let mut mesh = Mesh::with_policy(1, 1, Told::Webhook, policy).await;
    let _alerter = mesh.alerter();
    mesh.all(Up).await;
    eventually("the partition is in the present", LONG, async || {
        (mesh.count("SELECT coalesce(sum(next_offset), 0)::bigint FROM consumer_offsets").await == 1).then_some(())
    })
    .await;
    let mut delays = Vec::new();
    for n in 1..=18 {
        let begin = Instant::now();
        mesh.all(if n % 2 == 1 { Down } else { Up }).await;
        let posts = mesh.slack.wait_taken(n, LONG).await;
        delays.push(posts[n - 1].at - begin);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    delays.sort_unstable();
    println!("result produced → POST: median {:?}, slowest {:?}", delays[delays.len() / 2], delays[delays.len() - 1]);
}
