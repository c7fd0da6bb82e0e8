//! A users service in this process, in its own corner of the stack.

use std::collections::HashMap;
use std::time::Duration;

use directory::wire::Login;
use directory::{Client, ClientConfig, DirectoryError, Refusal};
use model::{Monitor, MonitorSpec, WorkspaceId};
use serde_json::{Value, json};
use service::{Context, Env, Process};
use testkit::{INTERNAL_KEY, Stack, eventually, within};

pub const EMAIL: &str = "admin@upmesh.test";
pub const PASSWORD: &str = "correct horse battery staple";
const SOON: Duration = Duration::from_secs(20);

/// One replica; stops when dropped.
pub struct Replica {
    pub url: String,
    pub client: Client,
    process: Process,
}

impl Replica {
    /// Starts it and waits until the administrator can log in.
    pub async fn start(stack: &Stack, settings: &[(&str, &str)]) -> Self {
        let replica = Self::begin(stack, settings).await;
        let password = settings.iter().find(|(name, _)| *name == "ADMIN_PASSWORD").map_or(PASSWORD, |(_, password)| password);
        eventually("the administrator's account", SOON, || async { replica.client.login(EMAIL, password.into(), "ready").await.ok() })
            .await;
        replica
    }

    /// Starts it and waits for nothing.
    pub async fn begin(stack: &Stack, settings: &[(&str, &str)]) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port").port();
        let mut env: HashMap<String, String> = stack.environment().await;
        env.insert("USERS_ADDR".to_owned(), format!("127.0.0.1:{port}"));
        env.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let process = Process::new();
        users::start(Context::new("users", Env::from_map(env), &process)).await.expect("the service starts");
        let url = format!("http://127.0.0.1:{port}");
        let client = client(&url, INTERNAL_KEY);
        Self { url, client, process }
    }

    /// Why it stopped by itself.
    pub async fn stopped(&self) -> String {
        within("the process to stop", SOON, self.process.shutdown().cancelled()).await;
        self.process.take_failure().expect("a failure").to_string()
    }

    pub async fn login(&self) -> Login {
        self.client.login(EMAIL, PASSWORD.into(), "127.0.0.1").await.expect("a session")
    }

    pub async fn workspace(&self) -> WorkspaceId {
        self.login().await.session.workspace.id
    }

    pub async fn create(&self, workspace: WorkspaceId, name: &str) -> Monitor {
        self.client.create_monitor(EMAIL, workspace, &spec(name)).await.unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// `GET /internal/monitors?…`, as a replica of the directory asks.
    pub async fn feed(&self, query: &str) -> Value {
        let request = http().get(format!("{}/internal/monitors?{query}", self.url)).bearer_auth(INTERNAL_KEY);
        request.send().await.expect("an answer").json().await.expect("JSON")
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.process.shutdown().cancel();
    }
}

pub fn http() -> reqwest::Client {
    directory::http::client(Duration::from_secs(10)).expect("a client")
}

pub fn client(url: &str, key: &str) -> Client {
    Client::new(&ClientConfig::new(url, key.into())).expect("a client")
}

pub fn spec(name: &str) -> MonitorSpec {
    let spec = json!({"name": name, "probe": {"kind": "http", "url": "http://127.0.0.1:9/"}, "interval_seconds": 10, "timeout_ms": 1000});
    serde_json::from_value(spec).expect("a spec")
}

/// Why it was declined; panics if it was not.
pub fn refused<T>(result: Result<T, DirectoryError>) -> Refusal {
    match result {
        Err(DirectoryError::Refused(refusal)) => *refusal,
        Err(error) => panic!("no refusal: {error}"),
        Ok(_) => panic!("it was accepted"),
    }
}
