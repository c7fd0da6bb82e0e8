//! A broker inside the process: librdkafka's mock cluster. For a look where Kafka cannot be had, and for tests.

use events::TopicSpec;
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, Producer as _};

use crate::error::KafkaError;

/// Lives in memory: at most 5 MB per partition (older records vanish silently), gone with the process.
/// It has no admin API; its topics are made here. Other processes may connect to it.
pub struct EmbeddedBroker {
    owner: BaseProducer,
    servers: String,
}

impl EmbeddedBroker {
    /// Starts on a random loopback port and makes the topics.
    pub fn start(specs: &[TopicSpec]) -> Result<Self, KafkaError> {
        let owner: BaseProducer = ClientConfig::new().set("test.mock.num.brokers", "1").create()?;
        let servers = owner.client().mock_cluster().map(|mock| mock.bootstrap_servers()).ok_or(KafkaError::Closed)?;
        let broker = Self { owner, servers };
        for spec in specs {
            broker.create_topic(&spec.name, spec.partitions)?;
        }
        Ok(broker)
    }

    /// `host:port` for `KAFKA_BROKERS`.
    pub fn bootstrap_servers(&self) -> &str {
        &self.servers
    }

    pub fn create_topic(&self, name: &str, partitions: i32) -> Result<(), KafkaError> {
        let mock = self.owner.client().mock_cluster().ok_or(KafkaError::Closed)?;
        Ok(mock.create_topic(name, partitions, 1)?)
    }

    /// Cuts or restores every connection, as an outage does.
    pub fn set_reachable(&self, reachable: bool) -> Result<(), KafkaError> {
        let mock = self.owner.client().mock_cluster().ok_or(KafkaError::Closed)?;
        Ok(if reachable { mock.broker_up(1) } else { mock.broker_down(1) }?)
    }
}
