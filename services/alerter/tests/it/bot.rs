//! The Slack bot: a thread per incident, the parent edited, no repeat even in doubt.

use std::time::Duration;

use model::Outcome::{Down, Up};
use testkit::{SlackBehaviour, SlackPost, eventually};

use crate::mesh::{LONG, Mesh, Told};

/// So many deliveries are on record as sent.
async fn sent(mesh: &Mesh, count: i64) {
    eventually("they are sent", LONG, async || {
        (mesh.count("SELECT count(*) FROM deliveries WHERE state = 'sent'").await == count).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recovery_edits_the_parent_and_answers_in_its_thread() {
    let mut mesh = Mesh::new(1, 1, Told::SlackBot).await;
    let _alerter = mesh.alerter();
    mesh.all(Down).await;
    mesh.all(Down).await;
    let posts = mesh.slack.wait_taken(1, LONG).await;
    assert_eq!(posts[0].path, "/api/chat.postMessage");
    assert_eq!(posts[0].header("authorization"), Some("Bearer xoxb-test"));
    mesh.all(Up).await;
    mesh.all(Up).await;
    let posts = mesh.slack.wait_taken(3, LONG).await;
    assert_eq!(posts[1].path, "/api/chat.update");
    assert_eq!(posts[2].path, "/api/chat.postMessage");
    let messages = mesh.slack.messages();
    assert_eq!(messages.len(), 2);
    assert!(messages[0]["text"].as_str().is_some_and(|text| text.contains("Recovered")), "{}", messages[0]);
    assert_eq!(messages[1]["thread_ts"], messages[0]["ts"]);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(mesh.slack.posts().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_told_together_goes_on_in_one_thread_and_is_not_edited() {
    let mut mesh = Mesh::new(8, 1, Told::SlackBot).await;
    mesh.all(Down).await;
    mesh.all(Down).await;
    // What was in the log before it came is told together.
    let first = mesh.alerter();
    mesh.slack.wait_taken(1, LONG).await;
    // One comes back by itself, and one is paused.
    for _ in 0..2 {
        mesh.round(&[(mesh.monitor(0), Up)]).await;
    }
    mesh.slack.wait_taken(2, LONG).await;
    mesh.change(mesh.monitor(1), |monitor| monitor.spec.paused = true).await;
    let ended = "SELECT count(*) FROM deliveries WHERE kind = 'resolved' AND state = 'sent'";
    eventually("both ends are settled", LONG, async || (mesh.count(ended).await == 2).then_some(())).await;
    first.stop().await;
    // The others together.
    for _ in 0..2 {
        let up: Vec<_> = (2..8).map(|n| (mesh.monitor(n), Up)).collect();
        mesh.round(&up).await;
    }
    let _second = mesh.alerter();
    let posts = mesh.slack.wait_taken(3, LONG).await;
    assert!(posts.iter().all(|post| post.path == "/api/chat.postMessage"), "edited: {posts:?}");
    let messages = mesh.slack.messages();
    assert!(messages[1]["text"].as_str().is_some_and(|text| text.contains("Recovered: Shop 0")), "{}", messages[1]);
    assert!(messages[2]["text"].as_str().is_some_and(|text| text.contains("6 recovered")), "{}", messages[2]);
    assert!(messages[1..].iter().all(|message| message["thread_ts"] == messages[0]["ts"]), "{messages:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_send_in_doubt_is_found_in_the_channel_and_not_repeated() {
    let mut mesh = Mesh::new(1, 1, Told::SlackBot).await;
    mesh.slack.script([SlackBehaviour::Reset]);
    let _alerter = mesh.alerter();
    mesh.all(Down).await;
    mesh.all(Down).await;
    eventually("it is found", LONG, async || (mesh.count("SELECT count(*) FROM deliveries WHERE state = 'sent'").await == 1).then_some(()))
        .await;
    assert_eq!((mesh.slack.posts().len(), mesh.slack.reads()), (1, 1));
    mesh.all(Up).await;
    mesh.all(Up).await;
    mesh.slack.wait_taken(3, LONG).await;
    let messages = mesh.slack.messages();
    assert_eq!(messages.len(), 2);
    assert_eq!(messages[1]["thread_ts"], messages[0]["ts"], "the message that was found is the parent");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_that_dies_with_a_message_under_way_leaves_no_second_one() {
    let mut mesh = Mesh::new(1, 1, Told::SlackBot).await;
    mesh.slack.script([SlackBehaviour::Hang]);
    let first = mesh.alerter();
    mesh.all(Down).await;
    mesh.all(Down).await;
    mesh.slack.wait_taken(1, LONG).await;
    first.kill();
    // The claim expires; a test need not wait a minute for it.
    mesh.count("WITH old AS (UPDATE deliveries SET lease_until = now() - interval '1 s' RETURNING 1) SELECT count(*) FROM old").await;
    let _second = mesh.alerter();
    eventually("it is found", LONG, async || (mesh.count("SELECT count(*) FROM deliveries WHERE state = 'sent'").await == 1).then_some(()))
        .await;
    assert_eq!(mesh.slack.messages().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledgement_is_told_in_the_thread() {
    let mut mesh = Mesh::new(1, 1, Told::SlackBot).await;
    let _alerter = mesh.alerter();
    mesh.all(Down).await;
    mesh.all(Down).await;
    mesh.slack.wait_taken(1, LONG).await;
    let workspace = mesh.monitors()[0].workspace;
    let store = mesh.store().await;
    let incident: model::IncidentId = mesh.text("SELECT id::text FROM incidents").await.parse().expect("an id");
    let noted = store.request_acknowledge(workspace, incident, "ada@example.org", 1_800_000_000_000).await.expect("noted");
    assert_eq!(noted, store::incidents::Acknowledged::Requested);
    let posts = mesh.slack.wait_taken(2, LONG).await;
    assert!(posts[1].text().contains("Acknowledged: Shop 0"), "{}", posts[1].text());
    assert!(posts[1].body.to_string().contains("ada@example.org"));
    assert_eq!(mesh.slack.messages()[1]["thread_ts"], mesh.slack.messages()[0]["ts"]);
    let again = store.request_acknowledge(workspace, incident, "bob@example.org", 1_800_000_000_000).await.expect("noted");
    assert_eq!(again, store::incidents::Acknowledged::Already);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_ends_the_incident_without_a_message_of_its_own() {
    let mut mesh = Mesh::new(1, 1, Told::SlackBot).await;
    let _alerter = mesh.alerter();
    mesh.all(Down).await;
    mesh.all(Down).await;
    mesh.slack.wait_taken(1, LONG).await;
    mesh.change(mesh.monitor(0), |monitor| monitor.spec.paused = true).await;
    let posts = mesh.slack.wait_taken(2, LONG).await;
    assert_eq!(posts[1].path, "/api/chat.update");
    assert!(posts[1].text().contains("Paused"), "{}", posts[1].text());
    assert_eq!(mesh.count("SELECT count(*) FROM incidents WHERE state = 'resolved' AND note = 'paused'").await, 1);
    assert_eq!(mesh.slack.messages().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_message_in_doubt_is_found_though_its_channel_is_only_known_by_name() {
    let mut mesh = Mesh::new(1, 1, Told::SlackBotByName).await;
    mesh.slack.script([SlackBehaviour::Reset]);
    let _alerter = mesh.alerter();
    mesh.all(Down).await;
    mesh.all(Down).await;
    eventually("it is found", LONG, async || (mesh.count("SELECT count(*) FROM deliveries WHERE state = 'sent'").await == 1).then_some(()))
        .await;
    assert_eq!((mesh.slack.posts().len(), mesh.slack.messages().len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_messages_in_doubt_are_looked_up_in_one_walk_however_much_was_written_since() {
    let mut mesh = Mesh::new(8, 1, Told::SlackBot).await;
    mesh.slack.script([SlackBehaviour::Reset]);
    mesh.all(Down).await;
    mesh.all(Down).await;
    // What was in the log before it came is told together.
    let _alerter = mesh.alerter();
    mesh.slack.wait_taken(1, LONG).await;
    mesh.slack.chatter(1_500);
    eventually("they are found", LONG, async || {
        (mesh.count("SELECT count(*) FROM deliveries WHERE state = 'sent'").await == 8).then_some(())
    })
    .await;
    assert_eq!((mesh.slack.posts().len(), mesh.slack.reads()), (1, 8), "1,501 messages in pages of 200, once");
    for _ in 0..2 {
        mesh.round(&[(mesh.monitor(0), Up)]).await;
    }
    let posts = mesh.slack.wait_taken(2, LONG).await;
    assert_eq!(posts[1].path, "/api/chat.postMessage", "what was found is not only one's");
}

/// Where a post went, as the bot said it.
fn set(post: &SlackPost) -> &str {
    post.body["channel"].as_str().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_go_to_the_channel_that_is_set_now_and_their_threads_stay_where_they_are() {
    let mut mesh = Mesh::new(2, 1, Told::SlackBotByName).await;
    let first = mesh.alerter();
    let (one, other) = (mesh.monitor(0), mesh.monitor(1));
    mesh.round(&[(one, Down)]).await;
    mesh.round(&[(one, Down)]).await;
    mesh.slack.wait_taken(1, LONG).await;
    sent(&mesh, 1).await;
    first.stop().await;
    mesh.set_slack_channel("#other");
    let second = mesh.alerter();
    for (outcome, told) in [(Down, 3), (Up, 4)] {
        mesh.round(&[(one, Up), (other, outcome)]).await;
        mesh.round(&[(one, Up), (other, outcome)]).await;
        sent(&mesh, told).await;
    }
    let posts = mesh.slack.posts();
    assert_eq!(set(&posts[0]), "#ops");
    let later: Vec<_> = mesh.slack.messages().split_off(1);
    assert!(later.iter().all(|message| message["channel"] == "C0OTHER"), "{later:#?}");
    let of_first = later.iter().find(|message| message["text"].as_str().is_some_and(|text| text.contains("Recovered: Shop 0")));
    assert!(of_first.is_some_and(|message| message["thread_ts"].is_null()), "its thread is in the other channel: {later:#?}");
    let threads = later.iter().filter(|message| !message["thread_ts"].is_null()).count();
    assert_eq!(threads, 1, "what began there has its thread there: {later:#?}");
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_was_made_anew_under_its_name_is_told() {
    let mut mesh = Mesh::new(1, 1, Told::SlackBotByName).await;
    let _alerter = mesh.alerter();
    mesh.all(Down).await;
    mesh.all(Down).await;
    sent(&mesh, 1).await;
    mesh.slack.make_ops_anew();
    // Taken, and not answered: by its name the new one is found, and what was told there.
    mesh.slack.script([SlackBehaviour::Ok, SlackBehaviour::Ok, SlackBehaviour::Reset]);
    mesh.all(Up).await;
    mesh.all(Up).await;
    sent(&mesh, 2).await;
    let messages = mesh.slack.messages();
    assert_eq!(messages.iter().map(|message| message["channel"].clone()).collect::<Vec<_>>(), ["C0FAKE", "C0ANEW"]);
    assert!(messages[1]["thread_ts"].is_null(), "{}", messages[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_in_doubt_that_slack_does_not_let_be_looked_for_is_repeated_and_holds_up_nobody() {
    let mut mesh = Mesh::new(2, 1, Told::SlackBot).await;
    mesh.slack.script([SlackBehaviour::Reset]);
    mesh.slack.always_reads(SlackBehaviour::RateLimited(600));
    let _alerter = mesh.alerter();
    let (one, other) = (mesh.monitor(0), mesh.monitor(1));
    mesh.round(&[(one, Down)]).await;
    mesh.round(&[(one, Down)]).await;
    let posts = mesh.slack.wait_taken(2, LONG).await;
    assert!(posts[1].body.to_string().contains("may be a repeat"), "{}", posts[1].body);
    mesh.round(&[(other, Down)]).await;
    mesh.round(&[(other, Down)]).await;
    sent(&mesh, 2).await;
    assert_eq!(mesh.slack.posts().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_in_doubt_is_not_looked_for_without_end() {
    let mut mesh = Mesh::new(1, 1, Told::SlackBot).await;
    mesh.slack.script([SlackBehaviour::Reset]);
    // A walk through all of it takes 48 s.
    mesh.slack.always_reads(SlackBehaviour::Slow(Duration::from_secs(6)));
    let _alerter = mesh.alerter();
    mesh.all(Down).await;
    mesh.all(Down).await;
    mesh.slack.wait_taken(1, LONG).await;
    mesh.slack.chatter(1_500);
    let posts = mesh.slack.wait_taken(2, Duration::from_secs(40)).await;
    assert!(posts[1].body.to_string().contains("may be a repeat"), "{}", posts[1].body);
    sent(&mesh, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_pause_between_reads_is_kept_and_no_reason_to_repeat() {
    let mut mesh = Mesh::new(1, 1, Told::SlackBot).await;
    mesh.slack.script([SlackBehaviour::Reset]);
    mesh.slack.script_reads([SlackBehaviour::RateLimited(1), SlackBehaviour::RateLimited(1)]);
    let _alerter = mesh.alerter();
    mesh.all(Down).await;
    mesh.all(Down).await;
    sent(&mesh, 1).await;
    assert_eq!((mesh.slack.posts().len(), mesh.count("SELECT attempts::bigint FROM deliveries").await), (1, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_channels_that_cannot_be_read_is_asked_for_again() {
    let mut mesh = Mesh::new(1, 1, Told::SlackBotByName).await;
    mesh.slack.script([SlackBehaviour::Reset]);
    mesh.slack.script_reads([SlackBehaviour::Page, SlackBehaviour::Page]);
    let _alerter = mesh.alerter();
    mesh.all(Down).await;
    mesh.all(Down).await;
    sent(&mesh, 1).await;
    assert_eq!(mesh.slack.posts().len(), 1, "it is found, not repeated");
}
