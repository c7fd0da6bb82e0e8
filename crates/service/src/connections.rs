//! The connections of an HTTP server: only so many, each with a request soon and its answer read, all finished at shutdown.
//!
//! HTTP/1.1 alone: our services speak it to each other, a proxy that speaks HTTP/2 to browsers speaks it to us, and hyper's
//! choice between the two waits for the first bytes without any deadline.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::response::Response;
use futures::FutureExt as _;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use prometheus::{IntCounter, Opts};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::impatient::Impatient;
use crate::timely::timely;
use crate::{Context, Error};

/// How long a client may take to send a request's head, from the moment it is connected or the answer before is written.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a client may take to send a request's body, from its head on.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a client may take nothing of an answer while more of it waits to be sent. A stream with nothing to say waits for nobody.
const UNREAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Once shutdown began, connections are still served this long, each answer saying that it is the last: a connection that is
/// closed just when its client sends on it would leave a request without an answer.
const LAST_ANSWERS: Duration = Duration::from_millis(250);
/// How long open requests may take after that. Streams (SSE) should end by themselves on `ctx.shutdown()`.
const DRAIN: Duration = Duration::from_secs(8);

/// Connections that may be open at once; more wait to be accepted.
pub(crate) struct Room {
    places: Arc<Semaphore>,
    most: usize,
    /// See [`UNREAD_TIMEOUT`].
    unread: Duration,
    full: IntCounter,
    /// Whether this spell without a free place was told.
    told: bool,
}

impl Room {
    /// `port` tells apart the servers of one service.
    pub(crate) fn new(ctx: &Context, port: &'static str, most: usize) -> Result<Self, Error> {
        let opts = Opts::new("http_connections_full_total", "Spells in which all connections that may be open were taken.");
        let full = IntCounter::with_opts(opts.const_label("port", port))?;
        ctx.metrics().register(Box::new(full.clone()))?;
        Ok(Self { places: Arc::new(Semaphore::new(most)), most, unread: UNREAD_TIMEOUT, full, told: false })
    }

    /// A place, once there is one.
    async fn enter(&mut self) -> Result<OwnedSemaphorePermit, Error> {
        let free = self.places.available_permits();
        // Over once a tenth is free again: else each connection that takes the place of another would be a spell.
        if free > self.most / 10 {
            self.told = false;
        } else if free == 0 && !self.told {
            self.told = true;
            self.full.inc();
            tracing::warn!(most = self.most, "all connections that may be open are taken: new ones wait until others end");
        }
        Ok(Arc::clone(&self.places).acquire_owned().await?)
    }
}

