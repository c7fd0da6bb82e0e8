//! The faults of the whole mesh.

use std::time::{Duration, Instant};

use system_tests::Service;

use super::{Amount, Fault, Storm};
use crate::row::Row;
use crate::victim::{Death, Victim};

const POINTS: [&str; 11] = [
    "pinger::checked",
    "pinger::given",
    "pinger::acked",
    "pinger::closed",
    "pinger::before_progress",
    "pinger::progress_written",
    "pinger::lease_taken",
    "pinger::missed_found",
    "pinger::spooled",
    "pinger::spool_acked",
    "pinger::spool_advanced",
];

/// Two intervals and more.
const ABSENCE: Duration = Duration::from_secs(25);

/// One kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    PingerPoints,
    Kill,
    Pause,
    Flush,
    Broker,
    Rebalance,
    Roll,
    Disturb(Fault),
}

impl Kind {
    /// For `make test`; tests/system pauses nothing, but it stops a broker.
    pub const SHORT: [Self; 4] = [Self::PingerPoints, Self::Kill, Self::Flush, Self::Roll];
    /// For the whole table, where rolling restarts have a mesh of their own.
    pub const ALL: [Self; 6] = [Self::PingerPoints, Self::Kill, Self::Pause, Self::Flush, Self::Broker, Self::Rebalance];

    pub fn row(self) -> Row {
        const ALL: &str = "no slot absent, none twice, no up or down the target did not show; alerts are the transitions";
        match self {
            Self::PingerPoints => Row::new("1", "pinger dies at 11 points, two replicas", ALL),
            Self::Kill => Row::new("1–3", "kill -9 of any service at random, two replicas each", ALL),
            Self::Pause => Row::new("5, 6", "SIGSTOP past lease and session, then SIGCONT beside the new owner", ALL),
            Self::Flush => Row::new("11", "Redis FLUSHALL", ALL),
            Self::Broker => Row::new("7", "broker kill -9 and restart; broker SIGSTOP 8 s", ALL),
            Self::Rebalance => Row::new("17", "a consumer leaves or comes every 2.5 s: processors and alerters, drained or killed", ALL),
            Self::Roll => Row::new(
                "16",
                "rolling restart of every service under load",
                "every slot really checked; all of row 1, no answer of 5xx, and SIGTERM to exit within the longest check and 5 s",
            ),
            Self::Disturb(fault) => fault.row(),
        }
    }
}

impl Storm {
    pub(super) async fn inject(&mut self, kind: Kind, amount: Amount, row: &mut Row) {
        match kind {
            Kind::PingerPoints => self.pinger_points(amount.points, row).await,
            Kind::Kill => self.kills(amount.kills, row).await,
            Kind::Pause => self.pauses(amount.pauses, row).await,
            Kind::Flush => self.flushes(amount.flushes, row).await,
            Kind::Broker => self.outages(amount.outages, row).await,
            Kind::Rebalance => self.rebalances(4 * amount.outages, row).await,
            Kind::Roll => self.rolls(amount.rolls, row).await,
            Kind::Disturb(fault) => self.disturb(fault, amount.disturbances, row).await,
        }
    }

    async fn pinger_points(&mut self, trials: u64, row: &mut Row) {
        let first = self.seed.below(POINTS.len() as u64);
        row.aim(&POINTS);
        for n in 0..trials {
            row.trials += 1;
            let point = POINTS[usize::try_from(first + n).unwrap_or(0) % POINTS.len()];
            let victim = Victim { service: Service::Pinger, replica: usize::try_from(n % 2).unwrap_or(0) };
            if self.mesh.runs(victim.service, victim.replica) {
                self.mesh.kill9(victim.service, victim.replica);
            }
            // Slots are found missed after some time without any pinger; that, and what waits on disk, comes rarely.
            let (absence, outage) = (point == "pinger::missed_found", point.contains("spool"));
            if absence {
                self.mesh.kill9(Service::Pinger, 1 - victim.replica);
                self.live(ABSENCE).await;
            }
            let nth = if absence || outage { 1 } else { 1 + self.seed.below(3) };
            victim.start(&mut self.mesh, Some((point, nth)));
            if outage {
                // Acknowledgements fail after five seconds; then results go to the disk.
                self.live(Duration::from_secs(4)).await;
                self.broker.signal("STOP");
                self.live(Duration::from_secs(9)).await;
                self.broker.signal("CONT");
            }
            self.live(Duration::from_millis(500)).await;
            match victim.wait(&mut self.mesh, point, Duration::from_secs(12)).await {
                Death::AtPoint => row.exposed(point),
                Death::Killed => *row.places.entry("SIGKILL".to_owned()).or_default() += 1,
                Death::Unasked => row.violated(format!("I12, a pinger ended by itself, armed at {point}")),
            }
            if absence {
                self.mesh.restart(Service::Pinger, 1 - victim.replica);
            }
            victim.start(&mut self.mesh, None);
            self.live(Duration::from_millis(500)).await;
        }
    }

