//! Where a request comes from, as far as it can be trusted.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::ConnectInfo;
use http::Extensions;
use http::HeaderMap;

/// Whether the warning below was given.
static TOLD: AtomicBool = AtomicBool::new(false);

/// The client's address. `proxies` is how many of our own proxies stand before us (`TRUSTED_PROXIES`):
/// each appends the address it saw to `X-Forwarded-For`, so only that many entries from the right are true.
pub(crate) fn client_address(extensions: &Extensions, headers: &HeaderMap, proxies: usize) -> Option<IpAddr> {
    let peer = extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip().to_canonical());
    if proxies == 0 {
        if headers.contains_key("x-forwarded-for") && !TOLD.swap(true, Ordering::Relaxed) {
            // Everybody behind the proxy would share one limit on wrong passwords.
            tracing::warn!(
                "a request came with X-Forwarded-For and TRUSTED_PROXIES is 0: if a proxy stands before the gateway, set it to how many do"
            );
        }
        return peer;
    }
    let values = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    let hops: Vec<&str> = values.flat_map(|value| value.split(',')).map(str::trim).collect();
    hops.len().checked_sub(proxies).and_then(|i| hops[i].parse().ok()).or(peer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forged_hop_is_not_believed() {
        let mut extensions = Extensions::new();
        extensions.insert(ConnectInfo(SocketAddr::from(([10, 0, 0, 1], 5))));
        let headers: HeaderMap =
            [(http::HeaderName::from_static("x-forwarded-for"), "6.6.6.6, 192.0.2.7".parse().expect("a header"))].into_iter().collect();
        let found = |proxies| client_address(&extensions, &headers, proxies).map(|address| address.to_string());
        assert_eq!(found(0).as_deref(), Some("10.0.0.1"));
        assert_eq!(found(1).as_deref(), Some("192.0.2.7"));
        assert_eq!(found(3).as_deref(), Some("10.0.0.1"));
    }
}
