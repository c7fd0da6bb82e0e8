//! A fault proxy in front of a store or a channel: delay, throttle, one-way stall, reset, cut after n bytes,
//! black hole, and for PostgreSQL the cut in the middle of a COMMIT. Loopback only; ends when dropped.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::row::Row;
use crate::seed::Seed;

/// What happens to bytes on their way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    None,
    /// Each piece comes this much later.
    Delay(Duration),
    /// Bytes per second.
    Throttle(u64),
    /// What clients send is not passed on; answers are.
    StallUp,
    /// Answers are not passed on.
    StallDown,
    /// Connections are accepted and nothing passes, either way.
    BlackHole,
    /// Every connection is reset, new ones at once.
    Reset,
    /// A connection is reset once it carried this many more bytes upwards.
    CutAfter(u64),
}

impl Trouble {
    /// As a report says it.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Delay(_) => "delayed",
            Self::Throttle(_) => "throttled",
            Self::StallUp => "stalled up",
            Self::StallDown => "stalled down",
            Self::BlackHole => "mute",
            Self::Reset => "reset",
            Self::CutAfter(_) => "cut",
        }
    }
}

/// COMMITs to be cut: by chance, in one of three ways.
struct Commits {
    seed: Seed,
    percent: u64,
}

struct State {
    trouble: Trouble,
    commits: Option<Commits>,
    cuts: BTreeMap<&'static str, u64>,
    /// Connections and pieces that met a trouble.
    met: u64,
}

type Shared = Arc<Mutex<State>>;

/// The running proxy.
pub struct Proxy {
    pub port: u16,
    state: Shared,
    /// Changes whenever connections are to look at their trouble again.
    changed: watch::Sender<u64>,
    server: JoinHandle<()>,
}

/// What a simple query of COMMIT is on the wire.
const COMMIT: &[u8] = b"Q\0\0\0\x0bCOMMIT\0";

/// How a COMMIT is cut.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cut {
    /// It never reaches the server.
    Lost,
    /// The server did it; its answer is lost.
    Unanswered,
    /// Both ends are cut with it under way.
    Blind,
}

impl Proxy {
    pub async fn start(upstream: SocketAddr) -> Self {
        assert!(upstream.ip().is_loopback(), "loopback only");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port");
        let port = listener.local_addr().expect("an address").port();
        let state = Arc::new(Mutex::new(State { trouble: Trouble::None, commits: None, cuts: BTreeMap::new(), met: 0 }));
        let (changed, _) = watch::channel(0);
        let (shared, sender) = (Arc::clone(&state), changed.clone());
        let server = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, upstream, Arc::clone(&shared), sender.subscribe()));
            }
        });
        Self { port, state, changed, server }
    }

    /// In front of the test stack's PostgreSQL.
    pub async fn to_postgres() -> Self {
        Self::to("TEST_DATABASE_URL").await
    }

    /// In front of the test stack's Redis.
    pub async fn to_redis() -> Self {
        Self::to("TEST_REDIS_URL").await
    }

    async fn to(name: &str) -> Self {
        let url = std::env::var(name).unwrap_or_default();
        let port = url.rsplit_once('@').and_then(|(_, host)| host.split(['/', '?']).next()?.rsplit_once(':')?.1.parse().ok());
        Self::start(SocketAddr::from(([127, 0, 0, 1], port.expect("the test stack's URLs name a port")))).await
    }

    pub fn set(&self, trouble: Trouble) {
        lock(&self.state).trouble = trouble;
        self.changed.send_modify(|n| *n += 1);
    }

    /// From now on, `percent` of the COMMITs.
    pub fn cut_commits(&self, seed: u64, percent: u64) {
        lock(&self.state).commits = Some(Commits { seed: Seed::new(seed), percent });
    }

    /// No trouble any more.
    pub fn heal(&self) {
        lock(&self.state).commits = None;
        self.set(Trouble::None);
    }

    /// COMMITs cut so far, by kind.
    pub fn cuts(&self) -> BTreeMap<&'static str, u64> {
        lock(&self.state).cuts.clone()
    }

    /// How many connections and pieces met a trouble so far.
    pub fn met(&self) -> u64 {
        lock(&self.state).met
    }

    /// Counts the cuts since `before` as exposures.
    pub fn expose(&self, before: &BTreeMap<&'static str, u64>, row: &mut Row) {
        for (kind, count) in self.cuts() {
            for _ in before.get(kind).copied().unwrap_or(0)..count {
                row.exposed(kind);
            }
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.server.abort();
        // Connections notice that the sender is gone.
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn carry(client: TcpStream, upstream: SocketAddr, state: Shared, mut changed: watch::Receiver<u64>) {
    if lock(&state).trouble == Trouble::Reset {
        lock(&state).met += 1;
        let _ = client.set_zero_linger();
        return;
    }
    let Ok(server) = TcpStream::connect(upstream).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    // A connection that is given up is reset, not closed in peace.
    let _ = (client.set_zero_linger(), server.set_zero_linger());
    let ((client_read, client_write), (server_read, server_write)) = (client.into_split(), server.into_split());
    // The answer to a COMMIT that is to stay unanswered ends the connection instead.
    let swallow = AtomicBool::new(false);
    let up = upwards(client_read, server_write, &state, changed.clone(), &swallow);
    let down = downwards(server_read, client_write, &state, changed.clone(), &swallow);
    let reset = async {
        loop {
            if lock(&state).trouble == Trouble::Reset || changed.changed().await.is_err() {
                return;
            }
        }
    };
    // The first end ends both.
    tokio::select! { () = up => {}, () = down => {}, () = reset => {} }
}

async fn upwards(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, state: &Shared, mut changed: watch::Receiver<u64>, swallow: &AtomicBool) {
    let mut bytes = vec![0; 16 * 1024];
    let mut carried = 0_u64;
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        let piece = &bytes[..count];
        let cut = if piece.windows(COMMIT.len()).any(|window| window == COMMIT) { choose(state) } else { None };
        match cut {
            Some(Cut::Lost) => return,
            Some(Cut::Blind) => {
                let _ = to.write_all(piece).await;
                return;
            }
            Some(Cut::Unanswered) => {
                swallow.store(true, Ordering::Release);
                if to.write_all(piece).await.is_ok() {
                    tokio::time::sleep(Duration::from_secs(5)).await;
                }
                return;
            }
            None => {}
        }
        if !pass(state, &mut changed, true, count).await {
            return;
        }
        carried += count as u64;
        let trouble = lock(state).trouble;
        if matches!(trouble, Trouble::CutAfter(most) if carried > most) {
            lock(state).met += 1;
            return;
        }
        if to.write_all(piece).await.is_err() {
            return;
        }
    }
}

async fn downwards(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    state: &Shared,
    mut changed: watch::Receiver<u64>,
    swallow: &AtomicBool,
) {
    let mut bytes = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        if swallow.load(Ordering::Acquire) || !pass(state, &mut changed, false, count).await || to.write_all(&bytes[..count]).await.is_err()
        {
            return;
        }
    }
}

