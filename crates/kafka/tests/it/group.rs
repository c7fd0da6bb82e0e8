use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use kafka::{Event, GroupConsumer, Producer, TopicPartitionOffset};

use crate::support::{config, number, produce, take_until, topic, unique};

fn positions(messages: &[kafka::Message]) -> Vec<TopicPartitionOffset> {
    let mut next: HashMap<(Arc<str>, i32), i64> = HashMap::new();
    for message in messages {
        let position = next.entry((message.topic.clone(), message.partition)).or_default();
        *position = (*position).max(message.offset + 1);
    }
    next.into_iter().map(|((topic, partition), offset)| TopicPartitionOffset { topic, partition, offset }).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_member_resumes_after_what_was_committed() {
    let config = config();
    let (topic, group) = (topic(&config, 3).await, unique("group"));
    let producer = Producer::new(&config).expect("producer");
    produce(&producer, &topic, 0..300).await;
    let mut first = GroupConsumer::new(&config, &group, &[&topic]).expect("consumer");
    let read = take_until(&mut first, |all| all.len() >= 300).await;
    first.commit(&positions(&read)).await.expect("committed");
    assert_eq!(first.assigned().len(), 3);
    first.close(Duration::from_secs(10)).await.expect("closed");

    produce(&producer, &topic, 300..400).await;
    let mut second = GroupConsumer::new(&config, &group, &[&topic]).expect("consumer");
    let read = take_until(&mut second, |all| all.len() >= 100).await;
    let mut numbers: Vec<u32> = read.iter().map(number).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (300..400).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_says_where_a_partition_starts() {
    let config = config();
    let topic = topic(&config, 1).await;
    let producer = Producer::new(&config).expect("producer");
    produce(&producer, &topic, 0..50).await;
    let name: Arc<str> = topic.as_str().into();
    for (given, first) in [(Some(40), 40), (Some(5000), 0), (None, 0)] {
        let mut consumer = GroupConsumer::new(&config, &unique("group"), &[&topic]).expect("consumer");
        let Event::Assigned(assignment) = consumer.next(10, Duration::ZERO).await.expect("event") else {
            panic!("records before the assignment")
        };
        assert_eq!(assignment.partitions(), [(Arc::clone(&name), 0)]);
        // The service may take its time (it reads its database); nothing comes before it answered.
        assert!(tokio::time::timeout(Duration::from_millis(500), consumer.next(10, Duration::ZERO)).await.is_err());
        assignment.start(given.map(|offset| ((Arc::clone(&name), 0), offset)).into_iter().collect());
        let read = take_until(&mut consumer, |all| !all.is_empty()).await;
        assert_eq!(read[0].offset, first, "given {given:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_members_share_and_a_leaver_hands_over_without_a_gap() {
    let config = config();
    let (topic, group) = (topic(&config, 4).await, unique("group"));
    let producer = Producer::new(&config).expect("producer");
    let mut one = GroupConsumer::new(&config, &group, &[&topic]).expect("consumer");
    produce(&producer, &topic, 0..200).await;
    let read = take_until(&mut one, |all| all.len() >= 200).await;
    one.commit(&positions(&read)).await.expect("committed");

    // The second joins; the first keeps the partitions it does not lose.
    let mut two = GroupConsumer::new(&config, &group, &[&topic]).expect("consumer");
    let mut revoked = 0;
    let began = std::time::Instant::now();
    while one.assigned().len() != 2 || two.assigned().len() != 2 {
        tokio::select! {
            event = one.next(1000, Duration::ZERO) => match event.expect("event") {
                Event::Revoked(revocation) => {
                    revoked += revocation.partitions().len();
                    assert!(!revocation.is_lost());
                    // A last commit goes through while the group waits.
                    one.commit(&positions(&read)).await.expect("committed in the revocation");
                    revocation.done();
                }
                Event::Assigned(assignment) => assignment.start(HashMap::new()),
                Event::Batch(_) => panic!("everything was committed"),
            },
            event = two.next(1000, Duration::ZERO) => match event.expect("event") {
                Event::Assigned(assignment) => assignment.start(HashMap::new()),
                Event::Revoked(_) => {}
                Event::Batch(_) => panic!("everything was committed"),
            },
            // An answered assignment is carried out by the polling thread: look again soon.
            () = tokio::time::sleep(Duration::from_millis(50)) => {
                assert!(began.elapsed() < Duration::from_secs(30), "no rebalance: {:?} {:?}", one.assigned(), two.assigned());
            }
        }
    }
    assert_eq!(revoked, 2);
    produce(&producer, &topic, 200..400).await;
    let mut seen = HashSet::new();
    // Taken in turns, as neither knows its share.
    while seen.len() < 200 {
        tokio::select! {
            event = one.next(1000, Duration::ZERO) => if let Event::Batch(batch) = event.expect("event") { seen.extend(batch.iter().map(number)); },
            event = two.next(1000, Duration::ZERO) => if let Event::Batch(batch) = event.expect("event") { seen.extend(batch.iter().map(number)); },
            () = tokio::time::sleep(Duration::from_secs(30)) => panic!("only {} came", seen.len()),
        }
    }
    // The second leaves without having committed: the first reads its share again.
    two.close(Duration::from_secs(10)).await.expect("closed");
    let mut again = HashSet::new();
    let read = take_until(&mut one, |all| {
        again.extend(all.iter().map(number));
        !again.is_empty()
    })
    .await;
    assert!(read.iter().all(|message| number(message) >= 200));
    assert_eq!(one.assigned().len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_service_keeps_its_partitions_and_gets_everything_in_order() {
    let config = config();
    let topic = topic(&config, 1).await;
    let producer = Producer::new(&config).expect("producer");
    produce(&producer, &topic, 0..45_000).await;
    let mut consumer = GroupConsumer::new(&config, &unique("group"), &[&topic]).expect("consumer");
    let Event::Assigned(assignment) = consumer.next(1, Duration::ZERO).await.expect("event") else { panic!("records first") };
    assignment.start(HashMap::new());
    // Longer than a full inbox is waited for, so the partition is paused and has to be resumed.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let read = take_until(&mut consumer, |all| all.len() >= 45_000).await;
    assert!(read.iter().enumerate().all(|(n, message)| number(message) as usize == n), "a gap, a repeat or disorder");
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(consumer.lag().values().sum::<i64>(), 0);

    let partition = consumer.assigned();
    consumer.pause(&partition).expect("paused");
    produce(&producer, &topic, 45_000..45_010).await;
    assert!(tokio::time::timeout(Duration::from_millis(800), consumer.next(10, Duration::ZERO)).await.is_err());
    consumer.resume(&partition).expect("resumed");
    let read = take_until(&mut consumer, |all| all.len() >= 10).await;
    assert_eq!(number(&read[0]), 45_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_joins_anew_is_given_its_partitions_anew() {
    let config = config();
    let topic = topic(&config, 2).await;
    let producer = Producer::new(&config).expect("producer");
    produce(&producer, &topic, 0..100).await;
    let mut consumer = GroupConsumer::new(&config, &unique("group"), &[&topic]).expect("consumer");
    let read = take_until(&mut consumer, |all| all.len() >= 100).await;
    consumer.commit(&positions(&read[..50])).await.expect("committed");
    produce(&producer, &topic, 100..110).await;
    consumer.rejoin().await.expect("joined");
    assert_eq!(consumer.assigned(), []);
    // Nothing that the former member read, or had waiting, comes before the assignment.
    let Event::Assigned(assignment) = consumer.next(10, Duration::ZERO).await.expect("event") else { panic!("records first") };
    assert!(assignment.stands());
    assert_eq!(assignment.partitions().len(), 2);
    assignment.start(HashMap::new());
    let mut seen = HashSet::new();
    take_until(&mut consumer, |all| {
        seen.extend(all.iter().map(number));
        (100..110).all(|n| seen.contains(&n))
    })
    .await;
}
