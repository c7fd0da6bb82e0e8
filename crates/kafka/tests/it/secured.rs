//! Apache Kafka over TLS: one listener asks for the client's certificate, one for a name and a password.

use std::time::Duration;

use kafka::{GroupConsumer, KafkaConfig, KafkaError, Producer, Record, Security};

use crate::support::{number, produce, spec, take_until, topic, unique};

const SOON: Duration = Duration::from_secs(10);

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run `make test`, or start the test stack anew"))
}

/// A file of the test stack's keys.
fn key(name: &str) -> String {
    format!("{}/{name}", variable("TEST_KAFKA_KEYS"))
}

fn tls(ca: &str, client: Option<&str>) -> KafkaConfig {
    let client = |suffix: &str| client.map(|name| key(&format!("{name}.{suffix}")));
    KafkaConfig::new(variable("TEST_KAFKA_TLS_BROKERS"), "kafka-test").security(Security {
        protocol: "ssl".to_owned(),
        ca_location: Some(key(ca)),
        certificate_location: client("pem"),
        key_location: client("key"),
        ..Security::default()
    })
}

fn sasl(mechanism: &str, password: String) -> KafkaConfig {
    KafkaConfig::new(variable("TEST_KAFKA_SASL_BROKERS"), "kafka-test").security(Security {
        protocol: "sasl_ssl".to_owned(),
        sasl_mechanism: Some(mechanism.to_owned()),
        sasl_username: Some("upmesh".to_owned()),
        sasl_password: Some(password),
        ca_location: Some(key("ca.pem")),
        ..Security::default()
    })
}

async fn carries_records(config: &KafkaConfig) {
    let topic = topic(config, 2).await;
    produce(&Producer::new(config).expect("producer"), &topic, 0..100).await;
    let mut consumer = GroupConsumer::new(config, &unique("group"), &[&topic]).expect("consumer");
    let mut read: Vec<u32> = take_until(&mut consumer, |all| all.len() >= 100).await.iter().map(number).collect();
    read.sort_unstable();
    assert_eq!(read, (0..100).collect::<Vec<_>>());
    assert_eq!(kafka::end_offsets(config, &topic, SOON).await.expect("offsets").iter().sum::<i64>(), 100);
}

/// What somebody is told who asks, starts or sends.
async fn told(mut config: KafkaConfig) -> [KafkaError; 3] {
    config.delivery_timeout = Duration::from_secs(2);
    let asked = kafka::end_offsets(&config, "results", Duration::from_secs(2)).await.expect_err("refused");
    let started = kafka::ensure_topics(&config, &[spec(&unique("never"), 1)], 1).await.expect_err("refused");
    let producer = Producer::new(&config).expect("producer");
    let ack = producer.send(Record::new("results".into(), "key", "value")).expect("queued");
    let sent = tokio::time::timeout(SOON, ack).await.expect("an answer in time").expect_err("refused");
    [asked, started, sent]
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_carries_records_between_those_who_know_each_other() {
    carries_records(&tls("ca.pem", Some("client"))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_signed_by_somebody_else_is_refused_and_the_error_says_so() {
    for error in told(tls("stranger.pem", Some("client"))).await {
        let KafkaError::Refused(reason) = &error else { panic!("{error}") };
        assert!(reason.contains("certificate verify failed"), "{error}");
        assert!(error.to_string().contains("KAFKA_SSL_") && error.is_retryable(), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_without_the_certificate_that_is_asked_for_is_told_so() {
    for error in told(tls("ca.pem", None)).await {
        // "certificate required" or "bad certificate", by the version of TLS.
        let KafkaError::Refused(reason) = &error else { panic!("{error}") };
        assert!(reason.contains("alert") && reason.contains("certificate"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_and_a_password_are_taken_in_both_ways() {
    for mechanism in ["SCRAM-SHA-512", "PLAIN"] {
        carries_records(&sasl(mechanism, variable("TEST_KAFKA_PASSWORD"))).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_refused_and_the_error_says_so() {
    for error in told(sasl("SCRAM-SHA-512", "wrong".to_owned())).await {
        let KafkaError::Refused(reason) = &error else { panic!("{error}") };
        assert!(reason.contains("Authentication failed"), "{error}");
        assert!(error.to_string().contains("KAFKA_SASL_"), "{error}");
    }
}
