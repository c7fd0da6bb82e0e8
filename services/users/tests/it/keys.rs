//! `SECRET_KEY` is changed or lost: rows are counted, sealed anew and given up, beside users services that run.

use std::time::Duration;

use directory::wire::ChannelSettings;
use secrecy::ExposeSecret;
use serde_json::json;
use service::Env;
use testkit::{Stack, eventually};
use users::keys::{Counts, Keys, Resealed};

use crate::mesh::{EMAIL, Replica, refused, spec};
use crate::sealed::{OTHER, keyed};

const SOON: Duration = Duration::from_secs(20);
const HOOK: &str = "https://hooks.slack.com/services/T0/B0/canary";

/// The first key of the stack's services.
async fn first(stack: &Stack) -> String {
    stack.environment().await["SECRET_KEY"].clone()
}

async fn keys(stack: &Stack, secret_key: &str) -> Keys {
    Keys::read(&Env::from_map(stack.environment().await).with("SECRET_KEY", secret_key)).expect("settings")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_changed_row_by_row_and_nobody_hears_of_it() {
    let stack = Stack::new();
    stack.create_topics(1).await;
    let replica = Replica::start(&stack, &[("SLACK_WEBHOOK_URL", HOOK)]).await;
    let (workspace, database) = (replica.workspace().await, stack.database().await);
    eventually("the channel", SOON, || async { (!replica.client.channels().await.ok()?.is_empty()).then_some(()) }).await;
    let mut created = vec![replica.create(workspace, "plain").await];
    for name in ["one", "two", "clear"] {
        created.push(replica.client.create_monitor(EMAIL, workspace, &keyed(name, "s3cret")).await.expect("created"));
    }
    // As the row was before there was a seal.
    let clear = format!(
        "UPDATE monitors SET spec = jsonb_set(spec, '{{probe}}', '{}') WHERE name = 'clear' RETURNING name",
        json!(created[3].spec.probe)
    );
    database.text(clear.leak()).await;
    drop(replica);

    let (old, both) = (first(&stack).await, format!("{OTHER},{}", first(&stack).await));
    let revision = database.number("SELECT last_value FROM monitor_revision").await;
    let changing = keys(&stack, &both).await;
    let census = changing.census().await.expect("a census");
    assert!(census.two_keys && census.lost.is_empty());
    assert_eq!(census.monitors, Counts { former: 2, clear: 1, nothing_to_seal: 1, ..Counts::default() });
    assert_eq!(census.channels, Counts { former: 1, ..Counts::default() });
    let shut = keys(&stack, OTHER).await.census().await.expect("a census");
    assert_eq!((shut.monitors.neither, shut.lost.len(), shut.lost_channels.as_slice()), (2, 2, ["Slack".to_owned()].as_slice()));

    assert_eq!(changing.reseal().await.expect("sealed anew"), Resealed { monitors: 3, channels: 1 });
    assert_eq!(changing.reseal().await.expect("nothing left"), Resealed::default());
    let census = keys(&stack, OTHER).await.census().await.expect("a census");
    assert_eq!(census.monitors, Counts { current: 3, nothing_to_seal: 1, ..Counts::default() });
    assert_eq!(census.channels, Counts { current: 1, ..Counts::default() });
    assert_eq!(keys(&stack, &old).await.census().await.expect("a census").lost.len(), 3, "the old key opens nothing any more");
    assert_eq!(database.number("SELECT last_value FROM monitor_revision").await, revision, "no replica has to ask");
    assert_eq!(database.number("SELECT count(*) FROM monitors m WHERE to_jsonb(m)::text LIKE '%s3cret%'").await, 0);

    let later = Replica::start(&stack, &[("SECRET_KEY", OTHER), ("SLACK_WEBHOOK_URL", HOOK)]).await;
    for one in created {
        assert_eq!(later.client.monitor(workspace, one.id).await.expect("read"), one);
    }
    let channels = later.client.channels().await.expect("channels");
    assert!(matches!(&channels[0].settings, ChannelSettings::SlackWebhook { url } if url.expose_secret() == HOOK));
}

#[tokio::test(flavor = "multi_thread")]
async fn beside_a_users_service_that_seals_under_the_other_key_nothing_is_lost() {
    let stack = Stack::new();
    stack.create_topics(1).await;
    let old = first(&stack).await;
    // The first roll-out: this one still seals under the old key, and opens both.
    let replica = Replica::start(&stack, &[("SECRET_KEY", format!("{old},{OTHER}").as_str())]).await;
    let (client, workspace) = (&replica.client, replica.workspace().await);
    let changing = keys(&stack, &format!("{OTHER},{old}")).await;
    let mut last = Vec::new();
    for name in ["a", "b", "c", "d"] {
        last.push(client.create_monitor(EMAIL, workspace, &keyed(name, "s3cret 0")).await.expect("created"));
    }
    assert_eq!(changing.reseal().await.expect("sealed anew").monitors, 4);
    {
        let saving = async {
            for round in 1..=25 {
                for one in &mut last {
                    let spec = keyed(&one.spec.name, &format!("s3cret {round}"));
                    *one = client.update_monitor(EMAIL, workspace, one.id, &spec, Some(one.revision)).await.expect("saved");
                }
            }
        };
        tokio::pin!(saving);
        // Saved again and again while it is sealed again and again; the last of these is ended half-way.
        loop {
            tokio::select! {
                () = &mut saving => break,
                anew = changing.reseal() => assert!(anew.is_ok(), "{anew:?}"),
            }
        }
    }
    drop(replica);
    changing.reseal().await.expect("sealed anew");
    let census = keys(&stack, OTHER).await.census().await.expect("a census");
    assert_eq!(census.monitors, Counts { current: 4, ..Counts::default() });
    let later = Replica::start(&stack, &[("SECRET_KEY", OTHER)]).await;
    for one in last {
        assert_eq!(later.client.monitor(workspace, one.id).await.expect("read"), one);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sealing_that_is_interrupted_keeps_what_it_did_and_is_finished_by_the_next() {
    let stack = Stack::new();
    let database = stack.database().await;
    database
        .number(
            "WITH w AS (INSERT INTO workspaces (id, name, created_at) VALUES (gen_random_uuid(), 'w', now()) RETURNING id), made AS (
                 INSERT INTO monitors (id, workspace_id, revision, name, spec, known_regions, created_at, updated_at)
                 SELECT gen_random_uuid(), w.id, n, 'm' || n, jsonb_build_object('name', 'm' || n, 'probe',
                     '{\"kind\": \"http\", \"url\": \"http://a.example/\", \"headers\": {\"authorization\": \"s3cret\"}}'::jsonb), '{local}', now(), now()
                 FROM w, generate_series(1, 1200) n RETURNING 1)
             SELECT count(*) FROM made",
        )
        .await;
    let both = keys(&stack, &format!("{OTHER},{}", first(&stack).await)).await;
    // Somebody is writing the last row: the third page waits.
    let mut writing = database.store.begin().await.expect("a transaction");
    let locked = store::monitors::forget(&mut writing, &store::monitors::Keyless, last(database).await, 0).await.expect("looked at");
    assert!(locked.is_none(), "a row in clear is not forgotten");
    {
        let sealing = both.reseal();
        tokio::pin!(sealing);
        let two_pages = eventually("two pages", SOON, || async {
            let done = database.number("SELECT count(*) FROM monitors WHERE spec #> '{probe,sealed}' IS NOT NULL").await;
            (done == 1000).then_some(())
        });
        tokio::select! {
            () = two_pages => {}
            done = &mut sealing => panic!("it did not wait: {done:?}"),
        }
        // Ended here.
    }
    writing.rollback().await.expect("rolled back");
    let census = both.census().await.expect("a census");
    assert_eq!(census.monitors, Counts { current: 1000, clear: 200, ..Counts::default() });
    assert_eq!(both.reseal().await.expect("the rest").monitors, 200);
    assert_eq!(both.census().await.expect("a census").monitors.current, 1200);
}

/// The monitor with the greatest id.
async fn last(database: &testkit::TestDatabase) -> model::MonitorId {
    database.text("SELECT id::text FROM monitors ORDER BY id DESC LIMIT 1").await.parse().expect("an id")
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_key_monitors_are_paused_until_their_secrets_are_entered_again() {
    let stack = Stack::new();
    stack.create_topics(1).await;
    let replica = Replica::start(&stack, &[]).await;
    let workspace = replica.workspace().await;
    let created = replica.client.create_monitor(EMAIL, workspace, &keyed("shop", "s3cret")).await.expect("created");
    let plain = replica.create(workspace, "plain").await;
    drop(replica);
    let other = keys(&stack, OTHER).await;
    let lost = other.census().await.expect("a census").lost;
    assert_eq!(lost.iter().map(|one| (one.id, one.workspace, one.name.as_str())).collect::<Vec<_>>(), [(created.id, workspace, "shop")]);
    assert!(!keys(&stack, &first(&stack).await).await.forget(&lost[0], 1).await.expect("asked"), "with its key nothing is given up");
    let now = created.created_at + 60_000;
    assert!(other.forget(&lost[0], now).await.expect("forgotten"));
    assert!(!other.forget(&lost[0], now).await.expect("asked"), "once");
    assert!(other.census().await.expect("a census").lost.is_empty());

    let later = Replica::start(&stack, &[("SECRET_KEY", OTHER)]).await;
    let found = later.client.monitor(workspace, created.id).await.expect("read");
    assert_eq!((&found.spec.probe, found.spec.paused), (&created.spec.probe.masked(), true));
    assert_eq!(found.segments.last().map(|segment| (segment.active, segment.from)), Some((false, now)));
    assert!(found.revision > created.revision && found.revision > plain.revision);
    assert_eq!(later.client.monitor(workspace, plain.id).await.expect("read"), plain);
    let trail = "SELECT count(*) FROM audit_log WHERE action = 'monitor.paused' AND actor = 'upmesh keys forget'";
    assert_eq!(stack.database().await.number(trail).await, 1);
    assert_eq!(refused(later.client.resume_monitor(EMAIL, workspace, created.id).await).status, 422, "no mask is sent to a target");
    later.client.update_monitor(EMAIL, workspace, created.id, &keyed("shop", "s3cret"), None).await.expect("entered again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_row_keeps_no_other_from_a_new_key_and_can_be_given_up_while_users_runs() {
    let stack = Stack::new();
    stack.create_topics(1).await;
    let replica = Replica::start(&stack, &[]).await;
    let (client, workspace, database) = (&replica.client, replica.workspace().await, stack.database().await);
    let broken = client.create_monitor(EMAIL, workspace, &keyed("broken", "s3cret")).await.expect("created");
    client.create_monitor(EMAIL, workspace, &keyed("sound", "s3cret")).await.expect("created");
    let since = client.create_monitor(EMAIL, workspace, &spec("newest")).await.expect("created").revision;
    database.text("UPDATE monitors SET spec = jsonb_set(spec, '{probe,sealed}', '\"AAAA\"') WHERE name = 'broken' RETURNING name").await;

    // A start with both keys fails for the one, and has sealed the other anew.
    let both = format!("{OTHER},{}", first(&stack).await);
    let why = Replica::begin(&stack, &[("SECRET_KEY", both.as_str())]).await.stopped().await;
    assert!(why.contains(&broken.id.to_string()), "{why}");
    let changing = keys(&stack, &both).await;
    let census = changing.census().await.expect("a census");
    assert_eq!(census.monitors, Counts { current: 1, neither: 1, nothing_to_seal: 1, ..Counts::default() });

    assert!(changing.forget(&census.lost[0], broken.created_at + 60_000).await.expect("forgotten"));
    let page = replica.feed(&format!("since={since}")).await;
    let told = &page["monitors"][0];
    assert_eq!((&told["id"], &told["spec"]["paused"]), (&json!(broken.id), &json!(true)), "{page}");
}
