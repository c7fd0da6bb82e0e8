//! A Redis of a test's own, which it may empty and stop without taking anything from others.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use deadpool_redis::redis;

use crate::ports::free_port;
use crate::process::Process;

/// One server on loopback that keeps nothing on disk. Killed when dropped.
pub struct Redis {
    port: u16,
    _process: Process,
}

impl Redis {
    pub async fn start(directory: &Path) -> Self {
        let port = free_port();
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port"]).arg(port.to_string());
        let process = Process::start("redis", command, &HashMap::new(), directory);
        testkit::eventually("Redis accepts", Duration::from_secs(15), || async move {
            tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok().map(drop)
        })
        .await;
        Self { port, _process: process }
    }

    /// For `REDIS_URL`.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// FLUSHALL.
    pub async fn flush_all(&self) {
        let client = redis::Client::open(self.url()).expect("a Redis URL");
        let mut connection = client.get_multiplexed_async_connection().await.expect("Redis");
        redis::cmd("FLUSHALL").query_async::<()>(&mut connection).await.expect("Redis is emptied");
    }
}
