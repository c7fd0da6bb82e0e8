//! `upmesh backtest` against the real alerter: with the policy in force it finds the incidents that were, with
//! another it finds what that one would have found.

#![expect(clippy::expect_used, reason = "a test stops where it cannot go on")]

use std::collections::HashMap;
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use events::encode_result;
use kafka::{KafkaConfig, Producer, Record};
use model::monitor::{AlertPolicy, IcmpProbe, ProbeSpec};
use model::{Cause, CheckResult, Clock, Monitor, MonitorId, MonitorSpec, Outcome, Phases, Slot, SystemClock};
use serde_json::{Value, json};
use service::{Context, Env, Process};
use testkit::{Stack, eventually};
use uuid::Uuid;

const INTERVAL_MS: i64 = 10_000;
const SLOTS: i64 = 180;
const PATIENCE: Duration = Duration::from_secs(60);

struct Mesh {
    stack: Stack,
    env: HashMap<String, String>,
    directory: tempfile::TempDir,
}

impl Mesh {
    async fn new() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let stack = Stack::new();
        stack.create_topics(3).await;
        let port = {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
            listener.local_addr().expect("an address")
        };
        let mut env = stack.environment().await;
        env.insert("USERS_ADDR".to_owned(), port.to_string());
        env.insert("USERS_URL".to_owned(), format!("http://{port}"));
        Self { stack, env, directory: tempfile::tempdir().expect("a directory") }
    }

    /// Users and the alerter, until dropped.
    async fn start(&self) -> tokio::task::JoinHandle<()> {
        let process = Process::new();
        let env = Env::from_map(self.env.clone());
        let users = Context::new("users", env.clone(), &process);
        let alerter = Context::new("alerter", env, &process);
        users::start(users.clone()).await.expect("users starts");
        alerter::start(alerter.clone()).await.expect("the alerter starts");
        tokio::spawn(async move {
            std::future::pending::<()>().await;
            drop((users, alerter));
        })
    }

    async fn monitor(&self, name: &str, regions: &[&str], since: i64) -> Monitor {
        let database = self.stack.database().await;
        let workspace: Uuid = eventually("the first workspace", PATIENCE, || async {
            sqlx::query_scalar("SELECT id FROM workspaces LIMIT 1").fetch_optional(database.store.pool()).await.ok().flatten()
        })
        .await;
        let spec = MonitorSpec {
            interval_seconds: 10,
            timeout_ms: 5000,
            regions: regions.iter().map(|region| region.parse().expect("a region")).collect(),
            alert: AlertPolicy { failures_to_open: 2, successes_to_close: 2, ..AlertPolicy::default() },
            ..serde_json::from_value(json!({"name": name, "probe": ProbeSpec::Icmp(IcmpProbe { host: "h".to_owned(), packets: 3 })}))
                .expect("a spec")
        };
        let mut transaction = database.store.begin().await.expect("a transaction");
        let id = MonitorId(Uuid::new_v4());
        let monitor = store::monitors::create(&mut transaction, &store::monitors::Keyless, workspace.into(), id, &spec, since)
            .await
            .expect("created");
        transaction.commit().await.expect("committed");
        monitor
    }

    async fn produce(&self, results: &[CheckResult]) {
        let producer = Producer::new(&KafkaConfig::new(self.stack.kafka_brokers.clone(), "test")).expect("a producer");
        let topic: Arc<str> = self.stack.topics().results.into();
        let mut acks = Vec::new();
        for result in results {
            let value = encode_result(result).expect("JSON");
            acks.push(producer.send(Record::new(Arc::clone(&topic), result.monitor.to_string(), value)).expect("queued"));
        }
        for ack in acks {
            ack.await.expect("acknowledged");
        }
    }

    /// Waits until the alerter has judged and committed everything.
    async fn judged(&self, records: usize) {
        let database = self.stack.database().await;
        eventually("everything is judged", PATIENCE, || async {
            let judged: i64 = sqlx::query_scalar("SELECT coalesce(sum(next_offset), 0)::bigint FROM consumer_offsets")
                .fetch_one(database.store.pool())
                .await
                .ok()?;
            (judged == i64::try_from(records).expect("few")).then_some(())
        })
        .await;
    }

    async fn run(&self, policy: &str, arguments: &[&str]) -> Output {
        let file = self.directory.path().join("policy.yaml");
        std::fs::write(&file, policy).expect("a file");
        let mut command = Command::new(env!("CARGO_BIN_EXE_upmesh"));
        command.env_clear().envs(&self.env).arg("backtest").arg("--policy").arg(&file).args(arguments);
        tokio::task::spawn_blocking(move || command.output().expect("upmesh runs")).await.expect("no panic")
    }

    async fn json(&self, policy: &str, arguments: &[&str]) -> Value {
        let output = self.run(policy, &[arguments, &["--json"]].concat()).await;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    async fn refusal(&self, policy: &str, arguments: &[&str]) -> String {
        let output = self.run(policy, arguments).await;
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        String::from_utf8(output.stderr).expect("text")
    }
}

