//! The log is the truth and everything else follows from it: read twice, it leaves the same bytes; read
//! again after history and Redis were lost, it brings the same bytes back.

use std::time::Duration;

use deadpool_redis::redis;
use kafka::KafkaConfig;
use sqlx::Connection;
use system_tests::{Dump, Farm, Mesh, Plan, Service, monitor};
use testkit::{eventually, within};

const NAMES: [&str; 4] = ["gold", "silver", "bronze", "tin"];
const LATER: Duration = Duration::from_secs(45);

/// Puts the processor's group back to the beginning of the log, while no processor runs.
async fn rewind(mesh: &Mesh) {
    let config = KafkaConfig::new(&mesh.kafka, "system-tests");
    let (group, topic) = (mesh.group("processor"), mesh.stack.topics().results);
    kafka::reset_offsets(&config, &group, &topic, LATER).await.expect("the group is put back");
    let positions = kafka::committed_offsets(&config, &group, &topic, LATER).await.expect("the group's positions");
    assert!(positions.iter().all(|position| *position == Some(0)), "{positions:?}");
}

/// Waits until two looks at everything derived, a flush apart, are the same.
async fn settled(mesh: &Mesh) -> Dump {
    eventually("history and live state stand still", LATER, || async {
        let before = Dump::take(mesh).await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        let now = Dump::take(mesh).await;
        (now == before && !now.is_empty()).then_some(now)
    })
    .await
}

/// Forgets everything that follows from the log.
async fn forget(mesh: &Mesh) {
    let mut connection = sqlx::PgConnection::connect(&mesh.stack.database().await.url).await.expect("PostgreSQL");
    sqlx::query("TRUNCATE history_blocks, day_rollups").execute(&mut connection).await.expect("history is emptied");
    let client = redis::Client::open(mesh.stack.redis_url.as_str()).expect("a Redis URL");
    let mut redis = client.get_multiplexed_async_connection().await.expect("Redis");
    let pattern = format!("{}:*", mesh.stack.redis_prefix);
    let keys: Vec<String> = redis::cmd("KEYS").arg(pattern).query_async(&mut redis).await.expect("keys");
    redis::cmd("DEL").arg(keys).query_async::<()>(&mut redis).await.expect("this mesh's corner of Redis is emptied");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_read_again_leaves_the_same_bytes() {
    let _alone = crate::alone().await;
    let farm = Farm::start().await;
    let mut mesh = Mesh::start(Plan::default()).await;
    let api = mesh.login().await;
    for name in NAMES {
        api.create(monitor(name, &farm.url(name))).await;
    }
    farm.next_visit("gold", LATER).await;
    farm.set_down("tin", true);
    for _ in 0..2 {
        farm.next_visit("tin", LATER).await;
    }
    // The log stands still from here on.
    mesh.stop(Service::Pinger).await;
    let once = settled(&mesh).await;
    assert!(once.keys.keys().filter(|key| key.starts_with("live:")).count() == NAMES.len(), "{once:?}");

    mesh.stop(Service::Processor).await;
    within("the group is put back to the beginning", LATER, rewind(&mesh)).await;
    mesh.restart(Service::Processor, 0);
    mesh.ready().await;
    eventually("the log is read again to its end", LATER, || async { (mesh.lag(Service::Processor).await == Some(0)).then_some(()) }).await;
    let twice = settled(&mesh).await;
    assert_eq!(once, twice, "the log read twice left something else");

    mesh.stop(Service::Processor).await;
    within("the group is put back to the beginning", LATER, rewind(&mesh)).await;
    forget(&mesh).await;
    mesh.restart(Service::Processor, 0);
    mesh.ready().await;
    eventually("as many blocks as before", LATER, || async {
        (Dump::take(&mesh).await.rows["history_blocks"].len() == once.rows["history_blocks"].len()).then_some(())
    })
    .await;
    let anew = settled(&mesh).await;
    assert_eq!(once, anew, "the log brought something else back");
}
