//! What the environment asks for is in place at every start, and only that.

use cache::redis;
use directory::wire::ChannelSettings;
use secrecy::ExposeSecret;
use testkit::{Stack, eventually};

use crate::mesh::{EMAIL, PASSWORD, Replica, refused};

const SOON: std::time::Duration = std::time::Duration::from_secs(20);
const HOOK: &str = "https://hooks.slack.com/services/T0/B0/canary-of-the-webhook";

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_of_the_environment_comes_changes_and_goes_with_it() {
    let stack = Stack::new();
    stack.create_topics(1).await;
    let first = Replica::start(&stack, &[("SLACK_WEBHOOK_URL", HOOK)]).await;
    let channels = first.client.channels().await.expect("channels");
    let [channel] = channels.as_slice() else { panic!("{channels:?}") };
    assert!(channel.default);
    let ChannelSettings::SlackWebhook { url } = &channel.settings else { panic!("{channels:?}") };
    assert_eq!(url.expose_secret(), HOOK);
    assert!(!format!("{channels:?}").contains("canary"), "secrets are not printed");
    let sql = "SELECT count(*) FROM channels c WHERE to_jsonb(c)::text LIKE '%canary%' OR position('canary'::bytea IN settings) > 0";
    assert_eq!(stack.database().await.number(sql).await, 0, "secrets are encrypted at rest");
    drop(first);

    let other = "https://hooks.slack.com/services/T0/B0/another";
    let second = Replica::start(&stack, &[("SLACK_WEBHOOK_URL", other)]).await;
    // The account was there already, so the login says nothing about the channels.
    eventually("the same channel, with another address", SOON, || async {
        let changed = second.client.channels().await.expect("channels");
        assert_eq!((changed.len(), changed[0].id), (1, channel.id));
        matches!(&changed[0].settings, ChannelSettings::SlackWebhook { url } if url.expose_secret() == other).then_some(())
    })
    .await;
    drop(second);

    let third = Replica::start(&stack, &[]).await;
    eventually("no channel", SOON, || async { third.client.channels().await.expect("channels").is_empty().then_some(()) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_administrators_password_ends_all_sessions() {
    let stack = Stack::new();
    stack.create_topics(1).await;
    let first = Replica::start(&stack, &[]).await;
    let old = first.login().await;
    drop(first);
    let same = Replica::start(&stack, &[]).await;
    assert!(same.client.resolve_session(old.token.clone()).await.is_ok(), "a restart ends nothing");
    drop(same);
    // What gateways could read: where a copy was, nothing may stand for a while.
    let sessions = || async {
        let cache = stack.cache().await;
        let keys = cache.query::<Vec<String>>(redis::cmd("KEYS").arg(format!("{}:session:*", stack.redis_prefix))).await.expect("keys");
        let mut readable = Vec::new();
        for key in keys {
            let length: u64 = cache.query(redis::cmd("STRLEN").arg(&key)).await.expect("a length");
            readable.extend((length > 0).then_some(key));
        }
        readable
    };
    let copies = sessions().await;
    assert!(!copies.is_empty());
    let changed = Replica::start(&stack, &[("ADMIN_PASSWORD", "another long enough one")]).await;
    // Its start waited for a login with the new password, so the account is changed.
    assert_eq!(refused(changed.client.resolve_session(old.token).await).status, 401);
    let left: Vec<String> = sessions().await.into_iter().filter(|copy| copies.contains(copy)).collect();
    assert!(left.is_empty(), "nor are its copies accepted: {left:?}");
    assert_eq!(refused(changed.client.login(EMAIL, PASSWORD.into(), "192.0.2.1").await).status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_administrator_of_another_address_stays_and_is_named() {
    let stack = Stack::new();
    stack.create_topics(1).await;
    let first = Replica::start(&stack, &[]).await;
    let workspace = first.workspace().await;
    drop(first);
    let store = stack.database().await.connect(1);
    let others = |email| store::accounts::other_admins(&store, workspace, email);
    assert!(others(EMAIL).await.expect("an answer").is_empty());
    assert_eq!(others("new@upmesh.test").await.expect("an answer"), [EMAIL]);
    let disabled = "WITH done AS (UPDATE users SET disabled_at = now() RETURNING 1) SELECT count(*) FROM done";
    assert_eq!(stack.database().await.number(disabled).await, 1);
    assert!(others("new@upmesh.test").await.expect("an answer").is_empty(), "who cannot log in need not be named");
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_start_together_make_one_workspace_and_one_account() {
    let stack = Stack::new();
    stack.create_topics(1).await;
    let settings = [("SLACK_WEBHOOK_URL", HOOK)];
    let (_a, _b, _c) =
        tokio::join!(Replica::start(&stack, &settings), Replica::start(&stack, &settings), Replica::start(&stack, &settings));
    let database = stack.database().await;
    for (table, sql) in [
        ("workspaces", "SELECT count(*) FROM workspaces"),
        ("users", "SELECT count(*) FROM users"),
        ("channels", "SELECT count(*) FROM channels"),
    ] {
        assert_eq!(database.number(sql).await, 1, "{table}");
    }
}
