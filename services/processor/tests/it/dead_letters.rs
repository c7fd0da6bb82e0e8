use std::sync::Arc;
use std::time::Duration;

use kafka::{BroadcastConsumer, KafkaConfig, Record};
use testkit::Stack;

use crate::support::{Running, checks_in_history, committed, produce, producer, results};

/// As many are let through where nothing else comes.
const FEW: i64 = 32;

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_set_aside_and_nothing_else_is_lost() {
    let stack = Stack::new();
    let topics = stack.create_topics(2).await;
    let dead = events::Topics::dead_letter(&topics.results);
    let mut letters = BroadcastConsumer::new(&KafkaConfig::new(&stack.kafka_brokers, "test"), &[&dead]).expect("reader");
    letters.ready().await;
    let running = Running::start(&stack, &[]).await;
    let producer = producer(&stack);
    let all = results(3);
    let (before, after) = all.split_at(all.len() / 2);
    produce(&producer, &topics, before).await;
    let topic: Arc<str> = topics.results.as_str().into();
    let good = events::encode_result(&all[0]).expect("JSON");
    let future = model::CheckResult { slot: all[0].slot + 100 * 3_600_000, ..all[0].clone() };
    let bad: [(&str, Vec<u8>); 4] = [
        ("no JSON at all", b"\xff\x00{".to_vec()),
        ("another key", good),
        ("a version of the future", br#"{"v":9}"#.to_vec()),
        (&future.monitor.to_string(), events::encode_result(&future).expect("JSON")),
    ];
    for (key, value) in &bad {
        producer.send(Record::new(Arc::clone(&topic), (*key).to_owned(), value.clone())).expect("queued").await.expect("acknowledged");
    }
    produce(&producer, &topics, after).await;
    let mut found = Vec::new();
    while found.len() < bad.len() {
        let letter = tokio::time::timeout(Duration::from_secs(20), letters.next()).await.expect("a dead letter").expect("letter");
        found.push(letter.value.expect("the bytes as they came").to_vec());
    }
    found.sort();
    let mut expected: Vec<Vec<u8>> = bad.iter().map(|(_, value)| value.clone()).collect();
    expected.sort();
    assert_eq!(found, expected);
    committed(&stack, &topics).await;
    running.stop().await;
    assert_eq!(checks_in_history(&stack).await, 3 * 2 * 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_full_of_rubbish_stops_the_reader_instead_of_moving_it_all() {
    let stack = Stack::new();
    let topics = stack.create_topics(1).await;
    let producer = producer(&stack);
    let topic: Arc<str> = topics.results.as_str().into();
    for n in 0..80 {
        producer.send(Record::new(Arc::clone(&topic), n.to_string(), "rubbish")).expect("queued").await.expect("acknowledged");
    }
    let running = Running::start(&stack, &[]).await;
    let config = KafkaConfig::new(&stack.kafka_brokers, "test");
    let group = format!("{}processor", stack.topic_prefix);
    testkit::eventually("the first letters are committed", Duration::from_secs(30), || {
        let (config, group, topic) = (config.clone(), group.clone(), topics.results.clone());
        async move {
            kafka::committed_offsets(&config, &group, &topic, Duration::from_secs(5)).await.expect("offsets").eq(&[Some(FEW)]).then_some(())
        }
    })
    .await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let dead = kafka::end_offsets(&config, &events::Topics::dead_letter(&topics.results), Duration::from_secs(5)).await.expect("ends");
    assert_eq!(dead, [FEW], "the rest waits in its topic");
    running.stop().await;
    let committed = kafka::committed_offsets(&config, &group, &topics.results, Duration::from_secs(5)).await.expect("offsets");
    assert_eq!(committed, [Some(FEW)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pinger_whose_clock_is_ahead_stops_nobody() {
    let stack = Stack::new();
    let topics = stack.create_topics(1).await;
    let producer = producer(&stack);
    let all = results(2);
    // Every third is of a clock that is ahead.
    let mut mixed = Vec::new();
    for pair in all.chunks(2) {
        mixed.extend(pair.iter().cloned());
        mixed.push(model::CheckResult { slot: pair[0].slot + 100 * 3_600_000, ..pair[0].clone() });
    }
    let ahead = mixed.len() - all.len();
    assert!(ahead > 100, "more than would be a flood");
    produce(&producer, &topics, &mixed).await;
    let running = Running::start(&stack, &[]).await;
    committed(&stack, &topics).await;
    running.stop().await;
    assert_eq!(checks_in_history(&stack).await, 2 * 2 * 60);
    let dead = events::Topics::dead_letter(&topics.results);
    let config = KafkaConfig::new(&stack.kafka_brokers, "test");
    let ends = kafka::end_offsets(&config, &dead, Duration::from_secs(5)).await.expect("ends");
    assert_eq!(ends, [i64::try_from(ahead).expect("few")]);
}