    async fn kills(&mut self, trials: u64, row: &mut Row) {
        for _ in 0..trials {
            row.trials += 1;
            let service = *self.seed.pick(&Service::ALL);
            let replica = usize::try_from(self.seed.below(2)).unwrap_or(0);
            let pause = Duration::from_millis(self.seed.below(3000));
            self.live(pause).await;
            if self.mesh.runs(service, replica) {
                self.kill9(service, replica);
                row.exposed(service.name());
            }
            let pause = Duration::from_millis(300 + self.seed.below(3000));
            self.live(pause).await;
            self.mesh.restart(service, replica);
        }
    }

    fn kill9(&mut self, service: Service, replica: usize) {
        self.mesh.kill9(service, replica);
        if service == Service::Alerter {
            self.unsure.push((Instant::now(), Instant::now()));
        }
    }

    async fn pauses(&mut self, rounds: u64, row: &mut Row) {
        for _ in 0..rounds {
            // Past the lease of two seconds; past the session of ten; past a sender's lease of fifteen.
            for (service, seconds) in [(Service::Pinger, 7), (Service::Processor, 14), (Service::Alerter, 18)] {
                row.trials += 1;
                let replica = usize::try_from(self.seed.below(2)).unwrap_or(0);
                let from = Instant::now();
                self.mesh.signal(service, replica, "STOP");
                self.live(Duration::from_secs(seconds)).await;
                self.mesh.signal(service, replica, "CONT");
                if service == Service::Alerter {
                    self.unsure.push((from, Instant::now()));
                }
                row.exposed(service.name());
                self.live(Duration::from_secs(2)).await;
            }
        }
    }

    async fn flushes(&mut self, trials: u64, row: &mut Row) {
        for _ in 0..trials {
            row.trials += 1;
            self.redis.flush_all().await;
            row.exposed("FLUSHALL");
            let pause = Duration::from_millis(2000 + self.seed.below(6000));
            self.live(pause).await;
        }
        // Sessions come back from PostgreSQL.
        self.api = self.mesh.login().await;
    }

    async fn outages(&mut self, trials: u64, row: &mut Row) {
        for n in 0..trials {
            row.trials += 1;
            if n % 2 == 0 {
                self.broker.stop();
                let pause = Duration::from_millis(500 + self.seed.below(8000));
                self.live(pause).await;
                self.broker.resume().await;
                row.exposed("kill -9");
            } else {
                self.broker.signal("STOP");
                self.live(Duration::from_secs(8)).await;
                self.broker.signal("CONT");
                row.exposed("SIGSTOP");
            }
            self.live(Duration::from_secs(4)).await;
        }
    }

    /// One replica of each stays; the other goes before its partitions have settled, and comes back.
    async fn rebalances(&mut self, rounds: u64, row: &mut Row) {
        let pause = Duration::from_millis(2500);
        for n in 0..rounds {
            for service in [Service::Processor, Service::Alerter] {
                row.trials += 1;
                if n % 2 == 0 {
                    self.mesh.terminate(service, 1).await;
                } else {
                    self.kill9(service, 1);
                }
                self.live(pause).await;
                self.mesh.restart(service, 1);
                self.live(pause).await;
                row.exposed(service.name());
            }
        }
    }
}
