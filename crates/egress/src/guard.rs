//! Which addresses may be dialled. Pure; judged after resolution and on every hop.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// Address policy: the public internet, and what the operator allows besides.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    allowed: Vec<IpNet>,
}

/// Where clouds tell a machine its keys: AWS, GCP and others; Azure; AWS's containers, on ECS and on EKS (also over IPv6, last); Alibaba; AWS and GCP over IPv6.
const METADATA: [IpAddr; 8] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 23)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23)),
];

/// An address that may not be dialled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{address} is {what}: not dialled unless ALLOWED_TARGET_NETWORKS covers it")]
pub struct Forbidden {
    pub address: IpAddr,
    pub what: &'static str,
}

/// `10.0.0.0/8, ::1/128` as networks; a bare address stands for itself.
pub fn parse_networks(text: &str) -> Result<Vec<IpNet>, String> {
    text.split([',', ' '])
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(|part| {
            part.parse::<IpNet>()
                .or_else(|_| part.parse::<IpAddr>().map(IpNet::from))
                .map_err(|_| format!("{part:?} is no network: use for example 10.0.0.0/8 or ::1/128"))
        })
        .collect()
}

impl Guard {
    /// `allowed` are dialled although they are not public.
    pub fn new(allowed: Vec<IpNet>) -> Self {
        Self { allowed }
    }

    /// Judges one address, in its canonical form (an IPv4-mapped one as the IPv4 address it is).
    pub fn judge(&self, address: IpAddr) -> Result<(), Forbidden> {
        let canonical = address.to_canonical();
        // Who allows a whole network does not mean the keys of the machine it is in, however their address is written.
        let metadata = METADATA.contains(&canonical) || hidden(canonical).is_some_and(|hidden| METADATA.contains(&hidden));
        if self
            .allowed
            .iter()
            .any(|network| network.contains(&canonical) && (!metadata || network.prefix_len() == network.max_prefix_len()))
        {
            return Ok(());
        }
        if metadata {
            return Err(Forbidden { address, what: "cloud metadata, which its own address alone opens" });
        }
        let what = match canonical {
            IpAddr::V4(v4) => special_v4(v4),
            IpAddr::V6(v6) => special_v6(v6),
        };
        what.map_or(Ok(()), |what| Err(Forbidden { address, what }))
    }
}

/// The IPv4 address that NAT64 or 6to4 would take this one to.
fn hidden(address: IpAddr) -> Option<IpAddr> {
    let IpAddr::V6(address) = address else { return None };
    let ([0x0064, 0xff9b, .., high, low] | [0x2002, high, low, ..]) = address.segments() else { return None };
    Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)).into())
}

/// The IANA special-purpose registry.
fn special_v4(address: Ipv4Addr) -> Option<&'static str> {
    Some(match address.octets() {
        [0, ..] => "of this network (0.0.0.0/8)",
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => "private",
        [100, 64..=127, ..] => "carrier-grade NAT (100.64.0.0/10)",
        [127, ..] => "loopback",
        [169, 254, ..] => "link-local",
        [192, 0, 0, _] => "for protocol assignments (192.0.0.0/24)",
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => "for documentation",
        [192, 88, 99, _] => "a 6to4 relay",
        [198, 18..=19, ..] => "for benchmarks (198.18.0.0/15)",
        [224..=239, ..] => "multicast",
        [240..=255, ..] => "reserved or broadcast",
        _ => return None,
    })
}

