//! The world being checked, on one core: `/m/<n>` answers at once, `/h/<n>` after five seconds, and each
//! number can fail from an instant of its own on. Every arrival is kept with its time; where alerts go is
//! here too (`/slack`, `/webhook`), so that checks and alerts are told by one clock.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use model::Schedule;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::{Ready, now_us, say};
use crate::anchors::heap::monitor_id;

#[derive(Debug, clap::Args)]
pub struct Options {
    /// Listens on 127.0.1.1 … 127.0.1.<hosts>, and on 127.0.0.1 for control.
    #[arg(long, default_value_t = 50)]
    pub hosts: u8,
    /// Speaks TLS 1.3 with a fresh P-256 certificate on the 127.0.1.x addresses.
    #[arg(long)]
    pub tls: bool,
}

/// One arrival: number of the monitor, when, and with which status it was answered.
#[derive(Debug, Clone, Copy, serde::Serialize, serde::Deserialize)]
pub struct Arrival(pub u32, pub i64, pub u16);

#[derive(Default)]
struct World {
    arrivals: RefCell<Vec<Arrival>>,
    outages: Cell<Option<Outages>>,
    posts: RefCell<Vec<Post>>,
    /// When the channel that takes a message a second took its last.
    throttled: Cell<i64>,
}

/// An alert that arrived: where, when, and what it said.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Post {
    pub path: String,
    pub at: i64,
    pub body: String,
}

/// Which targets fail from when on; what they fail with is a 500.
#[derive(Debug, Clone, Copy)]
pub struct Outages {
    /// Numbers below this one.
    pub monitors: u32,
    /// No earlier than this, Unix ms.
    pub from: i64,
    pub interval_ms: i64,
    /// All at `from`, rather than each within its own interval.
    pub together: bool,
}

impl Outages {
    /// When the target of the n-th monitor begins to fail, Unix µs. One by one they lie evenly over the time between two checks.
    pub fn begin(&self, n: u32) -> Option<i64> {
        if n >= self.monitors {
            return None;
        }
        if self.together {
            return Some(self.from * 1000);
        }
        let region = "bench".parse().ok()?;
        let slot = Schedule::new(monitor_id(n), &region, self.interval_ms).at_or_after(self.from);
        Some(slot * 1000 + self.interval_ms * 1000 * i64::from(n) / i64::from(self.monitors))
    }

    /// As the control side is told.
    pub fn path(&self) -> String {
        format!("/outages/{}/{}/{}/{}", self.monitors, self.from, self.interval_ms, u8::from(self.together))
    }
}

pub async fn run(options: Options) -> anyhow::Result<()> {
    let acceptor = if options.tls { Some(acceptor()?) } else { None };
    let (control, mut listeners) = bind(options.hosts).await?;
    let world = Rc::new(World::default());
    say(&Ready { port: control.local_addr()?.port() })?;
    let local = tokio::task::LocalSet::new();
    local
        .run_until(async move {
            let mut tasks: Vec<_> = listeners
                .drain(..)
                .map(|listener| tokio::task::spawn_local(accept(listener, acceptor.clone(), Rc::clone(&world))))
                .collect();
            tasks.push(tokio::task::spawn_local(accept(control, None, world)));
            futures::future::join_all(tasks).await;
        })
        .await;
    Ok(())
}

/// One port on every address, below the range that outgoing connections draw theirs from.
async fn bind(hosts: u8) -> anyhow::Result<(TcpListener, Vec<TcpListener>)> {
    'port: for port in 20_000..32_000_u16 {
        let Ok(control) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await else { continue };
        let mut listeners = Vec::new();
        for host in 1..=hosts {
            let Ok(listener) = TcpListener::bind(SocketAddr::from((Ipv4Addr::new(127, 0, 1, host), port))).await else { continue 'port };
            listeners.push(listener);
        }
        return Ok((control, listeners));
    }
    anyhow::bail!("no port between 20000 and 32000 is free on every address")
}

