//! A database of one's own in milliseconds: copied from a template that holds the migrated schema.

use std::time::Duration;

use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, postgres::PgConnectOptions};
use store::Store;

/// A migrated database; dropped with its owner.
pub struct TestDatabase {
    pub url: String,
    pub store: Store,
    name: String,
    server: PgConnectOptions,
}

/// Serialises the making of the template between test binaries; any number does, as long as all agree.
const TEMPLATE_LOCK: i64 = 0x7570_6d65_7368;

impl TestDatabase {
    /// Creates `t_<id>` on the server of `server_url`.
    pub(crate) async fn create(server_url: &str, id: &str) -> Self {
        let server: PgConnectOptions = server_url.parse().expect("TEST_DATABASE_URL");
        let name = format!("t_{id}");
        let mut connection = connect(&server).await;
        sqlx::query("SELECT pg_advisory_lock($1)").bind(TEMPLATE_LOCK).execute(&mut connection).await.expect("template lock");
        let template = template(&server, server_url, &mut connection).await;
        execute(&mut connection, format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
        connection.close().await.expect("close");
        let url = with_database(server_url, &name);
        let store = Store::connect(&url.clone().into(), "test", 8).expect("store");
        Self { url, store, name, server }
    }

    /// The one number a query gives.
    pub async fn number(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(self.store.pool()).await.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// The one text a query gives.
    pub async fn text(&self, sql: &'static str) -> String {
        sqlx::query_scalar(sql).fetch_one(self.store.pool()).await.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// Runs what gives nothing.
    pub async fn run(&self, sql: &'static str) {
        sqlx::raw_sql(sql).execute(self.store.pool()).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// Another pool on the same database, for a second replica.
    pub fn connect(&self, max: u32) -> Store {
        Store::connect(&self.url.clone().into(), "test", max).expect("store")
    }
}

/// The template for the migrations of this build, made once per server.
async fn template(server: &PgConnectOptions, server_url: &str, connection: &mut PgConnection) -> String {
    let name = format!("upmesh_template_{:08x}", Store::schema_fingerprint());
    let exists: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)")
        .bind(&name)
        .fetch_one(&mut *connection)
        .await
        .expect("pg_database");
    if !exists {
        // Made under another name first: a run killed half-way must not leave a half-migrated template.
        let building = format!("{name}_building");
        execute(connection, format!("DROP DATABASE IF EXISTS {building} WITH (FORCE)")).await;
        execute(connection, format!("CREATE DATABASE {building}")).await;
        Store::migrate(&with_database(server_url, &building).into()).await.expect("migrate");
        // PostgreSQL ends a session a moment after the client has closed it.
        let mut admin = connect(server).await;
        for _ in 0..50 {
            let sql = format!("ALTER DATABASE {building} RENAME TO {name}");
            if sqlx::query(AssertSqlSafe(sql)).execute(&mut admin).await.is_ok() {
                return name;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the template database stayed in use");
    }
    name
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        // A destructor cannot await, and the test's runtime may be single-threaded.
        let cleanup = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
            runtime.block_on(async {
                let mut connection = connect(&server).await;
                execute(&mut connection, format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
            });
        });
        let _ = cleanup.join();
    }
}

async fn connect(server: &PgConnectOptions) -> PgConnection {
    let connected = tokio::time::timeout(Duration::from_secs(10), server.connect()).await.expect("PostgreSQL of the test stack answers");
    connected.expect("PostgreSQL of the test stack")
}

async fn execute(connection: &mut PgConnection, sql: String) {
    sqlx::query(AssertSqlSafe(sql.clone())).execute(connection).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// `url` with another database name.
fn with_database(url: &str, name: &str) -> String {
    let (base, query) = url.split_once('?').map_or((url, None), |(base, query)| (base, Some(query)));
    let (server, _) = base.rsplit_once('/').expect("TEST_DATABASE_URL names a database");
    format!("{server}/{name}{}", query.map(|query| format!("?{query}")).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_of_a_url_is_replaced_and_its_options_kept() {
        assert_eq!(with_database("postgres://u@h:1/a?host=/run", "b"), "postgres://u@h:1/b?host=/run");
        assert_eq!(with_database("postgres://u@h:1/a", "b"), "postgres://u@h:1/b");
    }
}
