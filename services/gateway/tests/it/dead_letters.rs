//! Dead letters: listed with the reason, escaped, driven again once and by admins only.

use bytes::Bytes;
use events::{Topics, headers};
use kafka::{KafkaConfig, Producer, Record};
use reqwest::Method;
use serde_json::{Value, json};

use crate::mesh::{Mesh, answer};
use crate::users::{Users, VIEWER};

async fn with_letters(values: &[&'static [u8]]) -> (Mesh, KafkaConfig) {
    let mesh = Mesh::with(&[], Users::start().await).await;
    let topics = mesh.stack.create_topics(3).await;
    let config = KafkaConfig::new(mesh.stack.kafka_brokers.clone(), "test");
    let producer = Producer::new(&config).expect("a producer");
    for (n, value) in values.iter().enumerate() {
        let mut record = Record::new(Topics::dead_letter(&topics.results).into(), format!("key-{n}"), *value);
        record.headers = vec![
            (headers::REASON, Bytes::from_static(b"the value is no JSON")),
            (headers::SOURCE_TOPIC, Bytes::from(topics.results.clone())),
            (headers::SOURCE_PARTITION, Bytes::from_static(b"2")),
            (headers::SOURCE_OFFSET, Bytes::from(format!("{}", 40 + n))),
            (headers::CONSUMER, Bytes::from_static(b"alerter")),
        ];
        producer.send(record).expect("room").await.expect("an ack");
    }
    (mesh, config)
}

#[tokio::test]
async fn a_dead_letter_is_shown_as_it_is_and_driven_again_once() {
    let (mesh, config) = with_letters(&[b"<script>\xff\x00", b"{\"v\":99}"]).await;
    let (status, page) = mesh.get("/api/system/dead-letters?topic=monitoring-results").await;
    assert_eq!(status, 200, "{page}");
    assert_eq!((&page["count"], page["letters"].as_array().map(Vec::len)), (&json!(2), Some(2)));
    let (newest, first) = (&page["letters"][0], &page["letters"][1]);
    assert_eq!((&newest["payload"], &first["payload"]), (&json!("{\"v\":99}"), &json!("<script>\\xff\\u{0}")));
    let facts = |letter: &Value| {
        (letter["reason"].clone(), letter["consumer"].clone(), letter["source_partition"].clone(), letter["source_offset"].clone())
    };
    assert_eq!(facts(first), (json!("the value is no JSON"), json!("alerter"), json!(2), json!(40)));
    assert_eq!((&first["redriven_at"], &first["payload_bytes"]), (&json!(null), &json!(10)));

    let path = "/api/system/dead-letters/monitoring-results/0/1/redrive";
    let (status, driven) = mesh.send(Method::POST, path, &json!({})).await;
    assert_eq!((status, &driven["redriven_by"], &driven["redrive_confirmed"]), (200, &json!("p1@upmesh.test"), &json!(true)), "{driven}");
    assert_eq!(mesh.send(Method::POST, path, &json!({})).await.0, 409);
    let ends = kafka::end_offsets(&config, &mesh.stack.topics().results, std::time::Duration::from_secs(10)).await.expect("offsets");
    assert_eq!(ends.iter().sum::<i64>(), 1, "produced once");
    let (_, page) = mesh.get("/api/system/dead-letters").await;
    assert_eq!((page["letters"][0]["redriven_at"].is_number(), page["letters"][1]["redriven_at"].is_number()), (true, false));
    assert_eq!(mesh.send(Method::POST, "/api/system/dead-letters/monitoring-results/0/7/redrive", &json!({})).await.0, 404);
    assert_eq!(mesh.send(Method::POST, "/api/system/dead-letters/__consumer_offsets/0/0/redrive", &json!({})).await.0, 404);
    assert_eq!(mesh.get("/api/system/dead-letters?topic=__consumer_offsets").await.0, 422);

    // What was known before there were topics is kept for a few seconds.
    testkit::eventually("the count of dead letters", std::time::Duration::from_secs(20), async || {
        let system = mesh.get("/api/system").await.1;
        let dead = system["dead_letters"].as_array()?.iter().find(|one| one["topic"] == "monitoring-results")?.clone();
        (dead["count"] == 2).then_some(())
    })
    .await;
}

#[tokio::test]
async fn only_an_admin_looks_at_dead_letters() {
    let (mesh, _) = with_letters(&[b"x"]).await;
    assert_eq!(mesh.get_as(VIEWER, "/api/system/dead-letters").await.0, 403);
    let path = "/api/system/dead-letters/monitoring-results/0/0/redrive";
    assert_eq!(answer(mesh.request(Method::POST, path).bearer_auth(VIEWER)).await.0, 403);
    assert_eq!(answer(mesh.request(Method::POST, path)).await.0, 401);
}

#[tokio::test]
async fn a_place_where_no_letter_can_lie_is_not_found_and_nothing_is_driven() {
    let (mesh, config) = with_letters(&[b"x"]).await;
    for place in [
        "monitoring-results/x/0",
        "monitoring-results/1.5/0",
        "monitoring-results/-1/0",
        "monitoring-results/7/0",
        "monitoring-results/2147483647/0",
        "monitoring-results/2147483648/0",
        "monitoring-results/0/x",
        // To librdkafka these mean the end, the beginning and what was stored.
        "monitoring-results/0/-1",
        "monitoring-results/0/-2",
        "monitoring-results/0/-1000",
        "monitoring-results/0/9223372036854775807",
        "monitoring-results/0/9223372036854775808",
        "no-such-topic/0/0",
        "%00/0/0",
    ] {
        let (status, problem) = mesh.send(Method::POST, &format!("/api/system/dead-letters/{place}/redrive"), &json!({})).await;
        assert_eq!((status, &problem["status"]), (404, &json!(404)), "{place}: {problem}");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("no such dead letter")), "{place}: {problem}");
    }
    let ends = kafka::end_offsets(&config, &mesh.stack.topics().results, std::time::Duration::from_secs(10)).await.expect("offsets");
    assert_eq!(ends.iter().sum::<i64>(), 0, "something was produced");
    let (_, page) = mesh.get("/api/system/dead-letters").await;
    assert_eq!((&page["count"], &page["letters"][0]["redriven_at"]), (&json!(1), &json!(null)), "{page}");
}

