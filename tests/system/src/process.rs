//! One child process: its log kept in a file, its end certain.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// A service (or a broker) as a process. Killed when dropped, and only ever this one.
pub struct Process {
    pub name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command` with exactly `environment` (and `PATH`); both outputs are appended to `<name>.log` in `directory`.
    pub fn start(name: &str, mut command: Command, environment: &HashMap<String, String>, directory: &Path) -> Self {
        let log = directory.join(format!("{name}.log"));
        let file = std::fs::File::options().create(true).append(true).open(&log).expect("a log file");
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(environment)
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("a second handle"))
            .stderr(file);
        let child = command.spawn().unwrap_or_else(|error| panic!("{name} did not start: {error}"));
        Self { name: name.to_owned(), child, log }
    }

    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// How it ended, if it did.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// SIGKILL: no last words, no flush.
    pub fn kill9(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// SIGTERM, then waits; panics if it is still there after `deadline`.
    pub async fn terminate(&mut self, deadline: Duration) -> ExitStatus {
        self.signal("TERM");
        let begin = Instant::now();
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                return status;
            }
            assert!(begin.elapsed() < deadline, "{} did not end within {deadline:?} of SIGTERM\n{}", self.name, self.tail(40));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([format!("-{name}"), self.child.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "kill -{name} {}", self.name);
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// All it wrote so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The last lines of its log.
    pub fn tail(&self, lines: usize) -> String {
        let log = self.log();
        let all: Vec<&str> = log.lines().collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill9();
        if std::thread::panicking() {
            eprintln!("--- {} ---\n{}", self.name, self.tail(30));
        }
    }
}

/// A binary of the workspace, as `cargo build --bins` leaves it: beside this program, or above a test's own `deps`.
pub fn binary(name: &str) -> PathBuf {
    let here = std::env::current_exe().expect("the path of this program");
    let found = here.ancestors().skip(1).take(2).map(|directory| directory.join(name)).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("{name} is not built beside {}: run `cargo build --bins` (with the same profile) first", here.display()))
}

/// Runs a binary until it ends and gives its exit code and both outputs together.
#[expect(clippy::implicit_hasher, reason = "tests use the default")]
pub fn run_to_end(name: &str, arguments: &[&str], environment: &HashMap<String, String>, deadline: Duration) -> (Option<i32>, String) {
    let directory = tempfile::tempdir().expect("a directory");
    let mut command = Command::new(binary(name));
    command.args(arguments);
    let mut process = Process::start(name, command, environment, directory.path());
    let begin = Instant::now();
    loop {
        if let Ok(Some(status)) = process.child.try_wait() {
            return (status.code(), process.log());
        }
        if begin.elapsed() > deadline {
            process.kill9();
            panic!("{name} {arguments:?} did not end within {deadline:?}:\n{}", process.tail(40));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
