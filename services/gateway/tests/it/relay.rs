//! A way to Redis that can be cut.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

pub struct Relay {
    pub url: String,
    here: SocketAddr,
    there: String,
    /// The listener and all connections.
    tasks: Arc<Mutex<JoinSet<()>>>,
}

impl Relay {
    /// Before the server of a URL.
    pub async fn start(url: &str) -> Self {
        let mut parsed = url::Url::parse(url).expect("a URL");
        let there = format!("{}:{}", parsed.host_str().expect("a host"), parsed.port().expect("a port"));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let here = listener.local_addr().expect("an address");
        parsed.set_port(Some(here.port())).expect("a port");
        let relay = Self { url: parsed.into(), here, there, tasks: Arc::default() };
        relay.listen(listener);
        relay
    }

    /// Nobody comes through, and who was through is cut off.
    pub fn cut(&self) {
        self.tasks.lock().expect("no panic").abort_all();
    }

    pub async fn restore(&self) {
        // The old listener goes when its task has ended.
        let listener =
            testkit::eventually("the port", std::time::Duration::from_secs(5), || async { TcpListener::bind(self.here).await.ok() });
        self.listen(listener.await);
    }

    fn listen(&self, listener: TcpListener) {
        let (tasks, there) = (Arc::clone(&self.tasks), self.there.clone());
        self.tasks.lock().expect("no panic").spawn(async move {
            while let Ok((mut inside, _)) = listener.accept().await {
                let there = there.clone();
                tasks.lock().expect("no panic").spawn(async move {
                    if let Ok(mut outside) = TcpStream::connect(there).await {
                        let _ = tokio::io::copy_bidirectional(&mut inside, &mut outside).await;
                    }
                });
            }
        });
    }
}