/// Waits as long as the trouble says; false where the connection must end.
async fn pass(state: &Mutex<State>, changed: &mut watch::Receiver<u64>, up: bool, count: usize) -> bool {
    loop {
        let trouble = {
            let mut state = lock(state);
            state.met += u64::from(!matches!(state.trouble, Trouble::None | Trouble::CutAfter(_)));
            state.trouble
        };
        match trouble {
            Trouble::None | Trouble::CutAfter(_) => return true,
            Trouble::Reset => return false,
            Trouble::Delay(pause) => {
                tokio::time::sleep(pause).await;
                return true;
            }
            Trouble::Throttle(rate) => {
                tokio::time::sleep(Duration::from_millis(count as u64 * 1000 / rate.max(1))).await;
                return true;
            }
            Trouble::StallUp if !up => return true,
            Trouble::StallDown if up => return true,
            Trouble::StallUp | Trouble::StallDown | Trouble::BlackHole => {
                if changed.changed().await.is_err() {
                    return false;
                }
            }
        }
    }
}

fn choose(state: &Mutex<State>) -> Option<Cut> {
    let mut state = lock(state);
    let commits = state.commits.as_mut()?;
    let percent = commits.percent;
    if !commits.seed.chance(percent) {
        return None;
    }
    let (cut, name) = *commits.seed.pick(&[(Cut::Lost, "lost"), (Cut::Unanswered, "done, unanswered"), (Cut::Blind, "blind")]);
    *state.cuts.entry(name).or_default() += 1;
    Some(cut)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An upstream that answers each piece with itself.
    async fn echo() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut read, mut write) = stream.split();
                    let _ = tokio::io::copy(&mut read, &mut write).await;
                });
            }
        });
        address
    }

    /// What comes back of `bytes` within 200 ms: all of it, nothing, or an end.
    async fn ask(stream: &mut TcpStream, bytes: &[u8]) -> Result<Vec<u8>, &'static str> {
        stream.write_all(bytes).await.map_err(|_| "reset")?;
        let mut answer = vec![0; bytes.len()];
        match tokio::time::timeout(Duration::from_millis(200), stream.read_exact(&mut answer)).await {
            Ok(Ok(_)) => Ok(answer),
            Ok(Err(_)) => Err("reset"),
            Err(_) => Err("nothing"),
        }
    }

    #[tokio::test]
    async fn each_trouble_does_what_its_name_says_and_heals() {
        let proxy = Proxy::start(echo().await).await;
        let connect = || async { TcpStream::connect(("127.0.0.1", proxy.port)).await.expect("the proxy accepts") };
        for (trouble, expected) in [
            (Trouble::None, Ok(())),
            (Trouble::StallUp, Err("nothing")),
            (Trouble::StallDown, Err("nothing")),
            (Trouble::BlackHole, Err("nothing")),
            (Trouble::Reset, Err("reset")),
            (Trouble::CutAfter(2), Err("reset")),
            (Trouble::Delay(Duration::from_millis(20)), Ok(())),
            (Trouble::Throttle(1000), Ok(())),
        ] {
            let (mut stream, before) = (connect().await, proxy.met());
            assert_eq!(ask(&mut stream, b"before").await, Ok(b"before".to_vec()), "{trouble:?}");
            proxy.set(trouble);
            assert_eq!(ask(&mut stream, b"under").await.map(drop), expected, "{trouble:?}");
            assert_eq!(proxy.met() > before, !matches!(trouble, Trouble::None | Trouble::Reset), "{trouble:?}");
            proxy.heal();
            assert_eq!(ask(&mut connect().await, b"after").await, Ok(b"after".to_vec()), "{trouble:?}");
        }
    }

    #[tokio::test]
    async fn commits_are_cut_and_nothing_else() {
        let proxy = Proxy::start(echo().await).await;
        proxy.cut_commits(1, 100);
        for _ in 0..20 {
            let mut stream = TcpStream::connect(("127.0.0.1", proxy.port)).await.expect("the proxy accepts");
            assert_eq!(ask(&mut stream, b"Q\0\0\0\x0aBEGIN\0").await, Ok(b"Q\0\0\0\x0aBEGIN\0".to_vec()));
            assert_eq!(ask(&mut stream, COMMIT).await, Err("reset"));
        }
        let cuts = proxy.cuts();
        assert_eq!((cuts.len(), cuts.values().sum::<u64>()), (3, 20), "{cuts:?}");
    }
}