/// Global unicast is 2000::/3 without what is carved out of it; everything else is refused, so that a
/// range assigned tomorrow needs no change here.
fn special_v6(address: Ipv6Addr) -> Option<&'static str> {
    let [first, second, ..] = address.segments();
    Some(match (first, second) {
        (0x2001, 0x0db8) | (0x3fff, 0..=0x0fff) => "for documentation",
        (0x2001, 0..=0x01ff) => "for protocol assignments, Teredo or ORCHID (2001::/23)",
        (0x2002, _) => "6to4, which hides an IPv4 address",
        (0x2000..=0x3fff, _) => return None,
        _ if address.is_loopback() => "loopback",
        _ if address.is_unspecified() => "unspecified",
        (0xfc00..=0xfdff, _) => "private (fc00::/7)",
        (0xfe80..=0xfebf, _) => "link-local",
        (0xff00..=0xffff, _) => "multicast",
        (0x0064, 0xff9b) => "NAT64, which hides an IPv4 address",
        _ => "not global unicast",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The SSRF corpus: every range an attacker reaches for, at its first and last address, and the
    /// forms that hide an IPv4 address in an IPv6 one.
    const FORBIDDEN: &[&str] = &[
        "0.0.0.0",
        "0.1.2.3",
        "0.255.255.255",
        "10.0.0.0",
        "10.255.255.255",
        "100.64.0.0",
        "100.100.100.200",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.255",
        "168.63.129.16",
        "169.254.0.0",
        "169.254.169.254",
        "169.254.170.2",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.0.192",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.1",
        "192.168.255.255",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.7",
        "203.0.113.7",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::2",
        "::127.0.0.1",
        "::a9fe:a9fe",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:10.0.0.1",
        "::ffff:0:127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::a00:1",
        "100::1",
        "2001::1",
        "2001:0:7f00:1::1",
        "2001:10::1",
        "2001:20::1",
        "2001:1ff:ffff::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::1",
        "3fff::1",
        "3fff:fff::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fdff::1",
        "fe80::1",
        "febf::1",
        "fec0::1",
        "ff02::1",
        "ff0e::1",
        "1::1",
        "4000::1",
    ];

    const PUBLIC: &[&str] = &[
        "1.1.1.1",
        "8.8.8.8",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.1",
        "168.63.129.15",
        "168.63.129.17",
        "169.253.255.255",
        "169.255.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.1",
        "192.0.3.1",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "2001:200::1",
        "2001:4860:4860::8888",
        "2606:4700:4700::1111",
        "2a00:1450:4001::1",
        "3ffe::1",
        "3fff:1000::1",
        "::ffff:8.8.8.8",
    ];

    fn judge(guard: &Guard, address: &str) -> Result<(), Forbidden> {
        guard.judge(address.parse().unwrap_or_else(|_| panic!("{address} is an address")))
    }

    #[test]
    fn nothing_but_the_public_internet_is_dialled() {
        let guard = Guard::default();
        let passed: Vec<_> = FORBIDDEN.iter().filter(|address| judge(&guard, address).is_ok()).collect();
        assert!(passed.is_empty(), "dialled: {passed:?}");
        let refused: Vec<_> = PUBLIC.iter().filter_map(|address| judge(&guard, address).err()).collect();
        assert!(refused.is_empty(), "refused: {refused:?}");
    }

    #[test]
    fn the_operator_opens_networks_in_every_form_of_their_addresses() {
        let guard = Guard::new(parse_networks("127.0.0.0/8, ::1 10.1.0.0/16").expect("networks"));
        for address in ["127.0.0.1", "::1", "::ffff:127.0.0.1", "10.1.2.3"] {
            assert_eq!(judge(&guard, address), Ok(()), "{address}");
        }
        for address in ["10.2.0.1", "169.254.169.254", "64:ff9b::7f00:1", "::127.0.0.1", "2002:7f00:1::"] {
            assert!(judge(&guard, address).is_err(), "{address}");
        }
    }

    #[test]
    fn a_network_that_is_opened_does_not_open_the_cloud_s_keys_within() {
        let wide = Guard::new(parse_networks("0.0.0.0/0 ::/0").expect("networks"));
        assert_eq!(judge(&wide, "169.254.169.253"), Ok(()));
        for address in METADATA {
            assert!(wide.judge(address).is_err(), "{address}");
            let own = Guard::new(parse_networks(&address.to_string()).expect("an address"));
            assert_eq!(own.judge(address), Ok(()), "{address}");
        }
        for other_form in ["::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1"] {
            let refused = judge(&wide, other_form).expect_err("refused").to_string();
            assert!(refused.contains("its own address alone"), "{refused}");
        }
    }

    #[test]
    fn a_wrong_network_is_named() {
        assert!(parse_networks("10.0.0.0/8,nonsense").expect_err("no network").contains("nonsense"));
        assert_eq!(parse_networks("").expect("none"), []);
    }
}
