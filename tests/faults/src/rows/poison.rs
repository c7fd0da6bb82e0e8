//! Records that nobody can read: one in a hundred, which must cost nothing, and nothing but them, where both
//! consumers must stop rather than set a whole topic aside, say so, and lose nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use model::{MonitorId, Outcome};
use system_tests::{Api, Mesh, Plan, Service, monitor, now};
use testkit::FakeSlack;

use crate::history::{Told, stored};
use crate::log::{INTERVAL_MS, Writer, poison, read_all, result};
use crate::row::Row;
use crate::seed::Seed;

const CONSUMERS: [Service; 2] = [Service::Processor, Service::Alerter];
const MONITORS: usize = 12;
/// More than the hundred that are let through beside good ones, and what is left of them fewer than the 32 that are let through
/// where nothing else comes.
const FLOOD: u64 = 120;
/// A consumer has to stop by then, and to say so.
const STOPS: Duration = Duration::from_secs(5);
/// The window of a minute, and the tries every half.
const PAST: Duration = Duration::from_secs(110);

struct Poisoned {
    mesh: Mesh,
    slack: FakeSlack,
    writer: Writer,
    monitors: Vec<MonitorId>,
    next: i64,
    truth: Told,
    poisons: BTreeSet<Vec<u8>>,
    named: u64,
    written: u64,
    seed: Seed,
}

/// `patient`: waits until the limit is past by itself; else an operator starts the consumers again.
pub async fn run(seed: &Seed, patient: bool) -> Vec<Row> {
    let began = Instant::now();
    let mut row = Row::new(
        "24",
        "poison records: 1 in 100; then nothing else",
        "1 %: no lag; 100 %: both consumers stop within 5 s and say so, nothing is lost, they go on",
    );
    let mut work = Poisoned::start(seed.branch("poison")).await;
    work.one_in_a_hundred(&mut row).await;
    work.flood(&mut row, patient).await;
    work.compare(&mut row).await;
    row.took = began.elapsed();
    eprintln!("  poison: {}", row.compared);
    vec![row]
}

impl Poisoned {
    async fn start(seed: Seed) -> Self {
        let slack = FakeSlack::start().await;
        let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let plan = Plan {
            services: vec![Service::Users, Service::Gateway, Service::Processor, Service::Alerter],
            slack: Some(slack.webhook_url()),
            settings: vec![set("FLUSH_SECONDS", "0.2"), set("RUST_LOG", "warn")],
            ..Plan::default()
        };
        let mesh = Mesh::start(plan).await;
        let api = mesh.login().await;
        let mut monitors = Vec::new();
        for n in 0..MONITORS {
            let id = api.create(monitor(&format!("p{n}"), &format!("http://127.0.0.1:9/{n}"))).await;
            monitors.push(id.parse().expect("an id"));
        }
        let writer = Writer::new(&mesh.kafka, &mesh.stack.topics().results);
        let next = now() - 3 * 3_600_000;
        Self {
            mesh,
            slack,
            writer,
            monitors,
            next: next - next % INTERVAL_MS,
            truth: Told::new(),
            poisons: BTreeSet::new(),
            named: 0,
            written: 0,
            seed,
        }
    }

