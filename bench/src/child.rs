//! Processes of a measurement: our own roles (loops, targets, load) and the services as users start them.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

pub use crate::cores::Core;

/// A child that is killed when dropped.
pub struct Process {
    name: String,
    child: Child,
    /// Our own roles answer on standard output; a service's goes to its log.
    lines: Option<Lines<BufReader<ChildStdout>>>,
    log: PathBuf,
}

impl Process {
    /// Starts this very program in another role.
    pub fn role(core: Core, arguments: &[String], scratch: &std::path::Path) -> Result<Self> {
        let program = std::env::current_exe()?;
        let mut all = vec!["role".to_owned()];
        all.extend_from_slice(arguments);
        Self::start(core, &program, &all, &[], scratch, arguments.first().map_or("role", String::as_str))
    }

    /// Starts a service found beside this program, with nothing in its environment but `settings`.
    pub fn service(core: Core, name: &str, settings: &[(String, String)], scratch: &std::path::Path) -> Result<Self> {
        let program = system_tests::binary(name);
        Self::start(core, &program, &[], settings, scratch, name)
    }

    fn start(
        core: Core,
        program: &std::path::Path,
        arguments: &[String],
        settings: &[(String, String)],
        scratch: &std::path::Path,
        name: &str,
    ) -> Result<Self> {
        let mut command = match core.list() {
            Some(cores) => {
                let mut command = Command::new("taskset");
                command.args(["-c", &cores]).arg(program);
                command
            }
            None => Command::new(program),
        };
        let log = scratch.join(format!("{name}-{}.log", uuid::Uuid::new_v4().simple()));
        let errors = std::fs::File::create(&log)?;
        command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
        if settings.is_empty() {
            command.stdout(Stdio::piped());
        } else {
            command.stdout(errors.try_clone()?);
            command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
            command.envs(settings.iter().map(|(name, value)| (name, value)));
        }
        command.stderr(errors);
        let mut child = command.spawn().with_context(|| format!("{name} did not start ({})", program.display()))?;
        let lines = child.stdout.take().map(|stdout| BufReader::new(stdout).lines());
        Ok(Self { name: name.to_owned(), child, lines, log })
    }

    pub fn pid(&self) -> Result<u32> {
        self.child.id().with_context(|| format!("{} has ended: {}", self.name, self.tail()))
    }

    /// The next line of its standard output, read as JSON.
    pub async fn line<T: DeserializeOwned>(&mut self, within: Duration) -> Result<T> {
        let lines = self.lines.as_mut().context("a service answers on no pipe")?;
        match tokio::time::timeout(within, lines.next_line()).await {
            Ok(Ok(Some(line))) => serde_json::from_str(&line).with_context(|| format!("{} said {line:?}", self.name)),
            Ok(Ok(None)) => bail!("{} ended without an answer: {}", self.name, self.tail()),
            Ok(Err(error)) => bail!("{}: {error}", self.name),
            Err(_) => bail!("{} said nothing within {within:?}: {}", self.name, self.tail()),
        }
    }

    /// Sends it a signal by name.
    pub async fn signal(&self, name: &str) -> Result<()> {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.pid()?.to_string()]).status().await?;
        anyhow::ensure!(sent.success(), "{} cannot be sent SIG{name}", self.name);
        Ok(())
    }

    /// Asks it to end and waits for that.
    pub async fn terminate(mut self, within: Duration) -> Result<Duration> {
        let begun = std::time::Instant::now();
        self.signal("TERM").await?;
        match tokio::time::timeout(within, self.child.wait()).await {
            Ok(status) => {
                status?;
                Ok(begun.elapsed())
            }
            Err(_) => bail!("{} did not end within {within:?} of SIGTERM: {}", self.name, self.tail()),
        }
    }

    /// The end of its log, for an error message.
    pub fn tail(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }
}

/// A command line as a list.
pub fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}
