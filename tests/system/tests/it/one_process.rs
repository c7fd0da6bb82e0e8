//! `upmesh up` without any Kafka, as a newcomer starts it: all five services in one process on the broker inside it. A target
//! falls and is told of, a person works in the dashboard, the demonstration is watched, and a signal ends it all.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use system_tests::{Api, Farm, Process, Slack, binary, free_port, monitor, run_to_end};
use testkit::{Stack, eventually};

const EMAIL: &str = "admin@upmesh.test";
const PASSWORD: &str = "correct horse battery staple";
/// Two slots of ten seconds, on a machine that does other things too.
const SOON: Duration = Duration::from_secs(60);
/// A browser, its pages and a first check.
const BROWSER: Duration = Duration::from_mins(3);

#[tokio::test(flavor = "multi_thread")]
async fn one_process_on_a_broker_of_its_own_does_the_whole_job() {
    let _alone = crate::alone().await;
    let (farm, slack, servers) = (Farm::start().await, Slack::start().await, Stack::new());
    let directory = tempfile::tempdir().expect("a directory");
    let address = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
    let (gateway, users, shop) = (address(free_port()), address(free_port()), address(free_port()));
    let mut environment = servers.environment().await;
    environment.remove("KAFKA_BROKERS");
    let settings = [
        ("GATEWAY_ADDR", gateway.to_string()),
        ("USERS_ADDR", users.to_string()),
        ("PUBLIC_URL", format!("http://{gateway}")),
        ("UPMESH_URL", format!("http://{gateway}")),
        ("SLACK_WEBHOOK_URL", slack.url()),
        ("SPOOL_DIR", directory.path().join("spool").display().to_string()),
        ("DATA_DIR", directory.path().display().to_string()),
        ("FLUSH_SECONDS", "2".to_owned()),
    ];
    environment.extend(settings.map(|(name, value)| (name.to_owned(), value)));

    let start = |name: &str, arguments: &[&str]| {
        let mut command = Command::new(binary("upmesh"));
        command.args(arguments);
        Process::start(name, command, &environment, directory.path())
    };
    let mut mesh = start("mesh", &["up"]);
    let anonymous = Api::anonymous(gateway);
    eventually("the mesh answers", SOON, || {
        assert!(mesh.is_running(), "{}", mesh.tail(30));
        async { anonymous.try_raw(reqwest::Method::GET, "/health", None).await.ok().filter(|answer| answer.status == 200) }
    })
    .await;
    assert!(mesh.log().contains("the log lives in this process's memory"), "it says what it cannot keep:\n{}", mesh.tail(30));

    // The first administrator is made while the pages are served already.
    let login = serde_json::json!({"email": EMAIL, "password": PASSWORD});
    eventually("the first login", SOON, || async { (anonymous.post("/api/login", login.clone()).await.status == 200).then_some(()) }).await;
    let api = Api::login(gateway, EMAIL, PASSWORD).await;
    let story = async {
        let id = api.create(monitor("gingko", &farm.url("gingko"))).await;
        eventually("it is up", SOON, || async { (api.state(&id).await == "up").then_some(()) }).await;
        farm.set_down("gingko", true);
        eventually("the message that it is down", SOON, || async { slack.about("gingko").first().cloned() }).await;
        farm.set_down("gingko", false);
        eventually("the message that it is up again", SOON, || async { slack.about("gingko").get(1).cloned() }).await;
        eventually("it is shown up again", SOON, || async { (api.state(&id).await == "up").then_some(()) }).await;
        assert_eq!(slack.kinds("gingko"), ["opened", "resolved"], "{:?}", slack.about("gingko"));
    };
    let demonstration = async {
        let mut demo = start("demo", &["demo", "--listen", &shop.to_string()]);
        let samples = || async {
            let found = api.get("/api/monitors?search=Demo").await.body["monitors"].as_array().cloned().unwrap_or_default();
            let up = found.iter().filter(|monitor| monitor["status"]["state"] == "up").count();
            (found.len(), up)
        };
        eventually("all samples are up", SOON, || async { (samples().await == (4, 4)).then_some(()) }).await;
        // The switch of its own page.
        let turned = Api::anonymous(shop).try_raw(reqwest::Method::POST, "/switch", None).await.expect("the switch");
        assert!(turned.status < 400, "{turned:?}");
        eventually("the message that the shop is down", SOON, || async { slack.about("Demo: shop").first().cloned() }).await;
        assert_eq!(slack.kinds("Demo: shop"), ["opened"], "{:?}", slack.about("Demo: shop"));
        demo.signal("INT");
        eventually("the demonstration ends", SOON, || std::future::ready(demo.ended())).await;
        assert_eq!(samples().await.0, 0, "what it made is left:\n{}", demo.tail(30));
    };
    let person = tokio::task::spawn_blocking(move || work_in_the_browser(gateway));
    let (person, (), ()) = tokio::join!(person, story, demonstration);
    person.expect("the browser test");

    let (code, shown) = run_to_end("upmesh", &["status", "--json"], &environment, SOON);
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("gingko"), "{shown}");
    let ended = mesh.terminate(Duration::from_secs(30)).await;
    assert!(ended.success(), "{ended}\n{}", mesh.tail(30));
}

/// The dashboard's browser test, before the real pages, cookies, headers and streams.
fn work_in_the_browser(gateway: SocketAddr) {
    let dashboard = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dashboard");
    assert!(dashboard.join("dist/index.html").is_file(), "the dashboard is not built: run scripts/dashboard, then build the gateway anew");
    let settings = HashMap::from([
        ("BASE_URL".to_owned(), format!("http://{gateway}")),
        ("EMAIL".to_owned(), EMAIL.to_owned()),
        ("PASSWORD".to_owned(), PASSWORD.to_owned()),
        ("HOME".to_owned(), std::env::temp_dir().display().to_string()),
    ]);
    let logs = tempfile::tempdir().expect("a directory");
    let mut command = Command::new("env");
    command.arg("-C").arg(&dashboard).args(["node", "e2e/run.mjs"]);
    let mut browser = Process::start("browser", command, &settings, logs.path());
    let began = std::time::Instant::now();
    let ended = loop {
        if let Some(status) = browser.ended() {
            break status;
        }
        assert!(began.elapsed() < BROWSER, "the browser test takes too long:\n{}", browser.tail(40));
        std::thread::sleep(Duration::from_millis(100));
    };
    assert!(ended.success(), "{}", browser.log());
    assert!(browser.log().contains("passed, 0 failed"), "{}", browser.log());
}
