//! Topics of one test, deleted with it.

use std::time::Duration;

use events::TopicSpec;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;

pub(crate) struct TestTopics {
    brokers: String,
    specs: Vec<TopicSpec>,
}

impl TestTopics {
    pub async fn create(brokers: &str, specs: Vec<TopicSpec>) -> Self {
        let topics: Vec<_> = specs.iter().map(|spec| NewTopic::new(&spec.name, spec.partitions, TopicReplication::Fixed(1))).collect();
        let results = admin(brokers).create_topics(&topics, &options()).await.expect("Kafka of the test stack");
        for result in results {
            result.unwrap_or_else(|(topic, code)| panic!("topic {topic}: {code}"));
        }
        Self { brokers: brokers.to_owned(), specs }
    }
}

impl Drop for TestTopics {
    fn drop(&mut self) {
        let (brokers, specs) = (self.brokers.clone(), std::mem::take(&mut self.specs));
        let cleanup = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
            let names: Vec<_> = specs.iter().map(|spec| spec.name.as_str()).collect();
            let _ = runtime.block_on(admin(&brokers).delete_topics(&names, &options()));
        });
        let _ = cleanup.join();
    }
}

fn admin(brokers: &str) -> AdminClient<DefaultClientContext> {
    ClientConfig::new().set("bootstrap.servers", brokers).create().expect("Kafka admin client")
}

fn options() -> AdminOptions {
    AdminOptions::new().operation_timeout(Some(Duration::from_secs(15))).request_timeout(Some(Duration::from_secs(15)))
}
