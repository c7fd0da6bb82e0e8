//! A Redis of a test's own, which it may empty and stop without taking anything from others.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use deadpool_redis::redis;

use crate::ports::free_port;
use crate::process::Process;

/// One server on loopback that keeps nothing on disk unless told. Killed when dropped.
pub struct Redis {
    port: u16,
    directory: PathBuf,
    process: Option<Process>,
}

impl Redis {
    pub async fn start(directory: &Path) -> Self {
        let directory = directory.join("redis");
        std::fs::create_dir_all(&directory).expect("a directory");
        let mut redis = Self { port: free_port(), directory, process: None };
        redis.resume(None).await;
        redis
    }

    /// Starts it again after [`Redis::stop`]: with what a dump holds, or empty.
    pub async fn resume(&mut self, dump: Option<&[u8]>) {
        let file = self.directory.join("dump.rdb");
        match dump {
            Some(bytes) => std::fs::write(&file, bytes).expect("a dump"),
            None => drop(std::fs::remove_file(&file)),
        }
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port"]).arg(self.port.to_string());
        self.process = Some(Process::start("redis", command, &HashMap::new(), &self.directory));
        let url = self.url();
        testkit::eventually("Redis answers", Duration::from_secs(15), || async {
            let mut connection = redis::Client::open(url.as_str()).ok()?.get_multiplexed_async_connection().await.ok()?;
            redis::cmd("PING").query_async::<()>(&mut connection).await.ok()
        })
        .await;
    }

    /// kill -9.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// What it holds now, as a dump.
    pub async fn dump(&self) -> Vec<u8> {
        let mut connection = self.connection().await;
        redis::cmd("SAVE").query_async::<()>(&mut connection).await.expect("Redis saves");
        std::fs::read(self.directory.join("dump.rdb")).expect("the dump")
    }

    async fn connection(&self) -> redis::aio::MultiplexedConnection {
        let client = redis::Client::open(self.url()).expect("a Redis URL");
        client.get_multiplexed_async_connection().await.expect("Redis")
    }

    /// For `REDIS_URL`.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// FLUSHALL.
    pub async fn flush_all(&self) {
        let mut connection = self.connection().await;
        redis::cmd("FLUSHALL").query_async::<()>(&mut connection).await.expect("Redis is emptied");
    }
}

/// A connection that waits longer than its library would (half a second), for whoever compares everything on a busy machine.
pub async fn patient_redis(url: &str) -> redis::aio::MultiplexedConnection {
    let config = redis::AsyncConnectionConfig::new().set_response_timeout(Some(Duration::from_secs(20)));
    let client = redis::Client::open(url).expect("a Redis URL");
    client.get_multiplexed_async_connection_with_config(&config).await.expect("Redis")
}
