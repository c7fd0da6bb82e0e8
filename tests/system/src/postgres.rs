//! A PostgreSQL of a test's own, which it may stop hard and start again. Unlike the stack's, a commit it
//! answered survives that.

use std::collections::HashMap;
use std::process::Command;
use std::time::{Duration, Instant};

use sqlx::{ConnectOptions, Connection, postgres::PgConnectOptions};

use crate::ports::free_port;
use crate::process::Process;

/// One server on loopback. Killed when dropped.
pub struct Postgres {
    port: u16,
    process: Option<Process>,
    /// Its own, since it may have to belong to another user.
    directory: tempfile::TempDir,
}

impl Postgres {
    pub async fn start() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        if is_root() {
            let given = Command::new("chown").arg("postgres").arg(directory.path()).status();
            assert!(given.is_ok_and(|status| status.success()), "PostgreSQL does not run as root, and there is no user 'postgres'");
        }
        let made = as_postgres("initdb")
            .args(["-U", "upmesh", "-E", "UTF8", "--locale=C.UTF-8", "--auth=trust", "--no-sync", "-D", "data"])
            .current_dir(directory.path())
            .output()
            .expect("initdb");
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let mut server = Self { port: free_port(), process: None, directory };
        server.resume().await;
        server
    }

    /// For `DATABASE_URL`, of its first database.
    pub fn url(&self) -> String {
        format!("postgres://upmesh@127.0.0.1:{}/postgres", self.port)
    }

    /// What `pg_ctl stop -m immediate` does: no checkpoint, no farewell.
    pub async fn stop_hard(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        process.signal("QUIT");
        testkit::eventually("PostgreSQL is gone", Duration::from_secs(15), || {
            let gone = !process.is_running();
            async move { gone.then_some(()) }
        })
        .await;
    }

    /// Starts it (again) on the same data and port; it recovers first.
    pub async fn resume(&mut self) {
        let mut command = as_postgres("postgres");
        command
            // A process that dies loses nothing the kernel has; that is what is tried here, not power.
            .args(["-D", "data", "-c", "fsync=off", "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="])
            .args(["-c", "max_connections=200", "-c", "shared_buffers=64MB", "-c", &format!("port={}", self.port)]);
        self.process = Some(Process::start("postgres", command, &HashMap::new(), self.directory.path()));
        let options: PgConnectOptions = self.url().parse().expect("a URL");
        testkit::eventually("PostgreSQL answers", Duration::from_secs(30), || async {
            let connection = options.clone().disable_statement_logging().connect().await.ok()?;
            connection.close().await.ok()
        })
        .await;
    }
}

impl Drop for Postgres {
    /// As [`Postgres::stop_hard`]: killed, it would leave its children to find out by themselves.
    fn drop(&mut self) {
        let Some(process) = self.process.as_mut() else { return };
        if process.is_running() {
            process.signal("QUIT");
        }
        let began = Instant::now();
        while process.is_running() && began.elapsed() < Duration::from_secs(5) {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().expect("id");
    id.stdout.trim_ascii() == b"0"
}

/// It refuses to run as root.
fn as_postgres(program: &str) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--init-groups", program]);
    command
}