#[tokio::test]
async fn the_readers_lag_and_the_probers_sight_are_shown() {
    use model::sight::{BlindReason, ProberStatus, SightState};
    let users = Users::start().await;
    users.add(crate::users::workspace(), crate::mesh::spec("m"));
    let mesh = Mesh::with(&[], users).await;
    mesh.stack.create_topics(1).await;
    let now = crate::mesh::now();
    let cache = mesh.cache().await;
    let status = ProberStatus {
        region: crate::mesh::local(),
        pinger: "local-1".to_owned(),
        at: now,
        state: SightState::Blind,
        since: now - 5_000,
        reason: Some(BlindReason::Network),
        slots_unknown: 12,
        shards: 64,
        spool_records: 3,
        spool_bytes: 900,
    };
    cache.put_prober(&status, std::time::Duration::from_secs(60)).await.expect("Redis");
    let mut join = cache::redis::cmd("ZADD");
    join.arg(cache.keys().members(&status.region)).arg(now + 60_000).arg("local-1");
    cache.query::<()>(&join).await.expect("Redis");
    let system = mesh.get("/api/system").await.1;
    let region = &system["regions"][0];
    assert_eq!((&region["pingers"], &region["blind_since"]), (&json!(1), &json!(now - 5_000)), "{system}");
    assert_eq!((&region["probers"][0]["state"], &region["probers"][0]["spool_records"]), (&json!("blind"), &json!(3)));
    let groups: Vec<&Value> = system["consumers"].as_array().expect("a list").iter().map(|one| &one["group"]).collect();
    assert_eq!(groups, ["processor", "alerter", "alerter-sight"]);
}
