use std::sync::{Arc, Mutex};
use std::time::Duration;

use cache::{Cache, CacheConfig, CacheError, Update, redis};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::fresh;

#[tokio::test]
async fn a_closed_port_is_a_retryable_error_within_the_deadline() {
    let mut config = CacheConfig::new("redis://127.0.0.1:1".to_owned().into(), "p");
    config.deadline = Duration::from_millis(300);
    let cache = Cache::open(&config).expect("opens while Redis is away");
    let began = std::time::Instant::now();
    let error = cache.ping().await.expect_err("nobody listens");
    assert!(error.is_retryable(), "{error}");
    assert!(cache.pooled().await.err().expect("nobody listens").is_retryable());
    assert!(began.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn who_asks_while_redis_is_away_hears_it_at_once_and_soon_that_it_is_back() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let cache = Cache::open(&CacheConfig::new(format!("redis://{address}").into(), "p")).expect("opens");
    cache.ping().await.expect_err("nobody listens");
    for _ in 0..20 {
        let began = std::time::Instant::now();
        assert!(matches!(cache.ping().await, Err(CacheError::Away)));
        assert!(began.elapsed() < Duration::from_millis(50));
    }
    // The real one, under that address. Without its password it says no, but it says something.
    let real = std::env::var("TEST_REDIS_URL").expect("TEST_REDIS_URL");
    let real = real.rsplit(['@', '/']).next().expect("an address").to_owned();
    let listener = tokio::net::TcpListener::bind(address).await.expect("the same port");
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut server = tokio::net::TcpStream::connect(&real).await.expect("Redis");
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut client, &mut server).await });
        }
    });
    let began = std::time::Instant::now();
    while matches!(cache.ping().await, Err(CacheError::Away)) {
        assert!(began.elapsed() < Duration::from_secs(5), "it is back, and nobody noticed");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(matches!(cache.ping().await, Ok(()) | Err(CacheError::Redis(_))));
}

#[tokio::test]
async fn a_wrong_type_is_not_retryable() {
    let cache = fresh();
    let key = cache.keys().verdict(model::MonitorId(uuid::Uuid::nil()));
    cache.query::<()>(redis::cmd("RPUSH").arg(&key).arg(1)).await.expect("pushed");
    let error = cache.query::<String>(redis::cmd("GET").arg(&key)).await.expect_err("a list is no string");
    assert!(!error.is_retryable(), "{error}");
}

#[test]
fn an_unusable_address_says_what_one_looks_like_and_hides_the_password() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let _guard = runtime.enter();
    let error = Cache::open(&CacheConfig::new("nonsense://u:hunter2@h".to_owned().into(), "p")).expect_err("no such scheme");
    assert!(matches!(error, CacheError::Address(_)));
    assert!(error.to_string().contains("redis://"), "{error}");
    assert!(!error.to_string().contains("hunter2"), "{error}");
}

#[tokio::test]
async fn the_generation_stands_until_redis_forgets_it() {
    let cache = fresh();
    let first = cache.generation().await.expect("a generation");
    assert_eq!(cache.generation().await.expect("again"), first);
    cache.query::<()>(redis::cmd("DEL").arg(cache.keys().generation())).await.expect("deleted");
    assert_ne!(cache.generation().await.expect("a new one"), first);
}

