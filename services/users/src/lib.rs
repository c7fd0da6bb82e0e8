//! Users: accounts and configuration. Not public: other services come by the internal API key.
//!
//! `routes/` one endpoint a file, `accounts/` passwords and tokens, `cipher.rs` secrets at rest, `keys.rs` their keys,
//! `relay.rs` carries committed changes to Kafka, `sweep.rs` removes what has expired.

mod accounts;
mod app;
mod bootstrap;
mod change;
mod channels;
mod cipher;
mod error;
mod internal_key;
pub mod keys;
mod relay;
mod routes;
mod settings;
mod sweep;

use std::sync::Arc;
use std::time::Duration;

use cache::Cache;
use model::{Clock, SystemClock};
use service::{Context, Error};
use store::Store;
use tokio::net::TcpListener;
use tokio::sync::{Notify, OnceCell};

use crate::accounts::Passwords;
use crate::app::{App, Parts};
use crate::settings::Settings;

/// Connections to PostgreSQL.
const CONNECTIONS: u32 = 10;

/// Starts the service: returns when it listens, becomes ready once the workspace, the administrator and the channels are in place.
pub async fn start(ctx: Context) -> Result<(), Error> {
    let settings = Settings::read(ctx.env())?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let store = Store::connect(&settings.database, "users", CONNECTIONS)?;
    let cache = Cache::open(&settings.cache)?;
    let producer = kafka::Producer::new(&settings.kafka)?;
    let changed = Arc::new(Notify::new());
    let listener = TcpListener::bind(settings.address).await.map_err(|error| {
        ctx.env().reject("USERS_ADDR", format!("cannot listen on {}: {error}", settings.address), Some("127.0.0.1:8081"))
    })?;
    let relay = relay::Relay::new(&ctx, store.clone(), producer, &settings.topic_prefix, Arc::clone(&changed))?;
    let app = App::new(Parts {
        store,
        cache,
        clock,
        passwords: Passwords::new(),
        cipher: settings.cipher.clone(),
        key_fits: OnceCell::new(),
        internal_keys: settings.internal_keys.clone(),
        default_regions: settings.default_regions.clone(),
        changed,
    });

    ctx.spawn("http", service::serve(ctx.clone(), listener, routes::router(app.clone())));
    ctx.spawn("relay", relay.run(ctx.shutdown().clone()));
    ctx.spawn("sweep", sweep::run(app.clone(), ctx.shutdown().clone()));
    let latch = ctx.latch("accounts");
    let shutdown = ctx.shutdown().clone();
    ctx.spawn("bootstrap", async move {
        // PostgreSQL may come up after us.
        let mut wait = Duration::from_millis(200);
        while let Err(error) = bootstrap::run(&app, &settings).await {
            if !error.is_retryable() {
                return Err(Error::from(error));
            }
            tracing::warn!(%error, "accounts are not in place yet");
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                () = tokio::time::sleep(wait) => wait = (wait * 2).min(Duration::from_secs(5)),
            }
        }
        latch.set();
        shutdown.cancelled().await;
        Ok(())
    });
    Ok(())
}
