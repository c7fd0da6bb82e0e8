//! What may be dialled, and how names are resolved.

use std::net::SocketAddr;
use std::path::PathBuf;

use egress::{EgressConfig, parse_networks};
use service::{ConfigError, Env};

/// `ALLOWED_TARGET_NETWORKS`, `SSL_CERT_FILE` (further roots) and `NAME_SERVERS` (the system's if empty).
pub fn egress(env: &Env) -> Result<EgressConfig, ConfigError> {
    let allowed = parse_networks(env.get("ALLOWED_TARGET_NETWORKS").unwrap_or_default())
        .map_err(|problem| env.reject("ALLOWED_TARGET_NETWORKS", problem, Some("127.0.0.0/8,::1/128")));
    let extra_roots = env.optional::<PathBuf>("SSL_CERT_FILE");
    let name_servers = env.list::<SocketAddr>("NAME_SERVERS");
    Ok(EgressConfig { allowed: allowed?, extra_roots: extra_roots?, name_servers: Some(name_servers?).filter(|list| !list.is_empty()) })
}