fn result(monitor: &Monitor, region: &str, slot: Slot, down: bool) -> CheckResult {
    CheckResult {
        monitor: monitor.id,
        region: region.parse().expect("a region"),
        slot,
        interval_ms: INTERVAL_MS,
        outcome: if down { Outcome::Down } else { Outcome::Up },
        cause: down.then_some(Cause::Timeout),
        detail: None,
        latency_us: (!down).then_some(20_000),
        phases: Phases::default(),
        status: None,
        certificate_expires_at: None,
        attempts: 1,
        started_at: slot,
        epoch: 1,
        pinger: "test".to_owned(),
        revision: monitor.revision,
        suspect: false,
    }
}

/// Whether slot `n` is down: runs of 1, 2, 3, 4, 5 … slots, six slots of up before each.
fn runs(slot: i64) -> bool {
    let mut at = 0;
    for length in 1.. {
        if slot < at + 6 {
            return false;
        }
        if slot < at + 6 + length {
            return true;
        }
        at += 6 + length;
    }
    false
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policy_in_force_finds_what_was_and_another_finds_less() {
    let mesh = Mesh::new().await;
    let _running = mesh.start().await;
    let start = SystemClock.now_ms() / INTERVAL_MS * INTERVAL_MS - (SLOTS + 5) * INTERVAL_MS;
    let flaky = mesh.monitor("flaky", &["local"], start - 60_000).await;
    let regional = mesh.monitor("regional", &["ap", "eu", "us"], start - 60_000).await;
    let steady = mesh.monitor("steady", &["local"], start - 60_000).await;
    let mut results = Vec::new();
    for n in 0..SLOTS {
        let slot = start + n * INTERVAL_MS;
        results.push(result(&flaky, "local", slot, runs(n)));
        results.push(result(&steady, "local", slot, false));
        // Two of three are down together now and then; phases of their own, as regions have.
        for (region, phase, period) in [("ap", 0, 17), ("eu", 2000, 23), ("us", 4000, 31)] {
            results.push(result(&regional, region, slot + phase, n % period > period - 7));
        }
        // A late repeat of what was known, and another of what was not.
        if n % 13 == 12 {
            results.push(result(&flaky, "local", slot - 3 * INTERVAL_MS, runs(n - 3)));
        }
    }
    mesh.produce(&results).await;
    mesh.judged(results.len()).await;
    let was = mesh.stack.database().await.number("SELECT count(*) FROM incidents").await;
    assert!(was > 10, "{was} incidents");

    let same = mesh.json("alert:\n  failures_to_open: 2\n  successes_to_close: 2\n", &["--from", "2h"]).await;
    let summary = &same["summary"];
    assert_eq!((&summary["would"], &summary["was"], &summary["same"]), (&json!(was), &json!(was), &json!(was)), "{same:#}");
    assert_eq!((&summary["other"], &summary["new"], &summary["missing"]), (&json!(0), &json!(0), &json!(0)));
    for incident in same["incidents"].as_array().expect("incidents") {
        for field in ["incident", "since", "detected", "until", "cause"] {
            assert_eq!(incident[field], incident["was"][field], "{field}: {incident:#}");
        }
    }

    // Runs of 5 and longer remain of the flaky one's; each is detected three slots later.
    let longest = (1..SLOTS).rfind(|length| (1..=*length).map(|run| 6 + run).sum::<i64>() <= SLOTS).expect("a run");
    let slower = mesh.json("failures_to_open: 5", &["--from", "2h", "--monitor", "flaky"]).await;
    let count = slower["incidents"].as_array().expect("incidents").len();
    let left = usize::try_from(longest - 4).expect("few");
    assert!(count == left || count == left + 1, "{longest}: {slower:#}");
    for incident in slower["incidents"].as_array().expect("incidents") {
        assert_eq!(incident["name"], "flaky");
        assert_eq!(incident["verdict"], "other", "the same time, detected later: {incident:#}");
        assert_eq!(incident["time_to_detect_seconds"], 40);
        assert_eq!(incident["since"], incident["was"]["since"]);
    }
    assert_eq!(slower["would_not_have_opened"].as_array().expect("a list").len(), 3, "runs of 2, 3 and 4: {slower:#}");

    // One failure is enough: the run of one slot comes to it.
    let faster = mesh.json("failures_to_open: 1", &["--from", "2h", "--monitor", "flaky"]).await;
    assert_eq!((&faster["summary"]["new"], &faster["summary"]["missing"]), (&json!(1), &json!(0)), "{faster:#}");
    assert_eq!(faster["summary"]["time_to_detect_median_seconds"], 0);

    // Any region is enough, and all must be.
    let count = |value: &Value| value["incidents"].as_array().expect("incidents").len();
    let any = mesh.json("regions_down: 1", &["--from", "2h", "--monitor", "regional"]).await;
    let all = mesh.json("regions_down: 3", &["--from", "2h", "--monitor", "regional"]).await;
    let majority = mesh.json("failures_to_open: 2", &["--from", "2h", "--monitor", "regional"]).await;
    assert!(count(&any) > 0 && count(&all) < count(&majority), "{} {} {}", count(&any), count(&all), count(&majority));

    let table = mesh.run("failures_to_open: 5", &["--from", "2h"]).await;
    let table = String::from_utf8(table.stdout).expect("text");
    for part in ["MONITOR", "flaky", "40 s", "would not have opened", "time to detect, median"] {
        assert!(table.contains(part), "{part}: {table}");
    }
    mistakes(&mesh).await;
}

/// Each is named, and ends with code 1.
async fn mistakes(mesh: &Mesh) {
    for (policy, arguments, part) in [
        ("failures: 3", &["--from", "2h"][..], "policy.yaml: failures: unknown field"),
        ("failures_to_open: 0", &["--from", "2h"], "failures_to_open"),
        ("regions_down: 2", &["--from", "2h", "--monitor", "flaky"], "(monitor \"flaky\")"),
        ("failures_to_open: 3", &["--from", "soon"], "--from: \"soon\" is no instant"),
        ("failures_to_open: 3", &["--from", "1h", "--to", "2h"], "is not before --to"),
        ("failures_to_open: 3", &["--from", "9d", "--to", "8d"], "the log begins at"),
        ("failures_to_open: 3", &["--monitor", "nobody"], "no monitor is named \"nobody\""),
    ] {
        let refusal = mesh.refusal(policy, arguments).await;
        assert!(refusal.contains(part), "{part}: {refusal}");
    }
    let output =
        Command::new(env!("CARGO_BIN_EXE_upmesh")).args(["backtest", "--policy", "/nowhere/p.yaml"]).env_clear().output().expect("runs");
    assert!(String::from_utf8_lossy(&output.stderr).contains("/nowhere/p.yaml: No such file"), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_log_and_no_monitors_are_said() {
    let mesh = Mesh::new().await;
    let refusal = mesh.refusal("failures_to_open: 3", &[]).await;
    assert!(refusal.contains("there are no monitors"), "{refusal}");
    let _running = mesh.start().await;
    mesh.monitor("first", &["local"], SystemClock.now_ms()).await;
    let refusal = mesh.refusal("failures_to_open: 3", &[]).await;
    assert!(refusal.contains("holds no result"), "{refusal}");
    let replay = {
        let mut command = Command::new(env!("CARGO_BIN_EXE_upmesh"));
        command.env_clear().envs(&mesh.env).args(["replay", "--check"]);
        tokio::task::spawn_blocking(move || command.output().expect("upmesh runs")).await.expect("no panic")
    };
    assert_eq!(replay.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&replay.stderr).contains("is empty: there is nothing to rebuild from"), "{replay:?}");
}
