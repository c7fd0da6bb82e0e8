//! `upmesh up`: all five services in this process.

use std::future::Future;
use std::net::SocketAddr;

use clap::Args;
use kafka::EmbeddedBroker;
use service::{Context, Env, Error, Process};

use crate::migrate;

#[derive(Debug, Args)]
pub struct Options {
    /// Leave the database schema and the topics as they are.
    #[arg(long)]
    no_migrate: bool,
}

/// The services, in the order in which they start: who serves configuration first.
const SERVICES: [&str; 5] = ["users", "processor", "alerter", "pinger", "gateway"];

/// Runs until a signal, or until a task of any service fails.
pub async fn run(env: Env, options: Options) -> Result<(), Error> {
    let topics = migrate::topic_settings(&env);
    let database = settings::database(&env);
    let redis = settings::redis(&env);
    env.check()?;
    let (specs, replication) = topics?;
    let (database, _) = (database?, redis?);

    let (env, broker) = if env.get("KAFKA_BROKERS").is_some() {
        if !options.no_migrate {
            migrate::topics(&settings::kafka(&env, "migrate")?, &specs, replication).await?;
        }
        (env, None)
    } else {
        tracing::warn!("KAFKA_BROKERS is not set: the log lives in this process's memory, so this is for a look, not for keeping");
        let broker = EmbeddedBroker::start(&specs)?;
        let env = env.with("KAFKA_BROKERS", broker.bootstrap_servers()).with_default("KAFKA_FETCH_WAIT_MS", "50");
        (env, Some(broker))
    };
    if !options.no_migrate {
        migrate::schema(&database).await?;
    }

    let process = Process::new();
    let contexts = contexts(&defaults(&env)?, &process)?;
    let result = service::run(&process, &contexts, start_all(&contexts)).await;
    // Outlives every service that drains into it.
    drop(broker);
    result
}

/// Settings that one process can answer for itself.
fn defaults(env: &Env) -> Result<Env, Error> {
    let users: SocketAddr = env.or("USERS_ADDR", SocketAddr::from(([127, 0, 0, 1], 8081)))?;
    let key = format!("{:032x}", rand::random::<u128>());
    Ok(env.with_default("REGION", "local").with_default("USERS_URL", format!("http://{users}")).with_default("INTERNAL_API_KEY", key))
}

/// One context per service. `ADMIN_ADDR`, when set, is the first of five ports.
fn contexts(env: &Env, process: &Process) -> Result<Vec<Context>, Error> {
    let base: Option<SocketAddr> = env.optional("ADMIN_ADDR")?;
    let context = |(index, name): (u16, &'static str)| {
        let env = match base {
            Some(base) => {
                let port = if base.port() == 0 { 0 } else { base.port().saturating_add(index) };
                env.with("ADMIN_ADDR", SocketAddr::new(base.ip(), port).to_string())
            }
            None => env.clone(),
        };
        Context::new(name, env, process)
    };
    Ok((0..).zip(SERVICES).map(context).collect())
}

async fn start_all(contexts: &[Context]) -> Result<(), Error> {
    for ctx in contexts {
        let ctx = ctx.clone();
        match ctx.name() {
            "users" => started(ctx.name(), users::start(ctx.clone())).await?,
            "processor" => started(ctx.name(), processor::start(ctx.clone())).await?,
            "alerter" => started(ctx.name(), alerter::start(ctx.clone())).await?,
            "pinger" => started(ctx.name(), pinger::start(ctx.clone())).await?,
            "gateway" => started(ctx.name(), gateway::start(ctx.clone())).await?,
            name => return Err(Error::msg(format!("{name} is no service"))),
        }
    }
    Ok(())
}

async fn started<E: Into<Error>>(name: &'static str, start: impl Future<Output = Result<(), E>>) -> Result<(), Error> {
    start.await.map_err(|error| {
        let error: Error = error.into();
        // The type tells which exit code the process deserves, so a config error passes as it is.
        if error.config().is_some() { error } else { Error::msg(format!("{name}: {error}")) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_service_has_its_own_admin_port_and_they_agree_on_one_key() {
        let env = defaults(&Env::from_pairs([("ADMIN_ADDR", "127.0.0.1:9200")])).unwrap();
        let contexts = contexts(&env, &Process::new()).unwrap();
        let ports: Vec<_> = contexts.iter().filter_map(|ctx| ctx.env().get("ADMIN_ADDR")).collect();
        assert_eq!(ports, ["127.0.0.1:9200", "127.0.0.1:9201", "127.0.0.1:9202", "127.0.0.1:9203", "127.0.0.1:9204"]);
        let keys: std::collections::HashSet<_> = contexts.iter().filter_map(|ctx| ctx.env().get("INTERNAL_API_KEY")).collect();
        assert_eq!(keys.len(), 1);
        assert_eq!(env.get("USERS_URL"), Some("http://127.0.0.1:8081"));
    }
}
