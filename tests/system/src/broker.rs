//! An Apache Kafka of a test's own, which it may stop and start again. The jars are those of the test stack (`TEST_KAFKA_LIB`).

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::ports::free_port;
use crate::process::Process;

/// One KRaft node on loopback with its log in a directory of its own.
pub struct Broker {
    pub port: u16,
    directory: PathBuf,
    process: Option<Process>,
}

impl Broker {
    /// Formats a log in `directory` and starts the node.
    pub async fn start(directory: &Path) -> Self {
        Self::start_with(directory, None).await
    }

    /// The same with a second listener on `port`, whose clients are sent to `advertised`: something in front of it.
    pub async fn start_behind(directory: &Path, port: u16, advertised: u16) -> Self {
        Self::start_with(directory, Some((port, advertised))).await
    }

    async fn start_with(directory: &Path, behind: Option<(u16, u16)>) -> Self {
        let directory = directory.join("kafka");
        std::fs::create_dir_all(&directory).expect("a directory");
        let (port, controller) = (free_port(), free_port());
        let (listens, advertises) = behind.map_or_else(Default::default, |(port, advertised)| {
            (format!(",BEHIND://127.0.0.1:{port}"), format!(",BEHIND://127.0.0.1:{advertised}"))
        });
        let properties = format!(
            "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.bootstrap.servers=127.0.0.1:{controller}\n\
             listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}{listens}\n\
             advertised.listeners=PLAINTEXT://127.0.0.1:{port}{advertises}\n\
             listener.security.protocol.map=PLAINTEXT:PLAINTEXT,BEHIND:PLAINTEXT,CONTROLLER:PLAINTEXT\ncontroller.listener.names=CONTROLLER\n\
             inter.broker.listener.name=PLAINTEXT\nlog.dirs={}\noffsets.topic.replication.factor=1\noffsets.topic.num.partitions=4\n\
             transaction.state.log.replication.factor=1\ntransaction.state.log.min.isr=1\ngroup.initial.rebalance.delay.ms=0\n\
             auto.create.topics.enable=false\nlog.message.timestamp.type=LogAppendTime\n",
            directory.join("data").display()
        );
        std::fs::write(directory.join("server.properties"), properties).expect("server.properties");
        let formatted = Self::java()
            .args(["kafka.tools.StorageTool", "format", "--standalone", "-t", "4L6g3nShT-eMCtK--X86sw", "-c", "server.properties"])
            .current_dir(&directory)
            .output()
            .expect("java");
        assert!(formatted.status.success(), "kafka format: {}", String::from_utf8_lossy(&formatted.stderr));
        let mut broker = Self { port, directory, process: None };
        broker.resume().await;
        broker
    }

    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Starts it (again) on the same log and port.
    pub async fn resume(&mut self) {
        let mut command = Self::java();
        command.args(["kafka.Kafka", "server.properties"]);
        self.process = Some(Process::start("kafka", command, &HashMap::new(), &self.directory));
        let address = self.address();
        testkit::eventually("the broker accepts", Duration::from_mins(3), || async {
            tokio::net::TcpStream::connect(&address).await.ok().map(drop)
        })
        .await;
    }

    /// STOP and CONT, for a pause.
    pub fn signal(&self, name: &str) {
        self.process.as_ref().expect("it runs").signal(name);
    }

    /// kill -9: the harder way to stop, and the quicker.
    pub fn stop(&mut self) {
        self.process = None;
    }

    fn java() -> Command {
        let lib = lib();
        let mut command = Command::new("java");
        command.args(["-Xms64m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp"]).arg(format!("{}/*", lib.display()));
        command
    }
}

/// Where the test stack keeps Kafka's jars.
fn lib() -> PathBuf {
    let set = std::env::var_os("TEST_KAFKA_LIB").map(PathBuf::from);
    set.filter(|path| path.is_dir()).expect("TEST_KAFKA_LIB names the directory of Kafka's jars (`make test` sets it)")
}
