//! A TCP connection to one of several pinned addresses: the first at once, each next one when the one
//! before failed or kept us waiting.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tokio::net::TcpStream;

use crate::failure::{Broken, FailureKind, io_kind};

/// How long an address may keep us waiting before the next is tried beside it (RFC 8305).
const HEAD_START: Duration = Duration::from_millis(250);
/// A name with a thousand addresses is not worth a thousand sockets.
const MOST_ADDRESSES: usize = 4;

pub(crate) async fn dial(addresses: &[IpAddr], port: u16) -> Result<(TcpStream, SocketAddr), Broken> {
    match addresses {
        [] => Err(Broken::new(FailureKind::Internal, "no address to dial")),
        [only] => connect(SocketAddr::new(*only, port)).await,
        several => race(several.get(..MOST_ADDRESSES).unwrap_or(several), port).await,
    }
}

async fn connect(address: SocketAddr) -> Result<(TcpStream, SocketAddr), Broken> {
    match TcpStream::connect(address).await {
        Ok(stream) => Ok((stream, address)),
        Err(error) => Err(Broken::new(io_kind(&error), format!("{address}: {error}"))),
    }
}

async fn race(addresses: &[IpAddr], port: u16) -> Result<(TcpStream, SocketAddr), Broken> {
    let mut waiting = addresses.iter().map(|address| SocketAddr::new(*address, port));
    let mut running = FuturesUnordered::new();
    let mut worst: Option<Broken> = None;
    running.extend(waiting.next().map(connect));
    loop {
        tokio::select! {
            done = running.next() => match done {
                Some(Ok(connected)) => return Ok(connected),
                Some(Err(broken)) => {
                    // What the target said counts over what we could not do.
                    if worst.as_ref().is_none_or(|worst| !worst.kind.is_targets() && broken.kind.is_targets()) {
                        worst = Some(broken);
                    }
                    running.extend(waiting.next().map(connect));
                }
                None => return Err(worst.unwrap_or_else(|| Broken::new(FailureKind::Internal, "no address to dial"))),
            },
            () = tokio::time::sleep(HEAD_START), if waiting.len() > 0 => running.extend(waiting.next().map(connect)),
        }
    }
}