    /// Good records of the next slots, and poison among them.
    async fn write(&mut self, rounds: usize, one_in: u64) {
        for _ in 0..rounds {
            let mut records = Vec::new();
            for monitor in self.monitors.clone() {
                let latency = u32::try_from(self.seed.below(900_000)).unwrap_or(0);
                let good = result(monitor, self.next, Outcome::Up, latency);
                self.truth.insert((monitor.0, self.next), (good.outcome, good.latency_us.map(|us| (us + 50) / 100 * 100)));
                records.push((monitor, events::encode_result(&good).expect("JSON")));
                self.written += 1;
                if one_in > 0 && self.written.is_multiple_of(one_in) {
                    records.push((monitor, self.poison()));
                }
            }
            self.next += INTERVAL_MS;
            self.writer.records(records).await;
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    fn poison(&mut self) -> Vec<u8> {
        self.named += 1;
        let bytes = poison(self.seed.number(), self.named);
        self.poisons.insert(bytes.clone());
        bytes
    }

    /// The longest lag of each consumer while some are written: few, since the limit looks at their share.
    async fn lags(&mut self, one_in: u64) -> [i64; 2] {
        let mut most = [0; 2];
        for _ in 0..5 {
            self.write(5, one_in).await;
            for (consumer, most) in CONSUMERS.iter().zip(&mut most) {
                *most = (*most).max(self.mesh.lag(*consumer).await.unwrap_or(0));
            }
        }
        most
    }

    async fn one_in_a_hundred(&mut self, row: &mut Row) {
        self.lags(0).await;
        let clean = self.lags(0).await;
        let before = self.poisons.len();
        let poisoned = self.lags(100).await;
        row.trials += 1;
        if self.poisons.len() > before {
            row.exposed("1 in 100");
        }
        for ((consumer, clean), poisoned) in CONSUMERS.iter().zip(clean).zip(poisoned) {
            // A few batches' worth.
            row.require(poisoned <= 2 * clean + 200, || {
                format!("{}: at most {clean} records behind without poison, {poisoned} with it", consumer.name())
            });
            row.compared = format!("{}{} {clean} records behind without, {poisoned} with 1 %; ", row.compared, consumer.name());
        }
    }

    async fn flood(&mut self, row: &mut Row, patient: bool) {
        row.trials += 2;
        let records = (0..FLOOD).map(|n| (self.monitors[usize::try_from(n).unwrap_or(0) % MONITORS], self.poison())).collect();
        let began = Instant::now();
        self.writer.records(records).await;
        // Behind the poison a target goes down.
        let down = self.monitors[0];
        let slot = now() - INTERVAL_MS;
        self.truth.insert((down.0, slot), (Outcome::Down, Some(1000)));
        self.writer.results(&[result(down, slot, Outcome::Down, 1000)]).await;
        for consumer in CONSUMERS {
            let api = Api::anonymous(self.mesh.admin(consumer, 0));
            let mut stopped = None;
            while stopped.is_none() && began.elapsed() < STOPS * 2 {
                let ready = api.try_raw(reqwest::Method::GET, "/ready", None).await;
                stopped = ready.is_ok_and(|answer| answer.status == 503).then(|| began.elapsed());
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            let said = self.mesh.log(consumer, 0).contains("stops reading for a while");
            row.require(stopped.is_some_and(|after| after < STOPS) && said, || {
                format!("{}: {FLOOD} poison records in a row; not ready after {stopped:?}, said so: {said}", consumer.name())
            });
            if let Some(after) = stopped {
                row.exposed(&format!("{} stopped", consumer.name()));
                row.compared = format!("{}{} stopped after {} ms; ", row.compared, consumer.name(), after.as_millis());
            }
        }
        let letters = self.letters().await;
        for consumer in CONSUMERS {
            let set_aside = letters.get(consumer.name()).map_or(0, BTreeSet::len);
            row.require(set_aside < self.poisons.len(), || format!("{} set all of it aside", consumer.name()));
        }
        row.require(self.slack.posts().is_empty(), || "what lies behind the poison was told before it".to_owned());
        if patient {
            self.write(20, 0).await;
        } else {
            for consumer in CONSUMERS {
                self.mesh.terminate(consumer, 0).await;
                self.mesh.restart(consumer, 0);
            }
        }
        let patience = if patient { PAST } else { Duration::from_secs(30) };
        let began = Instant::now();
        while began.elapsed() < patience && !self.went_on().await {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        let how = if patient { "by itself" } else { "once started again" };
        row.require(self.went_on().await, || format!("not read to the end {how} after {patience:?}"));
        row.compared = format!("{}went on {how} after {} s; ", row.compared, began.elapsed().as_secs());
    }

    /// Every poison record is set aside by both, and the alert behind it is out.
    async fn went_on(&self) -> bool {
        let letters = self.letters().await;
        CONSUMERS.iter().all(|consumer| letters.get(consumer.name()).is_some_and(|set_aside| set_aside.len() >= self.poisons.len()))
            && !self.slack.posts().is_empty()
    }

    /// Dead letters by the consumer that set them aside.
    async fn letters(&self) -> BTreeMap<String, BTreeSet<Vec<u8>>> {
        let topic = events::Topics::dead_letter(&self.mesh.stack.topics().results);
        let mut letters: BTreeMap<String, BTreeSet<Vec<u8>>> = BTreeMap::new();
        let config = kafka::KafkaConfig::new(&self.mesh.kafka, "faults");
        let found = kafka::newest_letters(&config, &topic, 1000, Duration::from_secs(20)).await.expect("letters");
        for letter in found.letters {
            letters.entry(letter.consumer).or_default().insert(letter.value.to_vec());
        }
        letters
    }

    async fn compare(&mut self, row: &mut Row) {
        let pool = self.mesh.stack.database().await.store.pool().clone();
        let began = Instant::now();
        let mut told = Told::new();
        while told != self.truth && began.elapsed() < Duration::from_secs(15) {
            tokio::time::sleep(Duration::from_millis(300)).await;
            told = stored(&pool, &mut Row::new("", "", "")).await;
        }
        told = stored(&pool, row).await;
        let differ = self.truth.iter().filter(|(place, truth)| told.get(place) != Some(truth)).count();
        row.require(differ == 0 && told.len() == self.truth.len(), || {
            format!("I2, history has {} slots, {} were written, {differ} differ", told.len(), self.truth.len())
        });
        for (consumer, set_aside) in self.letters().await {
            row.require(set_aside == self.poisons, || format!("{consumer}: {} dead letters of {}", set_aside.len(), self.poisons.len()));
        }
        let about: Vec<String> = self.slack.posts().iter().map(|post| post.text().to_owned()).collect();
        row.require(about.len() == 1, || format!("one target went down once, Slack has {about:?}"));
        let all = read_all(&self.mesh.kafka, &self.mesh.stack.topics().results).await.len();
        row.compared = format!("{}{all} records, {} slots, {} poison", row.compared, told.len(), self.poisons.len());
    }
}
