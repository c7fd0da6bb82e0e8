//! `upmesh keys` as an operator meets it: a key is changed, then lost.

#![expect(clippy::expect_used, reason = "a test stops where it cannot go on")]

use std::collections::HashMap;
use std::process::{Command, Output};
use std::time::Duration;

use directory::{Client, ClientConfig};
use model::MonitorSpec;
use serde_json::{Value, json};
use service::{Context, Env, Process};
use testkit::{INTERNAL_KEY, Stack, eventually};

const EMAIL: &str = "admin@upmesh.test";
/// A key that is not the stack's.
const NEW: &str = "another-key-another-key-another-key-another";

async fn keys(env: &HashMap<String, String>, secret_key: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_upmesh"));
    command.env_clear().envs(env).env("SECRET_KEY", secret_key).arg("keys").args(arguments);
    tokio::task::spawn_blocking(move || command.output().expect("upmesh runs")).await.expect("no panic")
}

/// The code it ended with, and everything it said.
fn said(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)))
}

/// Two monitors with keys and one without, made by a users service that has ended since.
async fn monitors(env: &HashMap<String, String>) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port").port();
    let process = Process::new();
    let env = Env::from_map(env.clone()).with("USERS_ADDR", format!("127.0.0.1:{port}"));
    users::start(Context::new("users", env, &process)).await.expect("users starts");
    let client = Client::new(&ClientConfig::new(&format!("http://127.0.0.1:{port}"), INTERNAL_KEY.into())).expect("a client");
    let login = eventually("the administrator's account", Duration::from_secs(20), || async {
        client.login(EMAIL, "correct horse battery staple".into(), "test").await.ok()
    })
    .await;
    for (name, headers) in [("shop", json!({"authorization": "s3cret"})), ("forum", json!({"cookie": "s3cret"})), ("plain", json!({}))] {
        let probe = json!({"kind": "http", "url": "http://127.0.0.1:9/", "headers": headers});
        let spec: MonitorSpec = serde_json::from_value(json!({"name": name, "probe": probe})).expect("a spec");
        client.create_monitor(EMAIL, login.session.workspace.id, &spec).await.expect("created");
    }
    process.shutdown().cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_changed_and_then_lost() {
    let stack = Stack::new();
    stack.create_topics(1).await;
    let env = stack.environment().await;
    let (old, both) = (env["SECRET_KEY"].clone(), format!("{NEW},{}", env["SECRET_KEY"]));
    monitors(&env).await;

    let (code, text) = said(&keys(&env, &old, &["status"]).await);
    assert!(code == Some(0) && text.contains("sealed under the first key           2"), "{text}");
    let (code, text) = said(&keys(&env, &both, &["status"]).await);
    assert!(code == Some(0) && text.contains("`upmesh keys reseal`"), "{text}");
    let (code, text) = said(&keys(&env, &both, &["reseal"]).await);
    assert!(code == Some(0) && text.contains("2 monitors and 0 channels sealed anew"), "{text}");
    assert!(text.contains("The second key is needed no more"), "{text}");
    let (code, text) = said(&keys(&env, &both, &["reseal"]).await);
    assert!(code == Some(0) && text.contains("0 monitors"), "{text}");

    // By now the old key opens nothing: as if the new one were lost.
    let status = keys(&env, &old, &["status", "--json"]).await;
    let census: Value = serde_json::from_slice(&status.stdout).expect("JSON");
    assert_eq!(status.status.code(), Some(1), "{census:#}");
    assert_eq!((&census["monitors"]["neither"], &census["monitors"]["nothing_to_seal"]), (&json!(2), &json!(1)));
    let (code, text) = said(&keys(&env, &old, &["reseal"]).await);
    assert!(code == Some(1) && text.contains("0 monitors") && text.contains("`upmesh keys forget`"), "{text}");
    let (code, plan) = said(&keys(&env, &old, &["forget"]).await);
    for part in ["- forget  shop", "- forget  forum", "2 monitors to pause", "opens no monitor at all", "nothing was changed", "--yes"] {
        assert!(code == Some(1) && plan.contains(part), "{part}: {plan}");
    }
    // It looks like a wrong key rather than a lost one.
    let (code, text) = said(&keys(&env, &old, &["forget", "--yes"]).await);
    assert!(code == Some(1) && text.contains("nothing was changed") && text.contains("--yes --all"), "{text}");
    assert_eq!(said(&keys(&env, NEW, &["status"]).await).0, Some(0), "nothing was changed");
    let (code, text) = said(&keys(&env, &old, &["forget", "--yes", "--all"]).await);
    assert!(code == Some(0) && text.contains("Done: 2 monitors paused"), "{text}");
    let (code, text) = said(&keys(&env, &old, &["forget", "--yes"]).await);
    assert!(code == Some(0) && text.contains("Nothing to forget"), "{text}");
    let (code, text) = said(&keys(&env, &old, &["status"]).await);
    assert!(code == Some(0) && text.contains("nothing to seal                      3"), "{text}");
    let paused = "SELECT count(*) FROM monitors WHERE (spec ->> 'paused')::bool AND spec::text LIKE '%__masked__%'";
    assert_eq!(stack.database().await.number(paused).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_named_at_once() {
    let (code, text) = said(&keys(&HashMap::new(), "short", &["status"]).await);
    assert!(code == Some(78) && text.contains("DATABASE_URL") && text.contains("SECRET_KEY"), "{text}");
    let nowhere = HashMap::from([("DATABASE_URL".to_owned(), "postgres://nobody@127.0.0.1:1/nothing".to_owned())]);
    let (code, text) = said(&keys(&nowhere, NEW, &["reseal"]).await);
    assert!(code == Some(1) && text.contains("PostgreSQL is not available"), "{text}");
}
