//! A service whose machine has another time: a pinger's is set forward or back, from the start or in the middle of its
//! life, or drifts; those of consumers are apart by ten minutes. The real binary adds it to its wall clock (`service::tamper`); its monotonic clock and
//! Kafka's client stay right, as on a machine whose clock is set.

use std::time::{Duration, Instant};

use system_tests::{Service, now};

use super::Storm;
use crate::log::read_all;
use crate::row::Row;

/// How a clock goes wrong: milliseconds, and more of them per second, before and after `STEP` of its life.
const WRONGS: [(&str, &str, &str); 5] = [
    ("set forward 5 min", "0 0", "300000 0"),
    ("set back 5 min", "0 0", "-300000 0"),
    ("5 min ahead from the start", "300000 0", "300000 0"),
    ("5 min behind from the start", "-300000 0", "-300000 0"),
    ("drifts by a fifth", "0 200", "0 200"),
];
const STEP: Duration = Duration::from_secs(8);
const LIFE: Duration = Duration::from_secs(26);
/// A result may lie this far before its slot's instant: what a clock may be off without being noticed, and a bit.
pub(super) const EARLY_MS: i64 = 2_500;
/// And behind it: the check, its confirmation, a take-over.
const LATE_MS: i64 = 25_000;

impl Storm {
    /// Row 18.
    pub(super) async fn clocks(&mut self, trials: u64, row: &mut Row) {
        let began = now();
        let first = self.seed.below(WRONGS.len() as u64);
        for n in 0..trials {
            row.trials += 1;
            let (name, before, after) = WRONGS[usize::try_from(first + n).unwrap_or(0) % WRONGS.len()];
            self.mesh.kill9(Service::Pinger, 1);
            let file = tempfile::NamedTempFile::new().expect("a file");
            std::fs::write(file.path(), before).expect("written");
            let settings = [("CLOCK_OFFSET_FILE".to_owned(), file.path().display().to_string())];
            self.mesh.restart_with(Service::Pinger, 1, settings.into_iter());
            self.live(STEP).await;
            std::fs::write(file.path(), after).expect("written");
            let (until, mut skew) = (Instant::now() + LIFE.saturating_sub(STEP), 0.0_f64);
            while Instant::now() < until {
                self.live(Duration::from_secs(1)).await;
                let told = self.mesh.metric(Service::Pinger, 1, "upmesh_pinger_clock_skew_seconds").await.unwrap_or(0.0);
                if told.abs() > skew.abs() {
                    skew = told;
                }
            }
            // It counts where the process itself saw another time than Redis.
            if skew.abs() > 2.0 {
                row.exposed(name);
            }
            self.mesh.kill9(Service::Pinger, 1);
            self.mesh.restart(Service::Pinger, 1);
        }
        self.live(Duration::from_secs(3)).await;
        self.compare_slots_with_time(began, row).await;
    }

    /// Row 18b: both replicas live on with wrong clocks, one ahead and one behind.
    pub(super) async fn service_clocks(&mut self, row: &mut Row) {
        for service in [Service::Processor, Service::Alerter] {
            row.trials += 1;
            let mut files = Vec::new();
            for (replica, wrong) in ["300000 0", "-300000 0"].into_iter().enumerate() {
                let file = tempfile::NamedTempFile::new().expect("a file");
                std::fs::write(file.path(), wrong).expect("written");
                let settings = [("CLOCK_OFFSET_FILE".to_owned(), file.path().display().to_string())];
                self.mesh.terminate(service, replica).await;
                self.mesh.restart_with(service, replica, settings.into_iter());
                self.mesh.ready_one(service, replica).await;
                files.push(file);
            }
            self.live(LIFE).await;
            if (0..2).all(|replica| self.mesh.log(service, replica).contains("the wall clock is tampered with")) {
                row.exposed(service.name());
            }
            for replica in 0..2 {
                self.mesh.terminate(service, replica).await;
                self.mesh.restart(service, replica);
                self.mesh.ready_one(service, replica).await;
            }
        }
    }

    /// No result of a slot that is not the one of its time: the broker's clock, which is right, tells when
    /// a record came.
    async fn compare_slots_with_time(&self, began: i64, row: &mut Row) {
        let mut seen = 0;
        for message in read_all(&self.mesh.kafka, &self.mesh.stack.topics().results).await {
            let Ok(result) = events::decode_result(message.key.as_deref(), message.value.as_deref()) else { continue };
            if message.timestamp_ms < began {
                continue;
            }
            seen += 1;
            let early = result.slot - message.timestamp_ms;
            let late = -early;
            row.require(early < EARLY_MS, || {
                format!("{} of {} was told {} as {early} ms before its time", result.slot, result.monitor, result.outcome)
            });
            row.require(!result.outcome.is_verdict() || late < LATE_MS, || {
                format!("{} of {} was checked again as {} {late} ms after its time", result.slot, result.monitor, result.outcome)
            });
        }
        let (due, run) = self.executed(began, now() - 3000).await;
        row.compared = format!("{}{seen} results by the broker's clock, {run} of {due} slots checked; ", row.compared);
    }
}
