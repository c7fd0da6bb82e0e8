//! Targets that answered lately: where no canary is set, they say whether it is us.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use model::ProbeSpec;
use url::{Host, Url};

/// Hosts remembered.
const MOST: usize = 512;
/// A host that answered so long before the newest answer says nothing.
const KEPT: Duration = Duration::from_secs(15 * 60);
/// With fewer other hosts than these a failure is the target's: there is nobody to compare with. With as many,
/// silence of all of them is ours: it is told once, as a blindness, rather than as an outage of each.
const FEWEST: usize = 2;
/// Asked in one look.
const SAMPLE: usize = 8;
/// With this many known, an answer is noted once in [`PAUSE`]: each of thousands a second would say the same.
const PLENTY: usize = 64;
const PAUSE: Duration = Duration::from_millis(10);

#[derive(Debug, Default)]
pub struct Peers {
    known: HashMap<String, Peer>,
    /// When an answer was noted last.
    noted: Option<Instant>,
}

#[derive(Debug)]
struct Peer {
    port: Option<u16>,
    answered: Instant,
    /// Answers without any network.
    loopback: bool,
}

/// Host and, where it can be dialled, port of a target.
pub fn place(probe: &ProbeSpec) -> Option<(String, Option<u16>)> {
    match probe {
        ProbeSpec::Http(http) => {
            let url = Url::parse(&http.url).ok()?;
            Some((url.host_str()?.to_owned(), url.port_or_known_default()))
        }
        ProbeSpec::Tcp(tcp) => Some((tcp.host.clone(), Some(tcp.port))),
        ProbeSpec::Icmp(icmp) => Some((icmp.host.clone(), None)),
    }
}

impl Peers {
    /// Whether another answer at `now` would tell anything new.
    pub fn wants(&self, now: Instant) -> bool {
        self.known.len() < PLENTY || self.noted.is_none_or(|noted| now.saturating_duration_since(noted) >= PAUSE)
    }

    pub fn answered(&mut self, host: String, port: Option<u16>, now: Instant) {
        self.noted = Some(now);
        if let Some(known) = self.known.get_mut(&host) {
            known.answered = now;
            known.port = port.or(known.port);
            return;
        }
        if self.known.len() >= MOST {
            let oldest = self.known.iter().min_by_key(|(_, peer)| peer.answered).map(|(host, _)| host.clone());
            oldest.map(|host| self.known.remove(&host));
        }
        let loopback = is_loopback(&host);
        self.known.insert(host, Peer { port, answered: now, loopback });
    }

    /// It is down, and that is its own doing.
    pub fn failed(&mut self, host: &str) {
        self.known.remove(host);
    }

    /// When a host other than `host` last answered; none where too few others are known.
    pub fn evidence(&self, host: &str) -> Option<Instant> {
        let others: Vec<&Peer> = self.telling().filter(|(name, _)| name.as_str() != host).map(|(_, peer)| peer).collect();
        if others.len() < FEWEST {
            return None;
        }
        others.iter().map(|peer| peer.answered).max()
    }

    /// Hosts to ask, those that answered last first, without those `asked` already.
    pub fn sample(&self, asked: &HashSet<String>) -> Vec<(String, u16)> {
        let mut hosts: Vec<(&String, &Peer, u16)> =
            self.telling().filter(|(host, _)| !asked.contains(*host)).filter_map(|(host, peer)| Some((host, peer, peer.port?))).collect();
        hosts.sort_by_key(|(_, peer, _)| std::cmp::Reverse(peer.answered));
        hosts.into_iter().take(SAMPLE).map(|(host, _, port)| (host.clone(), port)).collect()
    }

    /// Those whose answer says something about our network. Loopback says nothing about it, unless there
    /// is nothing else.
    fn telling(&self) -> impl Iterator<Item = (&String, &Peer)> {
        let newest = self.known.values().map(|peer| peer.answered).max();
        let recent = move |peer: &Peer| newest.is_some_and(|newest| newest.saturating_duration_since(peer.answered) < KEPT);
        let beyond = self.known.values().filter(|peer| !peer.loopback && recent(peer)).count();
        self.known.iter().filter(move |(_, peer)| recent(peer) && (!peer.loopback || beyond <= FEWEST))
    }
}

fn is_loopback(host: &str) -> bool {
    match Host::parse(host) {
        Ok(Host::Ipv4(address)) => address.is_loopback(),
        Ok(Host::Ipv6(address)) => address.is_loopback(),
        Ok(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_others_decide_nothing_and_loopback_only_where_there_is_nothing_else() {
        let (mut peers, now) = (Peers::default(), Instant::now());
        for n in 0..2 {
            peers.answered(format!("h{n}.example"), Some(443), now);
        }
        assert_eq!(peers.evidence("h0.example"), None, "one other");
        let later = now + Duration::from_secs(1);
        peers.answered("127.0.0.1".to_owned(), Some(80), later);
        assert_eq!(peers.evidence("h0.example"), Some(later), "there is little else");
        peers.answered("h2.example".to_owned(), None, now);
        assert_eq!(peers.evidence("h0.example"), Some(now), "loopback is not asked");
        assert_eq!(peers.sample(&HashSet::new()).len(), 2, "a host without a port is not dialled");
        peers.failed("h1.example");
        peers.failed("h2.example");
        assert_eq!(peers.sample(&HashSet::new()).len(), 2);
    }

    #[test]
    fn where_plenty_is_known_an_answer_is_noted_now_and_then() {
        let (mut peers, now) = (Peers::default(), Instant::now());
        for n in 0..PLENTY {
            assert!(peers.wants(now));
            peers.answered(format!("h{n}"), Some(1), now);
        }
        assert!(!peers.wants(now));
        assert!(peers.wants(now + PAUSE));
    }

    #[test]
    fn the_memory_is_bounded_and_old_answers_say_nothing() {
        let (mut peers, now) = (Peers::default(), Instant::now());
        for n in 0..2_000_u64 {
            peers.answered(format!("h{n}"), Some(1), now + Duration::from_secs(n));
        }
        assert_eq!(peers.known.len(), MOST);
        peers.answered("new".to_owned(), Some(1), now + Duration::from_secs(2_000) + KEPT);
        assert_eq!(peers.evidence("new"), None);
    }
}
