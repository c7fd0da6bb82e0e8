//! The `upmesh` command as people type it beside a mesh: monitors as a file, a check by hand, the schema.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use kafka::KafkaConfig;
use serde_json::{Value, json};
use system_tests::{Api, Farm, Mesh, Plan, free_port, run_to_end};
use testkit::{Stack, eventually};

const SOON: Duration = Duration::from_secs(60);

type Environment = HashMap<String, String>;

/// Runs the command to its end: its code, and all it said.
fn upmesh(environment: &Environment, arguments: &[&str]) -> (Option<i32>, String) {
    let (code, said) = run_to_end("upmesh", arguments, environment, SOON);
    assert!(!said.contains("panicked"), "{arguments:?}:\n{said}");
    (code, said)
}

/// The same, which must end with `code` and say all of this.
fn expect(environment: &Environment, arguments: &[&str], code: i32, parts: &[&str]) -> String {
    let (ended, said) = upmesh(environment, arguments);
    assert_eq!(ended, Some(code), "{arguments:?}:\n{said}");
    for part in parts {
        assert!(said.contains(part), "{arguments:?} does not say {part:?}:\n{said}");
    }
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn monitors_are_made_what_a_file_says_and_targets_are_checked_by_hand() {
    let _alone = crate::alone().await;
    let farm = Farm::start().await;
    let mesh = Mesh::start(Plan::default()).await;
    let api = mesh.login().await;
    let environment =
        HashMap::from([("UPMESH_URL".to_owned(), format!("http://{}", mesh.gateway)), ("UPMESH_TOKEN".to_owned(), api.token().to_owned())]);
    apply(&farm, &api, &environment).await;
    check(&farm, &environment);
}

/// One monitor as the API lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Listed {
    id: String,
    revision: i64,
    interval_seconds: i64,
}

async fn listed(api: &Api) -> BTreeMap<String, Listed> {
    let answer = api.get("/api/monitors?limit=200").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let read = |monitor: &Value| {
        let listed = Listed {
            id: monitor["id"].as_str().expect("an id").to_owned(),
            revision: monitor["revision"].as_i64().expect("a revision"),
            interval_seconds: monitor["spec"]["interval_seconds"].as_i64().expect("an interval"),
        };
        (monitor["spec"]["name"].as_str().expect("a name").to_owned(), listed)
    };
    answer.body["monitors"].as_array().expect("a list").iter().map(read).collect()
}

async fn apply(farm: &Farm, api: &Api, environment: &Environment) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("monitors.yaml").display().to_string();
    let write = |monitors: &[(&str, u32)]| {
        let one = |(name, interval): &(&str, u32)| {
            let url = farm.url(name);
            format!("- name: {name}\n  interval_seconds: {interval}\n  timeout_ms: 2000\n  probe: {{kind: http, url: '{url}'}}\n")
        };
        let items: Vec<String> = monitors.iter().map(one).collect();
        std::fs::write(&path, format!("monitors:\n{}", items.concat())).expect("a file");
    };
    let run =
        |options: &[&str], code: i32, parts: &[&str]| expect(environment, &[&["apply", path.as_str()][..], options].concat(), code, parts);

    write(&[("kiwi", 10), ("lime", 10)]);
    let plan = ["+ create  kiwi", "+ create  lime", "2 to create, 0 to change, 0 to delete, 0 as they should be."];
    run(&["--dry-run"], 0, &plan);
    assert_eq!(listed(api).await, BTreeMap::new(), "a plan that is only shown");
    let said = run(&[], 0, &plan);
    assert!(said.contains("Done: 2 of 2 changes made."), "{said}");
    let created = listed(api).await;
    assert_eq!(created.keys().collect::<Vec<_>>(), ["kiwi", "lime"]);
    for (name, one) in &created {
        eventually(&format!("{name} is up"), SOON, || async { (api.state(&one.id).await == "up").then_some(()) }).await;
    }

    let said = run(&[], 0, &["Nothing to do: 2 monitors as they should be."]);
    assert!(!said.contains("Done"), "{said}");
    assert_eq!(listed(api).await, created);

    write(&[("kiwi", 10), ("lime", 60)]);
    let plan = ["~ change  lime  interval_seconds: 10 → 60", "0 to create, 1 to change, 0 to delete, 1 as they should be."];
    run(&[], 0, &plan);
    let changed = eventually("the change is listed", SOON, || async {
        let changed = listed(api).await;
        (changed["lime"].interval_seconds == 60).then_some(changed)
    })
    .await;
    assert_eq!((changed.len(), &changed["kiwi"], &changed["lime"].id), (2, &created["kiwi"], &created["lime"].id));
    assert!(changed["lime"].revision > created["lime"].revision, "{changed:?}");

    // What is no longer in the file goes only if somebody says so, and says yes.
    write(&[("lime", 60)]);
    run(&[], 0, &["Nothing to do: 1 monitor as they should be; 1 monitor not in the file left alone (--prune deletes)."]);
    run(&["--prune"], 1, &["- delete  kiwi", "confirm with --yes"]);
    assert_eq!(listed(api).await, changed);
    run(&["--prune", "--yes"], 0, &["- delete  kiwi", "0 to create, 0 to change, 1 to delete, 1 as they should be.", "Done: 1 of 1"]);
    eventually("kiwi is gone", SOON, || async {
        let status = api.get(&format!("/api/monitors/{}", created["kiwi"].id)).await.status;
        (status == 404).then_some(())
    })
    .await;
    let left = listed(api).await;
    assert_eq!((left.len(), &left["lime"]), (1, &changed["lime"]));
}

