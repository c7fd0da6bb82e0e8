//! The real PostgreSQL, Redis and Kafka of a test run, each test in its own corner of them.

use std::collections::HashMap;

use cache::Cache;
use events::Topics;
use secrecy::SecretString;
use uuid::Uuid;

use crate::database::TestDatabase;
use crate::topics::TestTopics;

/// The services' key among themselves: as long as users insists on.
pub const INTERNAL_KEY: &str = "test-internal-key-0123456789abcdef";

/// One test's share of the running services: a database, a Redis prefix and a topic prefix of its own.
/// What it made is removed when it is dropped.
pub struct Stack {
    /// Names everything this test owns; eight hexadecimal digits.
    pub id: String,
    pub redis_url: String,
    /// For `REDIS_PREFIX`.
    pub redis_prefix: String,
    pub kafka_brokers: String,
    /// For `TOPIC_PREFIX`.
    pub topic_prefix: String,
    database_url: String,
    database: tokio::sync::OnceCell<TestDatabase>,
    topics: tokio::sync::OnceCell<TestTopics>,
}

impl Stack {
    /// Reads `TEST_DATABASE_URL`, `TEST_REDIS_URL` and `TEST_KAFKA_BROKERS`; makes nothing yet.
    pub fn new() -> Self {
        let id = Uuid::new_v4().simple().to_string()[..8].to_owned();
        Self {
            redis_url: required("TEST_REDIS_URL"),
            redis_prefix: format!("t{id}"),
            kafka_brokers: required("TEST_KAFKA_BROKERS"),
            topic_prefix: format!("t{id}-"),
            database_url: required("TEST_DATABASE_URL"),
            database: tokio::sync::OnceCell::new(),
            topics: tokio::sync::OnceCell::new(),
            id,
        }
    }

    /// Another PostgreSQL than the run's; before [`Stack::database`] is asked for.
    pub fn use_database_server(&mut self, url: String) {
        self.database_url = url;
    }

    /// This test's database, migrated.
    pub async fn database(&self) -> &TestDatabase {
        self.database.get_or_init(|| TestDatabase::create(&self.database_url, &self.id)).await
    }

    /// This test's corner of Redis.
    pub async fn cache(&self) -> Cache {
        Cache::connect(&self.redis_secret(), &self.redis_prefix).await.expect("Redis of the test stack")
    }

    pub fn redis_secret(&self) -> SecretString {
        self.redis_url.clone().into()
    }

    /// The names of this test's topics; see [`Stack::create_topics`].
    pub fn topics(&self) -> Topics {
        Topics::new(&self.topic_prefix)
    }

    /// Creates this test's topics, the results with `partitions`; a second call changes nothing.
    pub async fn create_topics(&self, partitions: i32) -> Topics {
        self.topics.get_or_init(|| TestTopics::create(&self.kafka_brokers, self.topics().specs(partitions))).await;
        self.topics()
    }

    /// The environment of a service of this test: where things are, prefixes, keys, any free port for what it serves.
    pub async fn environment(&self) -> HashMap<String, String> {
        let pairs = [
            ("DATABASE_URL", self.database().await.url.as_str()),
            ("REDIS_URL", &self.redis_url),
            ("REDIS_PREFIX", &self.redis_prefix),
            ("KAFKA_BROKERS", &self.kafka_brokers),
            ("TOPIC_PREFIX", &self.topic_prefix),
            ("INTERNAL_API_KEY", INTERNAL_KEY),
            ("SECRET_KEY", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"),
            ("ADMIN_EMAIL", "admin@upmesh.test"),
            ("ADMIN_PASSWORD", "correct horse battery staple"),
            ("ALLOWED_TARGET_NETWORKS", "127.0.0.0/8,::1/128"),
            ("REGION", "local"),
            ("ADMIN_ADDR", "127.0.0.1:0"),
        ];
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }
}

impl Default for Stack {
    fn default() -> Self {
        Self::new()
    }
}

fn required(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run `make test`, or `eval \"$(scripts/stack --test env)\"` first"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::within;

    #[tokio::test]
    async fn a_test_gets_a_migrated_database_a_cache_and_topics() {
        let (one, two) = (Stack::new(), Stack::new());
        let all = async {
            let (a, b) = tokio::join!(one.database(), two.database());
            assert!(a.store.is_migrated().await.unwrap() && b.store.is_migrated().await.unwrap());
            assert_ne!(a.url, b.url);
            one.cache().await.ping().await.unwrap();
            assert!(one.create_topics(2).await.results.starts_with(&one.topic_prefix));
            one.create_topics(2).await;
        };
        within("the test stack", Duration::from_secs(30), Box::pin(all)).await;
    }
}
