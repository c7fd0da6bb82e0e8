//! G4: what a person waits for who opens the dashboard on a thousand monitors. Asked as the list page asks
//! (`dashboard/src/routes/monitors/list.tsx`, `api/queries.ts`): who am I; then the first page of a hundred and the counts of all,
//! side by side. The rest follows as the person scrolls.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bytes::Bytes;
use http::header;
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::Server;
use crate::measures::Suite;
use crate::stats::median;

/// As the dashboard asks for a page.
const PAGE: &str = "/api/monitors?limit=100";
/// Answers are kept for half a second; so each opening finds none.
const APART: Duration = Duration::from_millis(700);

pub async fn measure(suite: &mut Suite, gateway: &Server, count: usize) -> Result<()> {
    let (mut times, mut gzip, mut scrolls) = (Vec::new(), 0, Vec::new());
    let mut scrolled = 0;
    for _ in 0..suite.size(9, 2) {
        tokio::time::sleep(APART).await;
        let begun = Instant::now();
        gzip = open(gateway, true).await?;
        times.push(begun.elapsed().as_secs_f64() * 1000.0);
        tokio::time::sleep(APART).await;
        let begun = Instant::now();
        scrolled = scroll(gateway, true).await?;
        scrolls.push(begun.elapsed().as_secs_f64() * 1000.0);
    }
    let raw = open(gateway, false).await?;
    let raw_scrolled = scroll(gateway, false).await?;
    let what = format!("dashboard's first data, {count} monitors with 30 points of latency each");
    let note = format!(
        "/api/me, then {PAGE} beside the counts, new connections, nothing kept from before; p50 of {}, slowest {:.0} ms; all {count} page by page {:.0} ms more",
        times.len(),
        times.iter().copied().fold(0.0, f64::max),
        median(&scrolls)
    );
    suite.below("G4", &format!("{what}: time at the API"), median(&times), " ms", 500.0, note);
    #[expect(clippy::cast_precision_loss, reason = "kilobytes")]
    let kilobytes = |bytes: usize| bytes as f64 / 1000.0;
    let note = |all: usize| format!("bodies of the same answers; all {count} page by page {:.0} kB", kilobytes(all));
    suite.below("G4b", &format!("{what}: bytes as a browser gets them (gzip)"), kilobytes(gzip), " kB", 500.0, note(scrolled));
    suite.below("G4r", &format!("{what}: bytes uncompressed"), kilobytes(raw), " kB", 500.0, note(raw_scrolled));
    Ok(())
}

/// Opens the list; gives the bytes of the bodies.
async fn open(gateway: &Server, gzip: bool) -> Result<usize> {
    let me = get(gateway, "/api/me", gzip).await?;
    let (page, counts) = tokio::try_join!(get(gateway, PAGE, gzip), get(gateway, "/api/monitors?limit=1", gzip))?;
    Ok(me.len() + page.len() + counts.len())
}

/// Every page, one after the other; gives the bytes of the bodies.
async fn scroll(gateway: &Server, gzip: bool) -> Result<usize> {
    let (mut path, mut bytes) = (PAGE.to_owned(), 0);
    loop {
        let body = get(gateway, &path, gzip).await?;
        bytes += body.len();
        let plain = if gzip { unzip(&body)? } else { body.to_vec() };
        let page: serde_json::Value = serde_json::from_slice(&plain)?;
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("{PAGE}&cursor={cursor}"),
            None => return Ok(bytes),
        }
    }
}

/// One answer's body as it came, over a connection of its own.
async fn get(gateway: &Server, path: &str, gzip: bool) -> Result<Bytes> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, gateway.port)).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = Request::get(path)
        .header(header::HOST, "gateway")
        .header(header::AUTHORIZATION, format!("Bearer {}", gateway.token.as_deref().unwrap_or_default()))
        .header(header::ACCEPT_ENCODING, if gzip { "gzip, deflate, br" } else { "identity" });
    let response = sender.send_request(request.body(Empty::<Bytes>::new())?).await?;
    anyhow::ensure!(response.status().is_success(), "{path}: {}", response.status());
    Ok(response.into_body().collect().await.context("the answer broke off")?.to_bytes())
}

fn unzip(bytes: &[u8]) -> Result<Vec<u8>> {
    use std::io::Read;
    // Small answers come as they are.
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(bytes.to_vec());
    }
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(bytes).read_to_end(&mut plain)?;
    Ok(plain)
}
