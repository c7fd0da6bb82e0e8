//! `<service> ready`: asks the admin port of the same container, so that images need no HTTP client for health checks.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use crate::{Env, admin};

const PATIENCE: Duration = Duration::from_secs(3);

/// 0 when `/ready` answers 200, else 1.
pub(crate) fn ready(service: &str, env: &Env) -> ExitCode {
    match admin::address(service, env).ok().and_then(|address| ask(reachable(address)).ok()) {
        Some(true) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// The port that listens on every interface is asked on loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() { SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), address.port()) } else { address }
}

fn ask(address: SocketAddr) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET /ready HTTP/1.0\r\n\r\n")?;
    let mut answer = [0_u8; 12];
    stream.read_exact(&mut answer)?;
    Ok(answer.ends_with(b" 200"))
}
