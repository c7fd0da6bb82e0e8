//! The channels fail for a while, by themselves or on the way to them, and the alerter lives: nothing is lost, and what
//! was answered is not said twice. What they would wait for in half an hour is told them to be over.

use std::time::{Duration, Instant};

use system_tests::Service;
use testkit::SlackBehaviour;

use super::{Alerts, KINDS};
use crate::proxy::Trouble;
use crate::row::Row;
use crate::seed::Seed;
use crate::victim::Victim;

/// How long a trouble lasts: long enough for several attempts.
const LASTS: Duration = Duration::from_secs(8);
const PROMISE: &str = "a recovery meanwhile arrives afterwards, or with its beginning in one message; none missed; \
                       none twice where it was answered or can be read back";

/// Each trouble once, and a proof that what is compared is seen.
pub async fn outages(seed: &Seed) -> Vec<Row> {
    let mut row = Row::new("21", "channels answer 5xx, 429, never, reset after taking, slowly, for a while", PROMISE);
    let began = Instant::now();
    let mut alerts = Alerts::start(seed.branch("outages"), false).await;
    let behaviours = [
        SlackBehaviour::Status(503),
        SlackBehaviour::RateLimited(2),
        SlackBehaviour::Reset,
        SlackBehaviour::Hang,
        SlackBehaviour::Slow(Duration::from_millis(1500)),
    ];
    for behaviour in &behaviours {
        alerts.outage(behaviour, &mut row).await;
    }
    row.took = began.elapsed();
    eprintln!("  channels: {} outages, {} requests met them; {}", row.trials, row.exposures, row.compared);
    let proof = alerts.proof().await;

    let mut way = Row::new("15b", "the way to the channels delayed, throttled, stalled one way, mute, reset, cut after n bytes", PROMISE);
    let began = Instant::now();
    let mut alerts = Alerts::start(seed.branch("ways"), true).await;
    let cut = 100 + alerts.seed.below(2000);
    for trouble in [
        Trouble::Delay(Duration::from_secs(2)),
        Trouble::Throttle(1000),
        Trouble::StallUp,
        Trouble::StallDown,
        Trouble::BlackHole,
        Trouble::Reset,
        Trouble::CutAfter(cut),
    ] {
        alerts.trouble(trouble, &mut way).await;
    }
    way.took = began.elapsed();
    eprintln!("  channels: {} troubles on the way, {} met; {}", way.trials, way.exposures, way.compared);
    vec![row, way, proof]
}

impl Alerts {
    async fn outage(&mut self, behaviour: &SlackBehaviour, row: &mut Row) {
        let before: Vec<usize> = self.hooks.iter().map(|hook| hook.posts().len()).collect();
        self.begin().await;
        self.hooks.iter().for_each(|hook| hook.always(behaviour.clone()));
        self.go_on(LASTS).await;
        self.hooks.iter().for_each(|hook| hook.always(SlackBehaviour::Ok));
        for ((hook, before), kind) in self.hooks.iter().zip(before).zip(KINDS) {
            let met = hook.posts().iter().skip(before).filter(|post| post.behaviour == *behaviour).count();
            (0..met).for_each(|_| row.exposed(&format!("{kind} {behaviour:?}")));
        }
        self.compare(row).await;
    }

    async fn trouble(&mut self, trouble: Trouble, row: &mut Row) {
        self.begin().await;
        let met: Vec<u64> = self.ways.iter().map(crate::proxy::Proxy::met).collect();
        let from = Instant::now();
        self.ways.iter().for_each(|way| way.set(trouble));
        self.go_on(LASTS).await;
        self.ways.iter().for_each(crate::proxy::Proxy::heal);
        // What was on its way when it healed is answered, or given up, by then.
        self.mute.push((from, Instant::now() + Duration::from_secs(10)));
        for ((way, before), kind) in self.ways.iter().zip(met).zip(KINDS) {
            if way.met() > before {
                row.exposed(&format!("{kind} {}", trouble.name()));
            }
        }
        self.compare(row).await;
    }

    /// The alerter lives, and something is down already that was told.
    async fn begin(&mut self) {
        Victim::of(Service::Alerter).start(&mut self.mesh, None);
        let results = self.next_results().await;
        self.writer.results(&results).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
    }

    /// Troubles and recoveries meanwhile.
    async fn go_on(&mut self, lasts: Duration) {
        let began = Instant::now();
        while began.elapsed() < lasts {
            let results = self.next_results().await;
            self.writer.results(&results).await;
            tokio::time::sleep(Duration::from_millis(500 + self.seed.below(500))).await;
        }
    }

    async fn compare(&mut self, row: &mut Row) {
        row.trials += 1;
        self.mesh.terminate(Service::Alerter, 0).await;
        let mut parts = KINDS.map(|_| Row::new(row.id, "", ""));
        self.settle(&mut parts).await;
        self.check(&mut parts).await;
        for part in &mut parts {
            row.violations.append(&mut part.violations);
        }
        row.compared = parts.map(|part| part.compared).join("; ");
    }
}
