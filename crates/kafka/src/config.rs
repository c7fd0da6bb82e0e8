//! How to reach the cluster, and the librdkafka settings that follow from it.

use std::fmt;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;

/// `KAFKA_SECURITY_PROTOCOL` and what belongs to it, passed to librdkafka as it is. TLS and SCRAM are OpenSSL's.
#[derive(Clone, Default)]
pub struct Security {
    /// `plaintext`, `ssl`, `sasl_plaintext` or `sasl_ssl`.
    pub protocol: String,
    /// `PLAIN`, `SCRAM-SHA-256`, `SCRAM-SHA-512`.
    pub sasl_mechanism: Option<String>,
    pub sasl_username: Option<String>,
    pub sasl_password: Option<String>,
    /// Path of a PEM file with the certificate authorities; the system's if absent.
    pub ca_location: Option<String>,
    /// Paths of PEM files with our certificate and its key, for brokers that ask for one.
    pub certificate_location: Option<String>,
    pub key_location: Option<String>,
    pub key_password: Option<String>,
}

impl fmt::Debug for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Security").field("protocol", &self.protocol).field("sasl_mechanism", &self.sasl_mechanism).finish_non_exhaustive()
    }
}

/// Connection settings shared by producers and consumers.
#[derive(Debug, Clone)]
pub struct KafkaConfig {
    /// `host:port,host:port`.
    pub brokers: String,
    /// Shown in the broker's logs and quotas: the service's name.
    pub client_id: String,
    /// How long a fetch may wait for data. 500 on Kafka, which wakes at once; 50 on the embedded broker, which polls.
    pub fetch_wait_ms: u32,
    /// How long a produced record may wait for company.
    pub linger_ms: u32,
    /// How long a record may stay unacknowledged before its [`crate::Ack`] fails.
    pub delivery_timeout: Duration,
    /// How many records may wait unacknowledged; beyond it `send` says `QueueFull`.
    pub queue_records: u32,
    /// After how long without heartbeat a dead member's partitions go to another.
    pub session_timeout: Duration,
    pub security: Option<Security>,
}

impl KafkaConfig {
    pub fn new(brokers: impl Into<String>, client_id: impl Into<String>) -> Self {
        Self {
            brokers: brokers.into(),
            client_id: client_id.into(),
            fetch_wait_ms: 500,
            linger_ms: 5,
            delivery_timeout: Duration::from_secs(30),
            queue_records: 100_000,
            // The least that brokers take as they come: a dead alerter's partitions are told by another within ten seconds.
            session_timeout: Duration::from_secs(6),
            security: None,
        }
    }

    #[must_use]
    pub fn fetch_wait_ms(mut self, fetch_wait_ms: u32) -> Self {
        self.fetch_wait_ms = fetch_wait_ms;
        self
    }

    #[must_use]
    pub fn security(mut self, security: Security) -> Self {
        self.security = Some(security);
        self
    }

    /// What every client has in common.
    pub(crate) fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.brokers)
            .set("client.id", &self.client_id)
            .set("socket.keepalive.enable", "true")
            // The default backs off to ten seconds; an outage should end when the broker is back.
            .set("reconnect.backoff.ms", "50")
            .set("reconnect.backoff.max.ms", "1000")
            // A topic that appears after us is found within seconds, not minutes.
            .set("topic.metadata.refresh.interval.ms", "10000")
            .set("allow.auto.create.topics", "false")
            .set_log_level(RDKafkaLogLevel::Warning);
        if let Some(security) = &self.security {
            config.set("security.protocol", &security.protocol);
            let optional = [
                ("sasl.mechanism", &security.sasl_mechanism),
                ("sasl.username", &security.sasl_username),
                ("sasl.password", &security.sasl_password),
                ("ssl.ca.location", &security.ca_location),
                ("ssl.certificate.location", &security.certificate_location),
                ("ssl.key.location", &security.key_location),
                ("ssl.key.password", &security.key_password),
            ];
            for (name, value) in optional {
                if let Some(value) = value {
                    config.set(name, value);
                }
            }
        }
        config
    }

    pub(crate) fn producer(&self) -> ClientConfig {
        let mut config = self.client();
        config
            .set("acks", "all")
            .set("enable.idempotence", "true")
            // Java's default, so that any client of any language finds a monitor in the same partition.
            .set("partitioner", "murmur2_random")
            .set("compression.type", "lz4")
            .set("linger.ms", self.linger_ms.to_string())
            .set("message.timeout.ms", self.delivery_timeout.as_millis().to_string())
            .set("queue.buffering.max.messages", self.queue_records.to_string())
            .set("queue.buffering.max.kbytes", "131072");
        config
    }

    pub(crate) fn consumer(&self, group: &str) -> ClientConfig {
        let mut config = self.client();
        config
            .set("group.id", group)
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "earliest")
            .set("check.crcs", "true")
            .set("fetch.wait.max.ms", self.fetch_wait_ms.to_string())
            .set("fetch.error.backoff.ms", "200")
            .set("queued.max.messages.kbytes", "32768")
            // How long a partition is not fetched once that much waits. The default, a second, is longer than the
            // queue lasts: whoever catches up would stand still for most of each second.
            .set("fetch.queue.backoff.ms", "10")
            .set("session.timeout.ms", self.session_timeout.as_millis().to_string())
            .set("heartbeat.interval.ms", (self.session_timeout.as_millis() / 5).to_string())
            // The polling thread never blocks, so this bounds only how long a frozen process holds up a rebalance.
            .set("max.poll.interval.ms", "60000")
            .set("statistics.interval.ms", "5000");
        config
    }
}