/// The real Redis, but that it gets this in place of `INFO` while it is set.
async fn without_info(instead: Arc<Mutex<Option<String>>>) -> Cache {
    let real = std::env::var("TEST_REDIS_URL").expect("TEST_REDIS_URL");
    let server = real.rsplit(['@', '/']).next().expect("an address").to_owned();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = real.replace(&server, &listener.local_addr().expect("an address").to_string());
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = tokio::net::TcpStream::connect(&server).await.expect("Redis");
            let ((mut asks, mut hears), (mut says, mut takes)) = (client.into_split(), server.into_split());
            let (instead, mut buffer) = (Arc::clone(&instead), vec![0; 65_536]);
            tokio::spawn(async move {
                let answers = async { tokio::io::copy(&mut says, &mut hears).await };
                tokio::pin!(answers);
                loop {
                    let length = tokio::select! {
                        asked = asks.read(&mut buffer) => asked.unwrap_or(0),
                        _ = &mut answers => return,
                    };
                    if length == 0 {
                        return;
                    }
                    let info = buffer[..length].windows(8).any(|word| word == b"\r\nINFO\r\n");
                    let other = instead.lock().expect("set").clone().filter(|_| info);
                    takes.write_all(other.as_ref().map_or(&buffer[..length], String::as_bytes)).await.expect("written");
                }
            });
        }
    });
    Cache::open(&CacheConfig::new(url.into(), &format!("test-{}", uuid::Uuid::new_v4()))).expect("an address")
}

#[tokio::test]
async fn a_server_that_does_not_tell_its_run_is_the_same_as_before() {
    let instead = Arc::new(Mutex::new(None));
    let cache = without_info(Arc::clone(&instead)).await;
    let first = cache.generation().await.expect("a generation");
    for failing in ["LOADING Redis is loading the dataset in memory", "NOPERM this user may not run it", "ERR unknown command"] {
        let script = format!("return redis.error_reply('{failing}')");
        let ask = format!("*3\r\n$4\r\nEVAL\r\n${}\r\n{script}\r\n$1\r\n0\r\n", script.len());
        *instead.lock().expect("set") = Some(ask);
        match cache.generation().await {
            Ok(generation) => assert_eq!(generation, first, "{failing}"),
            Err(error) => assert!(error.is_retryable(), "{error}"),
        }
    }
    *instead.lock().expect("set") = None;
    assert_eq!(cache.generation().await.expect("it tells again"), first);
}

#[tokio::test]
async fn a_subscriber_hears_what_is_published_and_returns_after_a_cut() {
    let cache = fresh();
    let mut subscription = cache.subscribe();
    assert_eq!(subscription.next().await, Update::Connected);
    assert_eq!(cache.publish(b"one").await.expect("published"), 1);
    assert_eq!(subscription.next().await, Update::Message("one".into()));

    // Cut this subscriber only: other tests share the Redis.
    let clients: String = cache.query(redis::cmd("CLIENT").arg("LIST").arg("TYPE").arg("pubsub")).await.expect("a list");
    let newest = clients.lines().filter_map(|line| line.strip_prefix("id=")?.split(' ').next()?.parse::<u64>().ok()).max().expect("ours");
    cache.query::<()>(redis::cmd("CLIENT").arg("KILL").arg("ID").arg(newest)).await.expect("cut");
    assert_eq!(subscription.next().await, Update::Connected);
    cache.publish(b"two").await.expect("published");
    assert_eq!(subscription.next().await, Update::Message("two".into()));
}

#[tokio::test]
async fn a_subscriber_is_told_once_that_nothing_is_heard() {
    let nowhere = CacheConfig::new("redis://127.0.0.1:1".to_owned().into(), "test");
    let mut subscription = Cache::open(&CacheConfig { deadline: Duration::from_millis(200), ..nowhere }).expect("an address").subscribe();
    assert_eq!(subscription.next().await, Update::Lost);
    let again = tokio::time::timeout(Duration::from_secs(1), subscription.next()).await;
    assert!(again.is_err(), "{again:?}");
}

#[tokio::test]
async fn a_script_is_loaded_where_redis_does_not_know_it() {
    let cache = fresh();
    let script = redis::Script::new(&format!("return '{}'", uuid::Uuid::new_v4()));
    let first: String = cache.script(&script.prepare_invoke()).await.expect("loaded and run");
    let again: String = cache.script_pooled(&script.prepare_invoke()).await.expect("run by hash");
    assert_eq!(first, again);
}
