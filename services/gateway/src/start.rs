//! Puts the parts together and starts them.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use cache::Cache;
use directory::{Client, Directory, Replication};
use model::{Clock, SystemClock};
use secrecy::SecretString;
use service::{Context, Error, Problem};
use store::{Limits, Store};
use tokio::net::TcpListener;
use utoipa::OpenApi as _;

use crate::app::{App, Parts, origin_of};
use crate::auth::{Limit, Sessions};
use crate::channels::Channels;
use crate::history::Older;
use crate::input::oversized;
use crate::live::{Catalog, Flights, Gauges, Reasons, follow_configuration, refresh_states, tell_states};
use crate::mesh::Log;
use crate::settings::Settings;
use crate::stream::{Hub, follow_updates};
use crate::{openapi, routes, web};

/// Connections to PostgreSQL, for history and for the rare write.
const READ_CONNECTIONS: u32 = 10;
const WRITE_CONNECTIONS: u32 = 2;

/// Starts the gateway: returns when it listens, becomes ready when it has its configuration.
pub async fn start(ctx: Context) -> Result<(), Error> {
    let settings = Settings::read(ctx.env())?;
    let latches = (ctx.latch("configuration"), ctx.latch("states"));
    let (app, replication) = assemble(&ctx, &settings)?;
    let listener = TcpListener::bind(settings.address).await.map_err(|error| {
        ctx.env().reject("GATEWAY_ADDR", format!("cannot listen on {}: {error}", settings.address), Some("127.0.0.1:8080"))
    })?;
    ctx.spawn("directory", replication.run(ctx.shutdown().clone()));
    ctx.spawn("catalog", follow_configuration(app.clone()));
    ctx.spawn("states", refresh_states(app.clone()));
    ctx.spawn("tally", tell_states(app.clone(), Gauges::register(ctx.metrics())?));
    ctx.spawn("updates", follow_updates(app.clone()));
    ctx.job("readiness", {
        let (app, (configuration, states)) = (app.clone(), latches);
        async move {
            tokio::select! {
                () = app.shutdown().cancelled() => {}
                () = app.directory().loaded() => {
                    configuration.set();
                    // Reads work without Redis, only poorer; a replica without it must not be taken out.
                    states.set();
                }
            }
        }
    });
    let server = service::serve(ctx.clone(), listener, router(app));
    ctx.spawn("http", server);
    Ok(())
}

fn assemble(ctx: &Context, settings: &Settings) -> Result<(App, Replication), Error> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let cache = Cache::open(&settings.cache)?;
    let client = Client::new(&settings.users)?;
    let (directory, replication) = Directory::new(client.clone(), None);
    let first_event = u64::try_from(clock.now_ms()).unwrap_or(0);
    let app = App::new(Parts {
        sessions: Sessions::new(cache.clone(), client.clone(), Arc::clone(&clock)),
        store: open(&settings.replica, READ_CONNECTIONS)?,
        primary: open(&settings.database, WRITE_CONNECTIONS)?,
        retention_days: settings.retention_days,
        log: settings.kafka.clone().map(|kafka| Log::new(kafka, &settings.topic_prefix)).transpose()?.map(Arc::new),
        hub: Hub::new(ctx.metrics(), first_event)?,
        channels: Channels::default(),
        catalog: Catalog::default(),
        reasons: Reasons::default(),
        older: Older::default(),
        pages: Flights::pages(),
        singles: Flights::singles(),
        logins: Limit::logins(),
        shutdown: ctx.shutdown().clone(),
        public_origin: origin_of(settings),
        trusted_proxies: settings.trusted_proxies,
        clock,
        cache,
        client,
        directory,
    });
    Ok((app, replication))
}

fn open(url: &SecretString, connections: u32) -> Result<Store, Error> {
    // People wait for these reads; a slow one must not hold them for long.
    let limits = Limits { statement: Duration::from_secs(8), acquire: Duration::from_secs(3), ..Limits::default() };
    Ok(Store::connect_with(url, "upmesh gateway", connections, limits)?)
}

/// All that is served.
fn router(app: App) -> Router {
    let (api, _) = routes::collect(openapi::Document::openapi()).split_for_parts();
    api.route("/reference", get(web::reference))
        .method_not_allowed_fallback(wrong_method)
        .fallback(web::dashboard)
        .layer(from_fn_with_state(app.clone(), web::guard))
        .layer(DefaultBodyLimit::max(oversized::BODY_LIMIT))
        .with_state(app)
}

async fn wrong_method(method: http::Method) -> Problem {
    Problem::new(http::StatusCode::METHOD_NOT_ALLOWED, format!("{method} is not served here; the Allow header says what is"))
}