/// Its code says to a script what its words say to a person.
fn check(farm: &Farm, environment: &Environment) {
    let (up, down) = (farm.url("plum"), farm.url("quince"));
    farm.set_down("quince", true);
    expect(environment, &["check", &up], 0, &[&format!("UP  {up}  200  "), "\n  connect ", "\n  first byte ", " ms"]);
    let said = expect(environment, &["check", "--json", &up], 0, &[]);
    let shown: Value = serde_json::from_str(&said).expect("JSON and nothing else");
    assert_eq!((&shown["outcome"], &shown["target"], &shown["status"]), (&json!("up"), &json!(up), &json!(200)), "{said}");
    assert!(shown["phases"]["connect_us"].is_u64() && shown["phases"]["first_byte_us"].is_u64(), "{said}");

    expect(environment, &["check", &down], 1, &[&format!("DOWN  {down}  503  "), "\n  first byte ", "is down: status 503"]);
    let nobody = format!("http://127.0.0.1:{}/", free_port());
    expect(environment, &["check", &nobody], 1, &[&format!("DOWN  {nobody}"), &format!("upmesh: {nobody} is down: ")]);
    let (host, text) = (farm.address.to_string(), "what no target says");
    expect(environment, &["check", &host], 0, &[&format!("UP  {host}  "), "\n  connect "]);
    expect(environment, &["check", "--contains", text, &up], 1, &[&format!("DOWN  {up}  200  ")]);
    // Neither up nor down: nothing was asked.
    expect(environment, &["check"], 64, &["Usage"]);
    expect(environment, &["check", "ftp://127.0.0.1/"], 1, &["url"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_database_is_migrated_and_the_second_time_changes_nothing() {
    let _alone = crate::alone().await;
    let stack = Stack::new();
    let database = stack.database().await;
    // A test's database comes with the schema; here the command is to bring it.
    database.run("DROP SCHEMA public CASCADE; DROP SCHEMA replay CASCADE; CREATE SCHEMA public").await;
    assert!(!database.store.is_migrated().await.expect("an answer"), "the database is not empty");
    let mut environment = stack.environment().await;
    environment.insert("KAFKA_PARTITIONS".to_owned(), "1".to_owned());

    let migrate = async || {
        expect(&environment, &["migrate"], 0, &["schema is up to date", "topics exist"]);
        assert!(database.store.is_migrated().await.expect("an answer"));
        database.text("SELECT string_agg(format('%s %s', version, installed_on), ', ' ORDER BY version) FROM _sqlx_migrations").await
    };
    let once = migrate().await;
    assert_eq!(migrate().await, once, "a migration ran twice");
    // They stay on the run's broker, which begins empty each time.
    let config = KafkaConfig::new(&stack.kafka_brokers, "system-tests");
    let ends = kafka::end_offsets(&config, &stack.topics().results, SOON).await.expect("the topic is there");
    assert_eq!(ends, [0]);
}