async fn accept(listener: TcpListener, acceptor: Option<TlsAcceptor>, world: Rc<World>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(5)).await;
            continue;
        };
        // Without this the second small write of a TLS answer waits for a delayed acknowledgement.
        let _ = stream.set_nodelay(true);
        let world = Rc::clone(&world);
        let acceptor = acceptor.clone();
        tokio::task::spawn_local(async move {
            match acceptor {
                Some(acceptor) => {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        serve(stream, world).await;
                    }
                }
                None => serve(stream, world).await,
            }
        });
    }
}

async fn serve<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + 'static>(stream: S, world: Rc<World>) {
    let service = service_fn(move |request| answer(request, Rc::clone(&world)));
    // A checker that hangs up early is its own business.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(request: Request<Incoming>, world: Rc<World>) -> Result<Response<Full<Bytes>>, Infallible> {
    let now = now_us();
    let path = request.uri().path().to_owned();
    let mut parts = path.split('/').skip(1);
    let kind = parts.next().unwrap_or_default();
    let mut number = || parts.next().and_then(|part| part.parse::<i64>().ok()).unwrap_or(-1);
    let body = match kind {
        "m" | "h" => {
            let id = u32::try_from(number()).unwrap_or(u32::MAX);
            let fails = world.outages.get().and_then(|outages| outages.begin(id)).is_some_and(|begin| now >= begin);
            let status = if fails { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK };
            world.arrivals.borrow_mut().push(Arrival(id, now, status.as_u16()));
            if kind == "h" {
                tokio::time::sleep(Duration::from_secs(5)).await;
            }
            return Ok(with_status(Bytes::from_static(b"ok"), status));
        }
        "outages" => {
            let monitors = u32::try_from(number()).unwrap_or(0);
            world.outages.set(Some(Outages { monitors, from: number(), interval_ms: number(), together: number() == 1 }));
            Bytes::new()
        }
        "arrivals" => Bytes::from(serde_json::to_vec(&std::mem::take(&mut *world.arrivals.borrow_mut())).unwrap_or_default()),
        "posts" => Bytes::from(serde_json::to_vec(&std::mem::take(&mut *world.posts.borrow_mut())).unwrap_or_default()),
        "throttled" if now - world.throttled.get() < 1_000_000 => {
            let mut response = with_status(Bytes::new(), StatusCode::TOO_MANY_REQUESTS);
            response.headers_mut().insert(http::header::RETRY_AFTER, http::HeaderValue::from_static("1"));
            return Ok(response);
        }
        "slack" | "webhook" | "throttled" => {
            if kind == "throttled" {
                world.throttled.set(now);
            }
            let body = request.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
            let body = String::from_utf8_lossy(&body).into_owned();
            world.posts.borrow_mut().push(Post { path: path.clone(), at: now, body });
            Bytes::from_static(b"ok")
        }
        _ => return Ok(with_status(Bytes::new(), StatusCode::NOT_FOUND)),
    };
    Ok(with_status(body, StatusCode::OK))
}

fn with_status(body: Bytes, status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response
}

fn acceptor() -> anyhow::Result<TlsAcceptor> {
    let names: Vec<String> = (1..=254).map(|host| format!("127.0.1.{host}")).collect();
    let certified = rcgen::generate_simple_self_signed(names)?;
    let key = rustls_pki_types::PrivateKeyDer::try_from(certified.signing_key.serialize_der()).map_err(anyhow::Error::msg)?;
    let mut config = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certified.cert.der().clone()], key)?;
    // Full handshakes only: resumption would flatter whoever keeps tickets.
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Asks the world's control side.
pub async fn control(port: u16, path: &str) -> anyhow::Result<Bytes> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.context("the target is gone")?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = Request::get(path).header("host", "target").body(Full::<Bytes>::default())?;
    Ok(sender.send_request(request).await?.into_body().collect().await?.to_bytes())
}

/// Takes (and forgets) what arrived so far.
pub async fn arrivals(port: u16) -> anyhow::Result<Vec<Arrival>> {
    Ok(serde_json::from_slice(&control(port, "/arrivals").await?)?)
}

/// Takes (and forgets) the alerts that came so far.
pub async fn posts(port: u16) -> anyhow::Result<Vec<Post>> {
    Ok(serde_json::from_slice(&control(port, "/posts").await?)?)
}
