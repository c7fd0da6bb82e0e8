//! Schema and topics: what must exist before any service starts. Safe to repeat, and from several places at once.

use std::time::Duration;

use events::TopicSpec;
use kafka::{KafkaConfig, ensure_topics};
use secrecy::SecretString;
use service::{Env, Error};
use store::Store;

/// How long to wait for PostgreSQL and Kafka to come up before giving up.
const PATIENCE: Duration = Duration::from_mins(1);

/// `upmesh migrate`.
pub async fn run(env: Env) -> Result<(), Error> {
    let database = settings::database(&env);
    let kafka = settings::kafka(&env, "migrate");
    let wanted = topic_settings(&env);
    env.check()?;
    let (database, kafka, (specs, replication)) = (database?, kafka?, wanted?);
    schema(&database).await?;
    topics(&kafka, &specs, replication).await
}

/// Brings the schema up to date.
pub async fn schema(url: &SecretString) -> Result<(), Error> {
    insist("the database", || async { Store::migrate(url).await.map_err(Into::into) }).await?;
    tracing::info!("schema is up to date");
    Ok(())
}

/// Creates the topics that are missing.
pub async fn topics(config: &KafkaConfig, specs: &[TopicSpec], replication: i32) -> Result<(), Error> {
    insist("Kafka", || async { ensure_topics(config, specs, replication).await.map_err(Into::into) }).await?;
    tracing::info!("topics exist");
    Ok(())
}

/// The topics of this mesh and their replication factor, from `TOPIC_PREFIX`, `KAFKA_PARTITIONS`, `KAFKA_REPLICATION`.
pub fn topic_settings(env: &Env) -> Result<(Vec<TopicSpec>, i32), Error> {
    let topics = settings::topics(env)?;
    let partitions = env.or("KAFKA_PARTITIONS", 6)?;
    if !(1..=1000).contains(&partitions) {
        return Err(env.reject("KAFKA_PARTITIONS", "is not between 1 and 1000", Some("6")).into());
    }
    let replication = env.or("KAFKA_REPLICATION", 1)?;
    Ok((topics.specs(partitions), replication))
}

/// Repeats `work` until it succeeds; a server that is still starting is no reason to fail.
async fn insist<Fut: Future<Output = Result<(), Error>>>(what: &str, work: impl Fn() -> Fut) -> Result<(), Error> {
    let begin = std::time::Instant::now();
    loop {
        match work().await {
            Ok(()) => return Ok(()),
            Err(error) if begin.elapsed() > PATIENCE || error.config().is_some() => return Err(error),
            Err(error) => tracing::warn!(%error, "{what} is not ready; trying again"),
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
