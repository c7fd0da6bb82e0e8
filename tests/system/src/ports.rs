//! Ports for services that must be found again after a restart: below the range from which the kernel
//! gives ports to outgoing connections, so that no check of the mesh itself takes one meanwhile.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

static NEXT: AtomicU16 = AtomicU16::new(0);

const FIRST: u16 = 21_000;
const COUNT: u16 = 10_000;

/// A port that nothing listens on, not given to anyone else in this process.
pub fn free_port() -> u16 {
    // Test binaries that run side by side begin at different places.
    let start = u16::try_from(std::process::id() % u32::from(COUNT / 100)).unwrap_or(0) * 100;
    for _ in 0..COUNT {
        let port = FIRST + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no port between {FIRST} and {} is free", FIRST + COUNT);
}
