//! ICMP echo: a datagram socket where `ping_group_range` permits it, a raw one where the capability is
//! there; else the check is unknown, never down.

use std::net::IpAddr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use egress::{FailureKind, Timings};
use model::Cause;
use model::monitor::IcmpProbe;
use surge_ping::{Client, Config, ICMP, PingIdentifier, PingSequence, SurgeError};

use super::{Answer, Attempt, Prober, micros, phases};
use crate::assertions::Compiled;

/// The sockets of this process, opened when first needed.
#[derive(Default)]
pub struct Pings {
    v4: OnceLock<Client>,
    v6: OnceLock<Client>,
    /// Tells echoes apart: on datagram sockets the kernel sets the identifier.
    sequence: AtomicU16,
}

impl Pings {
    /// The socket for `address`, or why there is none. A failure is not remembered: descriptors come back.
    fn client(&self, address: IpAddr) -> Result<&Client, std::io::Error> {
        let (slot, kind) = if address.is_ipv4() { (&self.v4, ICMP::V4) } else { (&self.v6, ICMP::V6) };
        if let Some(known) = slot.get() {
            return Ok(known);
        }
        let opened = Client::new(&Config::builder().kind(kind).build())?;
        // Of two that open at once, one is closed again.
        Ok(slot.get_or_init(|| opened))
    }
}

/// One reply is enough; each echo waits for its share of the time.
pub(super) async fn attempt(prober: &Prober, probe: &IcmpProbe, compiled: &Compiled, deadline: Instant) -> Attempt {
    let began = Instant::now();
    let addresses = match prober.egress.resolve(&probe.host, deadline).await {
        Ok(addresses) => addresses,
        Err(failure) => return failure.into(),
    };
    let mut timings = Timings { resolve: Some(began.elapsed()), ..Timings::default() };
    let Some(address) = addresses.first().copied() else {
        return Attempt::unknown(Cause::Internal, "no address to ping".to_owned());
    };
    let client = match prober.pings.client(address) {
        Ok(client) => client,
        Err(error) => return no_socket(&error),
    };
    let packets = u32::from(probe.packets.max(1));
    for sent in 0..packets {
        let left = deadline.saturating_duration_since(Instant::now());
        let share = left / (packets - sent);
        if share.is_zero() {
            break;
        }
        let sequence = prober.pings.sequence.fetch_add(1, Ordering::Relaxed);
        match echo(client, address, sequence, share).await {
            Ok(round_trip) => {
                timings.first_byte = Some(round_trip);
                let answer = Answer { http: None, latency_us: micros(round_trip), phases: phases(timings), certificate_expires_at: None };
                return prober.judged(compiled, &answer);
            }
            // A share that ran out is a lost packet, and so is an echo that could not be told apart.
            Err(SurgeError::Timeout { .. } | SurgeError::IdenticalRequests { .. }) => {}
            Err(error) => return failed(&error, timings),
        }
    }
    Attempt::down(Cause::PacketLoss, format!("no reply to {packets} echo requests"), timings)
}

async fn echo(client: &Client, address: IpAddr, sequence: u16, wait: Duration) -> Result<Duration, SurgeError> {
    let mut pinger = client.pinger(address, PingIdentifier(sequence ^ 0x5550)).await;
    pinger.timeout(wait);
    let (_, round_trip) = pinger.ping(PingSequence(sequence), b"upmesh").await?;
    Ok(round_trip)
}

/// Whether we may not, or cannot just now.
fn no_socket(error: &std::io::Error) -> Attempt {
    let why = error.to_string();
    let why = why.lines().next().unwrap_or("no ICMP socket");
    match egress::io_kind(error) {
        FailureKind::Resources => Attempt::unknown(Cause::Resources, format!("no ICMP socket: {why}")),
        _ => Attempt::unknown(Cause::Unsupported, format!("this pinger may not send ICMP: {why}")),
    }
}

fn failed(error: &SurgeError, timings: Timings) -> Attempt {
    let SurgeError::IOError(io) = error else { return Attempt::unknown(Cause::Internal, error.to_string()) };
    let detail = io.to_string();
    match io.kind() {
        std::io::ErrorKind::HostUnreachable => Attempt::down(Cause::Unreachable, detail, timings),
        std::io::ErrorKind::NetworkUnreachable | std::io::ErrorKind::NetworkDown => Attempt::unknown(Cause::LocalNetwork, detail),
        std::io::ErrorKind::PermissionDenied => Attempt::unknown(Cause::Unsupported, detail),
        _ => Attempt::unknown(Cause::Resources, detail),
    }
}
