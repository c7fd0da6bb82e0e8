//! What people and other programs get wrong, at every door: the API, `upmesh apply`, the environment, the topic.
//! Each gets an answer that says what to change, and nothing is lost.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use kafka::{KafkaConfig, Producer, Record};
use reqwest::Method;
use serde_json::{Value, json};
use system_tests::{Api, Farm, Mesh, Plan, Service, monitor, run_to_end};
use testkit::eventually;

const SOON: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_at_every_door_gets_a_clear_answer_and_loses_nothing() {
    let _alone = crate::alone().await;
    let farm = Farm::start().await;
    let mesh = Mesh::start(Plan::default()).await;
    let api = mesh.login().await;
    let id = api.create(monitor("steady", &farm.url("steady"))).await;
    eventually("steady is shown up", SOON, || async { (api.state(&id).await == "up").then_some(()) }).await;
    let before = api.get(&format!("/api/monitors/{id}")).await.body["spec"].clone();

    every_route(&mesh, &api, &id).await;
    apply(&mesh, &api);
    topic(&mesh, &api, &farm, &id).await;

    assert_eq!(api.get(&format!("/api/monitors/{id}")).await.body["spec"], before, "bad input changed the monitor");
}

/// Every route of the description the gateway serves is asked without a session, with ids that are none, with bodies
/// that are none; each answer is a 4xx problem and never a 5xx.
async fn every_route(mesh: &Mesh, api: &Api, id: &str) {
    let anonymous = Api::anonymous(mesh.gateway);
    let description = anonymous.get("/doc").await.body;
    let paths = description["paths"].as_object().expect("/doc has paths").clone();
    assert!(paths.len() >= 10, "only {} paths in /doc", paths.len());
    for (path, item) in &paths {
        for (method, operation) in item.as_object().expect("operations") {
            let Ok(method) = method.to_uppercase().parse::<Method>() else { continue };
            let public = operation["security"].as_array().is_some_and(|security| security.is_empty() || security.contains(&json!({})));
            let real = path.replace("{id}", id);
            if !public && !["/api/login", "/health", "/doc", "/reference"].contains(&path.as_str()) {
                let answer = anonymous.send(method.clone(), &real, None).await;
                assert_eq!(answer.status, 401, "{method} {path} without a session: {}", answer.body);
                let answer = anonymous.with_token("nonsense").send(method.clone(), &real, None).await;
                assert_eq!(answer.status, 401, "{method} {path} with a bad token: {}", answer.body);
            }
            if path.contains("{id}") {
                for (bad, expected) in [("nonsense", &[400, 404, 422][..]), ("01890000-0000-7000-8000-000000000000", &[404, 400, 422][..])]
                {
                    let wrong = path.replace("{id}", bad);
                    let body = ["POST", "PUT", "PATCH"].contains(&method.as_str()).then(|| monitor("x", "http://127.0.0.1/"));
                    let answer = api.send(method.clone(), &wrong, body).await;
                    assert!(expected.contains(&answer.status), "{method} {wrong}: {} {}", answer.status, answer.body);
                    problem(&format!("{method} {wrong}"), &answer);
                }
            }
            if operation["requestBody"].is_object() {
                for (kind, body) in bodies() {
                    let answer = api.try_raw(method.clone(), &real, Some((kind, body.clone()))).await.expect("an answer");
                    let shown = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
                    assert!((400..500).contains(&answer.status), "{method} {path} {kind} {shown:?}: {} {}", answer.status, answer.body);
                    problem(&format!("{method} {path} {shown:?}"), &answer);
                }
            }
        }
    }
    queries(api, id).await;
    fields(api).await;
}

