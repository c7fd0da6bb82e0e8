//! Committed changes reach Kafka: each at least once, in order, also those made while Kafka was away.

use std::time::Duration;

use events::{ChangeKind, MonitorChange};
use kafka::{BroadcastConsumer, KafkaConfig};
use testkit::{Stack, within};

use crate::mesh::{EMAIL, Replica};

const SOON: Duration = Duration::from_secs(30);

async fn listen(stack: &Stack) -> BroadcastConsumer {
    let config = KafkaConfig::new(&stack.kafka_brokers, "test");
    let consumer = BroadcastConsumer::new(&config, &[&stack.topics().changes]).expect("a consumer");
    within("the consumer's start", SOON, consumer.ready()).await;
    consumer
}

async fn next(consumer: &mut BroadcastConsumer) -> MonitorChange {
    let message = within("a change", SOON, consumer.next()).await.expect("a record");
    let change = MonitorChange::decode(message.value.as_deref()).expect("a change");
    assert_eq!(message.key.as_deref(), Some(change.monitor.to_string().as_bytes()));
    change
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_told_in_the_order_they_were_made() {
    let stack = Stack::new();
    stack.create_topics(1).await;
    let replica = Replica::start(&stack, &[]).await;
    let workspace = replica.workspace().await;
    let mut told = listen(&stack).await;
    let begin = std::time::Instant::now();
    let monitor = replica.create(workspace, "shop").await;
    let first = next(&mut told).await;
    assert!(begin.elapsed() < Duration::from_secs(2), "told at once, not when the relay happens to look: {:?}", begin.elapsed());
    replica.client.pause_monitor(EMAIL, workspace, monitor.id).await.expect("paused");
    replica.client.delete_monitor(EMAIL, workspace, monitor.id).await.expect("deleted");
    let all = [first, next(&mut told).await, next(&mut told).await];
    assert_eq!(all.each_ref().map(|change| change.kind), [ChangeKind::Created, ChangeKind::Paused, ChangeKind::Deleted]);
    assert!(all.is_sorted_by_key(|change| change.revision));
    assert!(all.iter().all(|change| change.actor == EMAIL));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_committed_without_kafka_is_told_by_the_next_replica() {
    let stack = Stack::new();
    stack.create_topics(1).await;
    let mut told = listen(&stack).await;
    let cut_off = Replica::start(&stack, &[("KAFKA_BROKERS", "127.0.0.1:1")]).await;
    let workspace = cut_off.workspace().await;
    let monitor = cut_off.create(workspace, "written without Kafka").await;
    let waiting = stack.database().await.number("SELECT count(*) FROM outbox").await;
    assert!(waiting > 0, "the change is kept, not lost");
    drop(cut_off);
    let _healthy = Replica::start(&stack, &[]).await;
    assert_eq!(next(&mut told).await.monitor, monitor.id);
    testkit::eventually("the outbox is empty", SOON, || async {
        (stack.database().await.number("SELECT count(*) FROM outbox").await == 0).then_some(())
    })
    .await;
}
