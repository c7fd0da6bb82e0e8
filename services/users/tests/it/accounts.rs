//! Sessions, and how many wrong passwords are stood.

use std::time::Duration;

use directory::wire::Login;
use directory::{Client, DirectoryError};
use model::Role;
use testkit::{INTERNAL_KEY, Stack, eventually};

use crate::mesh::{EMAIL, PASSWORD, Replica, client, refused};

const SOON: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn a_session_lives_from_login_to_logout_on_every_replica() {
    let stack = Stack::new();
    stack.create_topics(1).await;
    let (one, two) = (Replica::start(&stack, &[]).await, Replica::start(&stack, &[]).await);
    let login = one.login().await;
    assert_eq!((login.session.user.email.as_str(), login.session.role), (EMAIL, Role::Admin));
    let seen = two.client.resolve_session(login.token.clone()).await.expect("known everywhere");
    assert_eq!(seen.user.id, login.session.user.id);
    two.client.logout(login.token.clone()).await.expect("ended");
    assert_eq!(refused(one.client.resolve_session(login.token.clone()).await).status, 401);
    one.client.logout(login.token).await.expect("ending it twice is no mistake");
    assert_eq!(refused(one.client.resolve_session("made-up".into()).await).status, 401);
    // Neither the token nor the password is in the database.
    let sql = "SELECT count(*) FROM sessions s WHERE to_jsonb(s)::text LIKE '%made-up%'";
    assert_eq!(stack.database().await.number(sql).await, 0);
    let sql = "SELECT count(*) FROM users WHERE password_hash NOT LIKE '$argon2id$%'";
    assert_eq!(stack.database().await.number(sql).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_people_and_wrong_passwords_look_the_same() {
    let stack = Stack::new();
    stack.create_topics(1).await;
    let replica = Replica::start(&stack, &[]).await;
    let wrong = refused(replica.client.login(EMAIL, "not the password".into(), "192.0.2.1").await);
    let unknown = refused(replica.client.login("nobody@upmesh.test", PASSWORD.into(), "192.0.2.1").await);
    assert_eq!((wrong.status, &wrong.detail), (401, &unknown.detail));
    let shouted = replica.client.login(&EMAIL.to_uppercase(), PASSWORD.into(), "192.0.2.1").await;
    assert!(shouted.is_ok(), "addresses are compared without case");
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_is_slowed_down_for_the_guesser_alone() {
    let stack = Stack::new();
    stack.create_topics(1).await;
    let replica = Replica::start(&stack, &[]).await;
    for _ in 0..10 {
        assert_eq!(refused(replica.client.login(EMAIL, "guess".into(), "192.0.2.7").await).status, 401);
    }
    let refusal = refused(replica.client.login(EMAIL, PASSWORD.into(), "192.0.2.7").await);
    assert_eq!(refusal.status, 429, "even the right password waits");
    assert!(refusal.retry_after.is_some_and(|seconds| (1..=900).contains(&seconds)), "{refusal:?}");
    assert!(replica.client.login(EMAIL, PASSWORD.into(), "192.0.2.8").await.is_ok(), "the owner elsewhere is not locked out");
}

/// A login that is tried again while users is too busy to hash.
async fn login(client: Client, password: &'static str, address: &'static str) -> Result<Login, DirectoryError> {
    loop {
        match client.login(EMAIL, password.into(), address).await {
            Err(DirectoryError::Unavailable(_)) => tokio::time::sleep(Duration::from_millis(200)).await,
            ended => return ended,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_that_come_at_once_are_judged_no_more_often_than_one_after_the_other() {
    let stack = Stack::new();
    stack.create_topics(1).await;
    let replicas = [Replica::start(&stack, &[]).await, Replica::start(&stack, &[]).await];
    let mut guesses = tokio::task::JoinSet::new();
    for n in 0..30 {
        let client = replicas[n % 2].client.clone();
        guesses.spawn(async move { refused(login(client, "guess", "192.0.2.7").await).status });
    }
    let answers = guesses.join_all().await;
    let count = |status| answers.iter().filter(|answer| **answer == status).count();
    assert_eq!((count(401), count(429)), (10, 20), "{answers:?}");
    assert_eq!(refused(replicas[0].client.login(EMAIL, PASSWORD.into(), "192.0.2.7").await).status, 429);
    assert!(replicas[1].client.login(EMAIL, PASSWORD.into(), "192.0.2.8").await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn logins_that_succeed_count_for_nothing_however_many_come_at_once() {
    let stack = Stack::new();
    stack.create_topics(1).await;
    let replica = Replica::start(&stack, &[]).await;
    let database = stack.database().await;
    let counted = async || database.number("SELECT coalesce(sum(attempts), 0)::bigint FROM login_attempts").await;
    let before = counted().await;
    assert_eq!(refused(replica.client.login(EMAIL, "a slip".into(), "192.0.2.9").await).status, 401);
    assert_eq!(counted().await - before, 3, "for the pair, the account and the network");
    let mut logins = tokio::task::JoinSet::new();
    for _ in 0..12 {
        logins.spawn(login(replica.client.clone(), PASSWORD, "192.0.2.9"));
    }
    for login in logins.join_all().await {
        assert!(login.is_ok(), "an owner's own logins are in each other's way: {:?}", login.err());
    }
    assert_eq!(counted().await - before, 2, "the pair's is forgotten, and nothing has come");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ipv6_network_guesses_as_one() {
    let stack = Stack::new();
    stack.create_topics(1).await;
    let replica = Replica::start(&stack, &[]).await;
    for host in 1..=10 {
        assert_eq!(refused(replica.client.login(EMAIL, "guess".into(), &format!("2001:db8:0:9::{host}")).await).status, 401);
    }
    assert_eq!(refused(replica.client.login(EMAIL, "guess".into(), "2001:db8:0:9:8:7:6:5").await).status, 429);
    assert!(replica.client.login(EMAIL, PASSWORD.into(), "2001:db8:0:a::1").await.is_ok(), "another network");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attack_on_an_account_does_not_keep_its_owner_out() {
    let stack = Stack::new();
    stack.create_topics(1).await;
    let replica = Replica::start(&stack, &[]).await;
    let login = |address| replica.client.login(EMAIL, PASSWORD.into(), address);
    for home in ["192.0.2.1", "2001:db8::1"] {
        let session = login(home).await.expect("a session");
        // Whoever logs out is known there no less.
        replica.client.logout(session.token).await.expect("ended");
    }
    // A hundred failures from everywhere.
    let attack = "WITH failed AS (INSERT INTO login_attempts VALUES ('account|admin@upmesh.test', 100, now() + interval '15 minutes') \
                  ON CONFLICT (subject) DO UPDATE SET attempts = 100 RETURNING 1) SELECT count(*) FROM failed";
    assert_eq!(stack.database().await.number(attack).await, 1);
    assert_eq!(refused(login("198.51.100.1").await).status, 429, "the guesser, and who was never there");
    for home in ["192.0.2.1", "2001:db8::ffff:2"] {
        assert!(login(home).await.is_ok(), "{home}");
    }
    // Who fails there is counted there.
    for _ in 0..10 {
        assert_eq!(refused(replica.client.login(EMAIL, "guess".into(), "192.0.2.1").await).status, 401);
    }
    assert_eq!(refused(login("192.0.2.1").await).status, 429);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_expired_is_removed() {
    let stack = Stack::new();
    stack.create_topics(1).await;
    let first = Replica::start(&stack, &[]).await;
    let (ended, lives) = (first.login().await, first.login().await);
    let database = stack.database().await;
    let expire = "WITH old AS (UPDATE sessions SET expires_at = now() - interval '1 second' \
                  WHERE token_sha256 <> (SELECT token_sha256 FROM sessions ORDER BY created_at DESC LIMIT 1) RETURNING 1), \
                  counted AS (UPDATE login_attempts SET window_end = now() - interval '1 second' RETURNING 1) \
                  SELECT count(*) FROM old, counted";
    assert!(database.number(expire).await > 0);
    drop(first);
    let second = Replica::start(&stack, &[]).await;
    let left = "SELECT (SELECT count(*) FROM sessions WHERE expires_at <= now()) + (SELECT count(*) FROM login_attempts WHERE window_end <= now())";
    eventually("only what is in force", SOON, || async { (database.number(left).await == 0).then_some(()) }).await;
    assert!(second.client.resolve_session(lives.token).await.is_ok());
    assert_eq!(refused(second.client.resolve_session(ended.token).await).status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_other_services_are_let_in() {
    let stack = Stack::new();
    stack.create_topics(1).await;
    let rotated = format!("0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c,{INTERNAL_KEY}");
    let replica = Replica::start(&stack, &[("INTERNAL_API_KEY", &rotated)]).await;
    assert!(client(&replica.url, "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c").channels().await.is_ok(), "the new key");
    assert!(replica.client.channels().await.is_ok(), "the old key, while it is rotated");
    let error = client(&replica.url, "another-key-of-forty-characters-in-length").channels().await.err();
    assert!(matches!(error, Some(DirectoryError::Key)), "{error:?}");
}