/// Bodies that no route can mean.
fn bodies() -> Vec<(&'static str, Vec<u8>)> {
    let deep = format!("{}{}", "[".repeat(20_000), "]".repeat(20_000));
    vec![
        ("application/json", b"{".to_vec()),
        ("application/json", b"".to_vec()),
        ("application/json", b"null".to_vec()),
        ("application/json", b"[]".to_vec()),
        ("application/json", br#"{"nonsense": true}"#.to_vec()),
        ("application/json", vec![0xff, 0xfe, 0x00]),
        ("application/json", deep.into_bytes()),
        ("text/plain", b"{}".to_vec()),
        ("application/json", vec![b' '; 3 << 20]),
    ]
}

fn problem(what: &str, answer: &system_tests::Answer) {
    assert!(
        answer.content_type.starts_with("application/problem+json"),
        "{what}: {} {:?} {}",
        answer.status,
        answer.content_type,
        answer.body
    );
    assert!(answer.body["title"].is_string() && answer.body["detail"].is_string(), "{what}: {}", answer.body);
}

async fn queries(api: &Api, id: &str) {
    for path in [
        "/api/monitors?limit=0".to_owned(),
        "/api/monitors?limit=nonsense".to_owned(),
        "/api/monitors?limit=99999999".to_owned(),
        "/api/monitors?cursor=%00%ff".to_owned(),
        "/api/monitors?state=purple".to_owned(),
        format!("/api/monitors/{id}/checks?limit=100000"),
        format!("/api/monitors/{id}/checks?from=5&to=1"),
        format!("/api/monitors/{id}/checks?region=NOT%20A%20REGION"),
        format!("/api/monitors/{id}/uptime?from=yesterday&to=1"),
        format!("/api/monitors/{id}/timeline?from=0&to=1000&buckets=0"),
        format!("/api/monitors/{id}/timeline?from=0&to=1000&buckets=100000"),
        "/api/incidents?monitor=nonsense".to_owned(),
        "/api/nothing-here".to_owned(),
    ] {
        let answer = api.get(&path).await;
        assert!((400..500).contains(&answer.status), "{path}: {} {}", answer.status, answer.body);
        problem(&path, &answer);
    }
}

/// Each setting of a monitor that can be wrong is named in the answer.
async fn fields(api: &Api) {
    let with = |change: Value| {
        let mut spec = monitor("bad", "http://127.0.0.1/");
        for (name, value) in change.as_object().expect("an object") {
            spec[name] = value.clone();
        }
        spec
    };
    for (spec, field) in [
        (with(json!({"name": ""})), "name"),
        (with(json!({"interval_seconds": 1})), "interval_seconds"),
        (with(json!({"timeout_ms": 10_000})), "timeout_ms"),
        (with(json!({"regions": ["local", "local"]})), "regions"),
        (with(json!({"probe": {"kind": "http", "url": "ftp://127.0.0.1/"}})), "probe.url"),
        (with(json!({"probe": {"kind": "http", "url": "http://user:secret@127.0.0.1/"}})), "probe.url"),
        (with(json!({"probe": {"kind": "tcp", "host": "127.0.0.1", "port": 0}})), "probe.port"),
        (with(json!({"assertions": [{"kind": "body_matches", "pattern": "("}]})), "assertions[0].pattern"),
        (with(json!({"assertions": [{"kind": "json_path", "path": "$.a[", "expect": "exists"}]})), "assertions[0].path"),
        (with(json!({"assertions": [{"kind": "certificate_days", "min": 14}]})), "assertions[0].kind"),
        (with(json!({"alert": {"failures_to_open": 0}})), "alert.failures_to_open"),
        (with(json!({"alert": {"channels": ["Slack", "Pager"]}})), "alert.channels[1]"),
    ] {
        let answer = api.post("/api/monitors", spec).await;
        assert_eq!(answer.status, 422, "{field}: {}", answer.body);
        assert!(answer.fields().iter().any(|named| named == field), "{field} is not named: {}", answer.body);
    }
    let twice = api.post("/api/monitors", monitor("steady", "http://127.0.0.1/")).await;
    assert_eq!(twice.status, 409, "a name twice: {}", twice.body);
    let answer = api.post("/api/login", json!({"email": "admin@upmesh.test", "password": "wrong"})).await;
    assert_eq!(answer.status, 401, "a wrong password: {}", answer.body);
}

/// A file with a mistake changes nothing and names the line or the field.
fn apply(mesh: &Mesh, api: &Api) {
    let mut environment = mesh.environment(Service::Gateway);
    environment.insert("UPMESH_URL".to_owned(), format!("http://{}", mesh.gateway));
    environment.insert("UPMESH_TOKEN".to_owned(), api.token().to_owned());
    let directory = tempfile::tempdir().expect("a directory");
    for (name, text, expected) in [
        ("absent", None, "absent.yaml"),
        ("syntax", Some("monitors: [\n"), "syntax.yaml"),
        ("field", Some("monitors:\n  - name: a\n    probe: {kind: http, url: 'ftp://x'}\n"), "url"),
        ("unknown", Some("monitors:\n  - name: a\n    colour: red\n    probe: {kind: http, url: 'http://127.0.0.1/'}\n"), "colour"),
        (
            "interval",
            Some("monitors:\n  - name: a\n    interval_seconds: 3\n    probe: {kind: http, url: 'http://127.0.0.1/'}\n"),
            "interval_seconds",
        ),
        (
            "channel",
            Some("monitors:\n  - name: a\n    alert: {channels: [Pager]}\n    probe: {kind: http, url: 'http://127.0.0.1/'}\n"),
            "alert.channels[0]: \"Pager\" is no channel",
        ),
    ] {
        let path = directory.path().join(format!("{name}.yaml"));
        if let Some(text) = text {
            std::fs::write(&path, text).expect("a file");
        }
        let path = path.display().to_string();
        let (code, said) = run_to_end("upmesh", &["apply", "--yes", &path], &environment, SOON);
        assert!(code.is_some_and(|code| code != 0), "apply {name} went through:\n{said}");
        assert!(said.contains(expected), "apply {name} does not name {expected:?}:\n{said}");
        assert!(!said.contains("panicked"), "apply {name}:\n{said}");
    }
}

/// Records that cannot be read go to the dead letters with the reason, and the good ones beside them are judged.
async fn topic(mesh: &Mesh, api: &Api, farm: &Farm, id: &str) {
    let topics = mesh.stack.topics();
    let producer = Producer::new(&KafkaConfig::new(&mesh.kafka, "system-tests")).expect("a producer");
    let poison: [&[u8]; 6] = [
        b"",
        b"not json",
        br#"{"v":1}"#,
        br#"{"v":99,"monitor":"x"}"#,
        br#"{"v":1,"id":"00000000-0000-0000-0000-000000000000","monitor":"nonsense"}"#,
        &[0xff; 300],
    ];
    for value in poison {
        let record = Record {
            topic: topics.results.as_str().into(),
            key: Bytes::copy_from_slice(id.as_bytes()),
            value: Bytes::copy_from_slice(value),
            headers: Vec::new(),
            timestamp_ms: None,
        };
        producer.send(record).expect("queued").await.expect("in the log");
    }
    // Both consumers of the topic keep a copy, each with its own name on it.
    let dead = events::Topics::dead_letter(&topics.results);
    let config = KafkaConfig::new(&mesh.kafka, "system-tests");
    let expected = i64::try_from(poison.len()).expect("few");
    eventually("every record that cannot be read is kept", SOON, || async {
        let ends = kafka::end_offsets(&config, &dead, Duration::from_secs(5)).await.ok()?;
        (ends.iter().sum::<i64>() >= expected).then_some(())
    })
    .await;
    let seen = farm.next_visit("steady", SOON).await.at;
    eventually("good records behind the bad ones are judged", SOON, || async {
        let last = api.get(&format!("/api/monitors/{id}")).await.body["status"]["last_check"].as_i64()?;
        (last >= seen - 2000).then_some(())
    })
    .await;
}

/// A service that lacks a setting, or has one that makes no sense, does not start and names it.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_environment_refuses_to_start_and_names_the_variable() {
    let _alone = crate::alone().await;
    let stack = testkit::Stack::new();
    let mut good = stack.environment().await;
    good.insert("USERS_URL".to_owned(), "http://127.0.0.1:1".to_owned());
    good.insert("USERS_ADDR".to_owned(), "127.0.0.1:0".to_owned());
    good.insert("GATEWAY_ADDR".to_owned(), "127.0.0.1:0".to_owned());
    good.insert("PUBLIC_URL".to_owned(), "http://127.0.0.1:1".to_owned());
    let missing: [(&str, &[&str]); 5] = [
        ("users", &["DATABASE_URL", "SECRET_KEY", "INTERNAL_API_KEY", "KAFKA_BROKERS"]),
        ("pinger", &["REDIS_URL", "KAFKA_BROKERS", "INTERNAL_API_KEY"]),
        ("processor", &["DATABASE_URL", "REDIS_URL", "KAFKA_BROKERS"]),
        ("alerter", &["DATABASE_URL", "REDIS_URL", "KAFKA_BROKERS", "INTERNAL_API_KEY"]),
        ("gateway", &["REDIS_URL", "DATABASE_URL", "INTERNAL_API_KEY"]),
    ];
    let mut cases = Vec::new();
    for (service, names) in missing {
        for name in names {
            cases.push((service, *name, None));
        }
    }
    cases.extend([
        ("users", "USERS_ADDR", Some("nonsense")),
        ("gateway", "GATEWAY_ADDR", Some("127.0.0.1:99999")),
        ("pinger", "REGION", Some("No Region")),
        ("pinger", "ALLOWED_TARGET_NETWORKS", Some("10.0.0.0/99")),
        ("processor", "FLUSH_SECONDS", Some("soon")),
        ("processor", "ADMIN_ADDR", Some("here")),
        // The example file leaves secrets empty, and empty is as good as missing.
        ("users", "SECRET_KEY", Some("")),
        ("gateway", "INTERNAL_API_KEY", Some("")),
        ("users", "SECRET_KEY", Some("too short")),
    ]);
    let mut wrong = Vec::new();
    for (service, name, value) in cases {
        let mut environment: HashMap<String, String> = good.clone();
        match value {
            Some(value) => environment.insert(name.to_owned(), value.to_owned()),
            None => environment.remove(name),
        };
        let (code, said) = tokio::task::spawn_blocking(move || run_to_end(service, &[], &environment, Duration::from_secs(20)))
            .await
            .unwrap_or_else(|_| (None, format!("{service} started without a good {name}")));
        if code != Some(78) || !said.contains(name) || said.contains("panicked") {
            wrong.push(format!("{service} with {name}={value:?} ended with {code:?}:\n{said}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
