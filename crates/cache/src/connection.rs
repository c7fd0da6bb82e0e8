//! The way to Redis: a pool for work that holds a connection (pipelines, scripts), one shared
//! multiplexed connection for hot, small calls (2.6 × the throughput of a pool per request).

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use deadpool_redis::redis::aio::{ConnectionManager, ConnectionManagerConfig};
use deadpool_redis::redis::{self, Client, Cmd, FromRedisValue, Pipeline, ScriptInvocation};
use deadpool_redis::{Connection, Manager, Pool, PoolConfig, Runtime, Timeouts};
use secrecy::{ExposeSecret, SecretString};

use crate::away::Away;
use crate::error::CacheError;
use crate::keys::Keys;
use crate::live::Followed;

/// Where Redis is and how patient we are.
#[derive(Debug, Clone)]
pub struct CacheConfig {
    /// `redis://` or `rediss://`; may hold a password.
    pub url: SecretString,
    /// Leads every key (`REDIS_PREFIX`).
    pub prefix: String,
    /// Connections of the pool.
    pub pool_size: usize,
    /// Deadline of one call, waiting for a connection included.
    pub deadline: Duration,
}

impl CacheConfig {
    pub fn new(url: SecretString, prefix: &str) -> Self {
        Self { url, prefix: prefix.to_owned(), pool_size: 8, deadline: Duration::from_secs(2) }
    }
}

/// A handle to Redis; cheap to clone.
#[derive(Clone)]
pub struct Cache {
    pub(crate) client: Client,
    shared: ConnectionManager,
    pool: Pool,
    keys: Keys,
    followed: Followed,
    pub(crate) away: Away,
    /// What the server last said of its run.
    run: Arc<Mutex<Option<String>>>,
    deadline: Duration,
}

impl std::fmt::Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cache").field("keys", &self.keys).finish_non_exhaustive()
    }
}

impl Cache {
    /// Connects when first used, so that a service starts while Redis is away. Must be called inside
    /// a tokio runtime. Fails only on an unusable address.
    pub fn open(config: &CacheConfig) -> Result<Self, CacheError> {
        let address = |error: &dyn std::fmt::Display| CacheError::Address(error.to_string());
        let client = Client::open(config.url.expose_secret()).map_err(|error| address(&error))?;
        let patience = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(config.deadline))
            .set_response_timeout(Some(config.deadline))
            .set_min_delay(Duration::from_millis(50))
            .set_max_delay(Duration::from_millis(500))
            .set_number_of_retries(4);
        let shared = ConnectionManager::new_lazy_with_config(client.clone(), patience).map_err(|error| address(&error))?;
        let manager = Manager::new(config.url.expose_secret()).map_err(|error| address(&error))?;
        let mut pool = PoolConfig::new(config.pool_size.max(1));
        pool.timeouts = Timeouts { wait: Some(config.deadline), create: Some(config.deadline), recycle: Some(config.deadline) };
        let pool =
            Pool::builder(manager).config(pool).runtime(Runtime::Tokio1).build().map_err(|error| CacheError::Pool(error.to_string()))?;
        let keys = Keys::new(&config.prefix);
        let followed = Followed::new(&keys);
        Ok(Self { client, shared, pool, keys, followed, away: Away::default(), run: Arc::default(), deadline: config.deadline })
    }

    /// [`Cache::open`], then asks Redis once, so that a wrong address shows at the start.
    pub async fn connect(url: &SecretString, prefix: &str) -> Result<Self, CacheError> {
        let cache = Self::open(&CacheConfig::new(url.clone(), prefix))?;
        cache.ping().await?;
        Ok(cache)
    }

    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// The same connections, writing live state to a generation.
    #[must_use]
    pub fn in_generation(&self, generation: &str) -> Self {
        Self { keys: self.keys.in_generation(generation), ..self.clone() }
    }

    pub(crate) fn followed(&self) -> &Followed {
        &self.followed
    }

    /// Takes note of the server's run; where it did not tell, says what it told last.
    pub(crate) fn told_run(&self, run: Option<String>) -> String {
        let mut known = self.run.lock().unwrap_or_else(PoisonError::into_inner);
        if run.is_some() {
            *known = run;
        }
        known.clone().unwrap_or_default()
    }

    /// Deadline of one call.
    pub fn deadline(&self) -> Duration {
        self.deadline
    }

    /// The shared connection: clone and use for single, small commands. It reconnects by itself.
    /// Wrap what you await in [`Cache::within`].
    pub fn shared(&self) -> ConnectionManager {
        self.shared.clone()
    }

    /// A connection of the pool, for large pipelines and anything that must not delay others.
    pub async fn pooled(&self) -> Result<Connection, CacheError> {
        self.away.check()?;
        self.noted(self.pool.get().await.map_err(CacheError::from))
    }

    /// Puts the deadline on a Redis future.
    pub async fn within<T>(&self, call: impl Future<Output = redis::RedisResult<T>>) -> Result<T, CacheError> {
        self.away.check()?;
        self.noted(match tokio::time::timeout(self.deadline, call).await {
            Ok(answer) => answer.map_err(CacheError::from),
            Err(_) => Err(CacheError::Deadline(self.deadline)),
        })
    }

    /// One command on the shared connection.
    pub async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, CacheError> {
        let mut connection = self.shared();
        self.within(command.query_async(&mut connection)).await
    }

    /// A pipeline on a connection of its own.
    pub async fn pipeline<T: FromRedisValue>(&self, pipeline: &Pipeline) -> Result<T, CacheError> {
        let mut connection = self.pooled().await?;
        self.within(pipeline.query_async(&mut connection)).await
    }

    /// A script by its hash; loaded first where Redis does not know it (restart, `SCRIPT FLUSH`).
    /// Make the [`redis::Script`] once (a `LazyLock`), since its hash is computed then.
    pub async fn script<T: FromRedisValue>(&self, invocation: &ScriptInvocation<'_>) -> Result<T, CacheError> {
        let mut connection = self.shared();
        self.within(invocation.invoke_async(&mut connection)).await
    }

    /// As [`Cache::script`], on a connection of the pool: for scripts with large arguments.
    pub async fn script_pooled<T: FromRedisValue>(&self, invocation: &ScriptInvocation<'_>) -> Result<T, CacheError> {
        let mut connection = self.pooled().await?;
        self.within(invocation.invoke_async(&mut connection)).await
    }

    /// Whether Redis answers.
    pub async fn ping(&self) -> Result<(), CacheError> {
        self.query(&redis::cmd("PING")).await
    }
}
