//! An HTTP target that does what a test tells it, at once and for every later request.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What the target does with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Behaviour {
    /// Answers with this status and body.
    Answer { status: u16, body: String },
    /// Answers 200 after a while.
    Slow(Duration),
    /// Accepts, reads and never answers.
    Hang,
    /// Accepts and resets the connection.
    Reset,
    /// Sends these bytes as they are, then closes.
    Raw(Vec<u8>),
    /// Does not listen: the connection is refused.
    Refuse,
}

/// The running target; stops when dropped.
pub struct Target {
    pub address: SocketAddr,
    behaviour: watch::Sender<Behaviour>,
    seen: Arc<Seen>,
    server: JoinHandle<()>,
}

#[derive(Default)]
struct Seen {
    count: AtomicUsize,
    heads: Mutex<Vec<String>>,
}

/// Heads kept for [`Target::heads`]; later ones are only counted.
const KEPT: usize = 1_000;

impl Target {
    /// A target on a free loopback port that answers 200 `ok`.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port");
        let address = listener.local_addr().expect("address");
        let (behaviour, changes) = watch::channel(up());
        let seen = Arc::<Seen>::default();
        let server = tokio::spawn(run(listener, address, changes, Arc::clone(&seen)));
        Self { address, behaviour, seen, server }
    }

    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Changes what happens from the next request on. [`Behaviour::Refuse`] takes effect within a few milliseconds.
    pub fn set(&self, behaviour: Behaviour) {
        self.behaviour.send_replace(behaviour);
    }

    /// 200 `ok`.
    pub fn up(&self) {
        self.set(up());
    }

    /// 503.
    pub fn down(&self) {
        self.set(Behaviour::Answer { status: 503, body: "down".to_owned() });
    }

    /// Requests (or, where none is read, connections) so far.
    pub fn requests(&self) -> usize {
        self.seen.count.load(Ordering::SeqCst)
    }

    /// The heads of the first thousand requests.
    pub fn heads(&self) -> Vec<String> {
        self.seen.heads.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn up() -> Behaviour {
    Behaviour::Answer { status: 200, body: "ok".to_owned() }
}

async fn run(listener: TcpListener, address: SocketAddr, mut changes: watch::Receiver<Behaviour>, seen: Arc<Seen>) {
    let mut listener = Some(listener);
    loop {
        if *changes.borrow_and_update() == Behaviour::Refuse {
            listener = None;
        } else if listener.is_none() {
            // The port may be held for a moment by connections that close.
            listener = TcpListener::bind(address).await.ok();
        }
        let accepted = async {
            if let Some(listener) = &listener {
                return listener.accept().await.ok();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            None
        };
        tokio::select! {
            ended = changes.changed() => if ended.is_err() { return },
            stream = accepted => if let Some((stream, _)) = stream {
                let behaviour = changes.borrow().clone();
                tokio::spawn(converse(stream, behaviour, Arc::clone(&seen)));
            },
        }
    }
}

/// One request per connection, as checks make them.
async fn converse(mut stream: TcpStream, behaviour: Behaviour, seen: Arc<Seen>) {
    if behaviour == Behaviour::Reset {
        seen.count.fetch_add(1, Ordering::SeqCst);
        // Closing with a zero linger sends RST instead of FIN.
        let _ = stream.set_zero_linger();
        return;
    }
    let Some(head) = read_head(&mut stream).await else { return };
    seen.count.fetch_add(1, Ordering::SeqCst);
    {
        let mut heads = seen.heads.lock().unwrap_or_else(PoisonError::into_inner);
        if heads.len() < KEPT {
            heads.push(head);
        }
    }
    let answer = match behaviour {
        Behaviour::Answer { status, body } => response(status, &body),
        Behaviour::Slow(delay) => {
            tokio::time::sleep(delay).await;
            response(200, "slow")
        }
        Behaviour::Raw(bytes) => bytes,
        Behaviour::Hang => std::future::pending().await,
        Behaviour::Reset | Behaviour::Refuse => return,
    };
    let _ = stream.write_all(&answer).await;
    let _ = stream.shutdown().await;
}

async fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    let mut chunk = [0_u8; 2048];
    while !bytes.windows(4).any(|four| four == b"\r\n\r\n") {
        let read = tokio::time::timeout(Duration::from_secs(30), stream.read(&mut chunk)).await.ok()?.ok()?;
        if read == 0 || bytes.len() > 64 * 1024 {
            return None;
        }
        bytes.extend_from_slice(&chunk[..read]);
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn response(status: u16, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} Status\r\ncontent-type: text/plain\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
        .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eventually;

    async fn ask(address: SocketAddr) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        Ok(text)
    }

    #[tokio::test]
    async fn the_target_obeys_and_counts() {
        let target = Target::start().await;
        assert!(ask(target.address).await.unwrap().starts_with("HTTP/1.1 200"));
        target.down();
        assert!(ask(target.address).await.unwrap().starts_with("HTTP/1.1 503"));
        target.set(Behaviour::Reset);
        assert!(ask(target.address).await.is_err());
        assert_eq!(target.requests(), 3);
        target.set(Behaviour::Hang);
        assert!(tokio::time::timeout(Duration::from_millis(100), ask(target.address)).await.is_err());
        target.set(Behaviour::Refuse);
        let refused = || async { TcpStream::connect(target.address).await.err() };
        eventually("refused", Duration::from_secs(2), refused).await;
        target.up();
        eventually("up again", Duration::from_secs(2), || async { ask(target.address).await.ok() }).await;
    }
}