/// Serves `app` on `listener` until shutdown, then lets open requests finish. Handlers find the client's address as
/// `ConnectInfo<SocketAddr>`.
pub(crate) async fn serve(listener: TcpListener, app: Router, mut room: Room, shutdown: &CancellationToken) -> Result<(), Error> {
    let graceful = GracefulShutdown::new();
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
    let unread = room.unread;
    let open = |stream: TcpStream, peer: SocketAddr, place: Option<OwnedSemaphorePermit>| {
        let service = TowerToHyperService::new(Connection { app: app.clone(), peer });
        let watched = graceful.watch(server.serve_connection(io(stream, unread), service));
        tokio::spawn(async move {
            if let Err(error) = watched.await {
                tracing::debug!(%error, "a connection ended early");
            }
            drop(place);
        });
    };
    let closing = async {
        shutdown.cancelled().await;
        tokio::time::sleep(LAST_ANSWERS).await;
    };
    tokio::pin!(closing);
    loop {
        let accepted = tokio::select! {
            () = &mut closing => break,
            accepted = accept(&listener, &mut room) => accepted,
        };
        match accepted {
            Ok((stream, peer, place)) => open(stream, peer, Some(place)),
            Err(error) => {
                // Out of descriptors: accepting again at once would only spin.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    // What the kernel has accepted for us already would be reset.
    while let Some(Ok((stream, peer))) = listener.accept().now_or_never() {
        open(stream, peer, None);
    }
    drop(listener);
    // Nor has a connection of the last moments brought its request yet.
    tokio::time::sleep(LAST_ANSWERS).await;
    if tokio::time::timeout(DRAIN, graceful.shutdown()).await.is_err() {
        tracing::warn!("connections were still open after {} s", DRAIN.as_secs());
    }
    Ok(())
}

/// The next connection, once there is a place for one.
async fn accept(listener: &TcpListener, room: &mut Room) -> Result<(TcpStream, SocketAddr, OwnedSemaphorePermit), Error> {
    let place = room.enter().await?;
    let (stream, peer) = listener.accept().await?;
    Ok((stream, peer, place))
}

fn io(stream: TcpStream, unread: Duration) -> TokioIo<Impatient<TcpStream>> {
    // Answers are small and complete; waiting to coalesce them only adds latency.
    let _ = stream.set_nodelay(true);
    TokioIo::new(Impatient::new(stream, unread))
}

/// One connection's service: the router, with the client's address put into each request.
#[derive(Clone)]
struct Connection {
    app: Router,
    peer: SocketAddr,
}

impl tower::Service<axum::http::Request<hyper::body::Incoming>> for Connection {
    type Response = Response;
    type Error = std::convert::Infallible;
    type Future = <Router as tower::Service<Request>>::Future;

    fn poll_ready(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Self::Error>> {
        <Router as tower::Service<Request>>::poll_ready(&mut self.app, cx)
    }

    fn call(&mut self, request: axum::http::Request<hyper::body::Incoming>) -> Self::Future {
        let mut request = request.map(|body| timely(body, BODY_TIMEOUT));
        request.extensions_mut().insert(ConnectInfo(self.peer));
        self.app.call(request)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::body::Body;
    use axum::routing::get;
    use bytes::Bytes;
    use futures::stream;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpSocket;
    use tokio::time::sleep;

    use super::*;
    use crate::{Env, Process};

    const PATIENCE: Duration = Duration::from_secs(60);

    // The clock leaps to the next deadline whenever all wait, so ten seconds take none.
    #[tokio::test(start_paused = true)]
    async fn who_asks_nothing_gives_the_place_to_who_does() {
        let ctx = Context::new("gateway", Env::from_pairs([("A", "1")]), &Process::new());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let room = Room::new(&ctx, "test", 3).unwrap();
        let app = Router::new().route("/", get(|| async { "here" }));
        tokio::spawn(async move { serve(listener, app, room, &CancellationToken::new()).await });
        let mut idle = Vec::new();
        for said in ["", "", "GET / HTTP/1.1\r\nhost: "] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(said.as_bytes()).await.unwrap();
            idle.push(stream);
        }
        let mut asking = TcpStream::connect(address).await.unwrap();
        asking.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut text = String::new();
        tokio::time::timeout(PATIENCE, asking.read_to_string(&mut text)).await.expect("a place").unwrap();
        assert!(text.ends_with("here"), "{text}");
        for mut stream in idle {
            assert!(tokio::time::timeout(PATIENCE, stream.read(&mut [0])).await.expect("hung up on").is_ok_and(|read| read == 0));
        }
        let shown = prometheus::TextEncoder::new().encode_to_string(&ctx.metrics().gather()).unwrap();
        assert!(shown.contains(r#"http_connections_full_total{port="test"} 1"#), "{shown}");
    }

    #[tokio::test]
    async fn who_never_reads_the_answer_gives_the_place_to_who_does() {
        let unread = Duration::from_millis(300);
        let ctx = Context::new("gateway", Env::from_pairs([("A", "1")]), &Process::new());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let room = Room { unread, ..Room::new(&ctx, "test", 2).unwrap() };
        let endless = || async { Body::from_stream(stream::repeat_with(|| Ok::<_, Infallible>(Bytes::from(vec![0; 65_536])))) };
        // As events with nothing to tell: a heartbeat now and then.
        let beating = move || async move {
            Body::from_stream(stream::unfold((), move |()| async move {
                sleep(3 * unread).await;
                Some((Ok::<_, Infallible>(Bytes::from_static(b": beat")), ()))
            }))
        };
        let app = Router::new().route("/", get(|| async { "here" })).route("/endless", get(endless)).route("/beating", get(beating));
        tokio::spawn(async move { serve(listener, app, room, &CancellationToken::new()).await });
        let ask = async |path: &str| {
            let socket = TcpSocket::new_v4().unwrap();
            socket.set_recv_buffer_size(4_096).unwrap();
            let mut stream = socket.connect(address).await.unwrap();
            stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes()).await.unwrap();
            stream
        };
        let (mut beating, mut never_read) = (ask("/beating").await, ask("/endless").await);
        let mut text = String::new();
        tokio::time::timeout(PATIENCE, ask("/").await.read_to_string(&mut text)).await.expect("a place").unwrap();
        assert!(text.ends_with("here"), "{text}");
        // What was on its way still comes, then the end of what has none, whichever way the kernel tells it.
        let _ = tokio::time::timeout(PATIENCE, never_read.read_to_end(&mut Vec::new())).await.expect("hung up on");
        let mut heard = String::new();
        while heard.matches(": beat").count() < 3 {
            let mut part = [0; 1_024];
            let read = tokio::time::timeout(PATIENCE, beating.read(&mut part)).await.expect("a heartbeat").unwrap();
            assert!(read > 0, "the stream ended: {heard}");
            heard.push_str(std::str::from_utf8(&part[..read]).unwrap());
        }
    }
}
