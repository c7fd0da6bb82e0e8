//! One request and its answer over a connection of its own. The connection is polled beside the
//! request inside the caller's task: no task, no channel hop, and dropping the future closes it all.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, CONNECTION, HOST, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::{Host, Url};

use super::body::read;
use super::hop::host_of;
use super::{HttpAnswer, HttpRequest};
use crate::certificate::expires_at_ms;
use crate::client::Inner;
use crate::failure::{Broken, FailureKind};
use crate::trace::{Phase, Timings, Trace};

/// Larger answer heads are refused.
const MOST_HEAD_BYTES: usize = 64 * 1024;
static AGENT: HeaderValue = HeaderValue::from_static(concat!("Upmesh/", env!("CARGO_PKG_VERSION")));

/// One hop's request.
pub(super) struct Ask<'a> {
    pub(super) url: &'a Url,
    pub(super) method: &'a Method,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: &'a Bytes,
    pub(super) request: &'a HttpRequest<'a>,
}

pub(super) async fn exchange(inner: &Inner, ask: &Ask<'_>, trace: &mut Trace) -> Result<HttpAnswer, Broken> {
    let secure = ask.url.scheme() == "https";
    let host = host_of(ask.url)?;
    let port = ask.url.port_or_known_default().unwrap_or(if secure { 443 } else { 80 });
    let (stream, address) = inner.reach(&host, port, trace).await?;
    if !secure {
        trace.next(Phase::FirstByte);
        return talk(stream, address, None, ask, trace).await;
    }
    // On the heap: a handshake is large, and every check would carry its size.
    Box::pin(secured(inner, &host, stream, address, ask, trace)).await
}

async fn secured(
    inner: &Inner,
    host: &Host<&str>,
    stream: TcpStream,
    address: SocketAddr,
    ask: &Ask<'_>,
    trace: &mut Trace,
) -> Result<HttpAnswer, Broken> {
    trace.next(Phase::Tls);
    // The end of the handshake and the request are two writes: Nagle would hold the second back.
    stream.set_nodelay(true).map_err(|error| Broken::of(&error))?;
    let tls = if ask.request.verify_tls { &inner.tls.strict } else { &inner.tls.lax };
    let stream = TlsConnector::from(Arc::clone(tls)).connect(server_name(host)?, stream).await.map_err(|error| Broken::of(&error))?;
    let expires_at = stream.get_ref().1.peer_certificates().and_then(<[_]>::first).and_then(expires_at_ms);
    trace.next(Phase::FirstByte);
    talk(stream, address, expires_at, ask, trace).await
}

async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    address: SocketAddr,
    certificate_expires_at: Option<i64>,
    ask: &Ask<'_>,
    trace: &mut Trace,
) -> Result<HttpAnswer, Broken> {
    let http = |error: hyper::Error| Broken::of(&error);
    let (mut sender, connection) =
        http1::Builder::new().max_buf_size(MOST_HEAD_BYTES).handshake::<_, Full<Bytes>>(TokioIo::new(stream)).await.map_err(http)?;
    let mut connection = Beside { connection: pin!(connection), open: true };
    trace.sent = true;
    let answer = connection.beside(sender.try_send_request(message(ask)?)).await.map_err(|mut error| {
        // Handed back whole: not a byte of it was written.
        trace.sent = error.take_message().is_none();
        http(error.into_error())
    })?;
    trace.next(Phase::Transfer);
    let (head, body) = answer.into_parts();
    let body = read(body, &head.headers, ask.request, &mut connection).await?;
    trace.end();
    Ok(HttpAnswer {
        status: head.status.as_u16(),
        headers: head.headers,
        body: body.kept,
        truncated: body.truncated,
        address,
        certificate_expires_at,
        redirects: 0,
        timings: Timings::default(),
    })
}

fn message(ask: &Ask<'_>) -> Result<Request<Full<Bytes>>, Broken> {
    let target = &ask.url[url::Position::BeforePath..url::Position::AfterQuery];
    let authority = &ask.url[url::Position::BeforeHost..url::Position::AfterPort];
    let unusable = |()| Broken::new(FailureKind::Internal, "this URL cannot be asked for");
    let mut headers = ask.headers.clone();
    headers.insert(HOST, HeaderValue::from_str(authority).map_err(|_| unusable(()))?);
    // Each check sees a connection from its beginning, and the server is the one to keep TIME_WAIT.
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    headers.entry(USER_AGENT).or_insert_with(|| AGENT.clone());
    headers.entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
    let mut message = Request::new(Full::new(ask.body.clone()));
    *message.method_mut() = ask.method.clone();
    *message.uri_mut() = target.parse().map_err(|_| unusable(()))?;
    *message.headers_mut() = headers;
    Ok(message)
}

fn server_name(host: &Host<&str>) -> Result<ServerName<'static>, Broken> {
    match host {
        Host::Domain(name) => ServerName::try_from(name.trim_end_matches('.').to_owned())
            .map_err(|_| Broken::new(FailureKind::Certificate, "no certificate can be for such a name")),
        Host::Ipv4(address) => Ok(ServerName::from(std::net::IpAddr::V4(*address))),
        Host::Ipv6(address) => Ok(ServerName::from(std::net::IpAddr::V6(*address))),
    }
}

/// A connection polled together with whatever waits for it.
pub(super) struct Beside<'a, S: AsyncRead + AsyncWrite + Unpin> {
    connection: Pin<&'a mut http1::Connection<TokioIo<S>, Full<Bytes>>>,
    open: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Beside<'_, S> {
    /// Drives both until `work` is done. A connection error reaches `work` through its channel.
    pub(super) async fn beside<F: Future>(&mut self, work: F) -> F::Output {
        let mut work = pin!(work);
        std::future::poll_fn(|cx| {
            if self.open && self.connection.as_mut().poll(cx).is_ready() {
                self.open = false;
            }
            work.as_mut().poll(cx)
        })
        .await
    }
}

/// So that `read` can name the body's type without hyper's path.
pub(super) type Body = Incoming;
