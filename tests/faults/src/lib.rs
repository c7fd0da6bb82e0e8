//! The instrument: real binaries, real Kafka, PostgreSQL and Redis on loopback; processes that die exactly
//! between an effect and its record, stores and channels that misbehave; and an oracle that waits for quiet
//! and compares what happened with what is told, as sets. Everything random follows from one printed seed.
//!
//! Signals go only to processes this program started. The binaries must be built with
//! `--features service/failpoints` (`scripts/faults` and `scripts/test` do).

#![expect(
    clippy::missing_panics_doc,
    clippy::expect_used,
    clippy::print_stderr,
    clippy::indexing_slicing,
    reason = "a rig that cannot go on says why and stops; it tells its progress"
)]

mod group;
mod history;
mod log;
mod proxy;
mod report;
mod row;
mod rows;
mod seed;
mod victim;

use std::time::{Duration, Instant};

use futures::future::join_all;

pub use proxy::{Proxy, Trouble};
pub use report::document;
pub use row::Row;
pub use seed::Seed;

use rows::{alerts, changes, network, outage, poison, processing, storm};

/// What to run.
#[derive(Debug, Clone)]
pub struct Options {
    pub seed: u64,
    /// The table ends about then.
    pub minutes: f64,
    /// Only the groups named (alerts, processing, changes, cuts, stores or single rows of it, poison, outage, network, rolls, mesh); empty means all.
    pub only: Vec<String>,
    /// Few trials of each: for `make test`.
    pub short: bool,
}

/// Runs the table; the rows in its order. Half of the time goes to single services, two meshes side by
/// side as they mostly wait, the other half to the whole mesh; beside all of it, one whose stores fail.
pub async fn run(options: &Options) -> Vec<Row> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let seed = Seed::new(options.seed);
    let began = Instant::now();
    let wanted = |name: &str| options.only.is_empty() || options.only.iter().any(|only| only == name);
    let until = |share: f64| began + Duration::from_secs_f64(options.minutes * 60.0 * share);
    let most = |short: u64| if options.short { short } else { u64::MAX };
    let one = async {
        let mut rows = Vec::new();
        if wanted("alerts") {
            eprintln!("alerter: crash points × channels");
            // Three meshes, as they mostly wait: for leases, for Slack's pace.
            let lanes = if options.short { 1 } else { 3 };
            let seeds: Vec<Seed> = (0..lanes).map(|lane| seed.branch(&format!("lane {lane}"))).collect();
            let lanes = join_all(seeds.iter().map(|seed| alerts::run(seed, until(0.4), most(14)))).await;
            rows.extend(
                lanes
                    .into_iter()
                    .reduce(|all, lane| all.into_iter().zip(lane).map(|(row, other)| row.with(other)).collect())
                    .unwrap_or_default(),
            );
        }
        rows
    };
    let other = async {
        let mut rows = Vec::new();
        if wanted("processing") {
            eprintln!("processor: crash points");
            rows.extend(processing::run(&seed, until(0.15), most(11)).await);
        }
        if wanted("changes") {
            eprintln!("users: crash points");
            rows.extend(changes::run(&seed, until(0.3), most(7)).await);
        }
        if wanted("cuts") {
            eprintln!("COMMITs cut, stores in trouble");
            rows.extend(alerts::cuts(&seed, until(0.34), most(1)).await);
            rows.extend(processing::cuts(&seed, until(0.38), most(1)).await);
            rows.extend(changes::cuts(&seed, until(0.41), most(1)).await);
            rows.extend(processing::stores(&seed, until(0.46), most(1)).await);
        }
        rows
    };
    // Beside all the others on two cores these take longer than a test may: in short they run only where they are named.
    let alone = |name: &str| wanted(name) && !(options.short && options.only.is_empty());
    // Stores, disks and clocks: a mesh of its own, beside one that writes poison, then one whose Kafka goes away.
    let stores = async {
        let mut rows = Vec::new();
        let short = options.short;
        let faults: &[storm::Fault] = if short { &storm::Fault::SHORT } else { &storm::Fault::ALL };
        let kinds: Vec<storm::Kind> =
            faults.iter().filter(|fault| alone("stores") || alone(fault.row().id)).map(|fault| storm::Kind::Disturb(*fault)).collect();
        if !kinds.is_empty() {
            eprintln!("disks, stores and clocks");
            let amount = storm::Amount { disturbances: disturbances(options), ..storm::Amount::SHORT };
            rows.extend(storm::run(&seed, &kinds, amount).await);
        }
        rows
    };
    let floods = async {
        let mut rows = Vec::new();
        if alone("poison") {
            eprintln!("poison");
            rows.extend(poison::run(&seed, !options.short).await);
        }
        // Two and a half minutes cannot be made short.
        if wanted("outage") && !options.short {
            eprintln!("Kafka away for half an hour's results");
            rows.extend(outage::run(&seed).await);
        }
        if alone("network") {
            eprintln!("the prober's network cut, real storms");
            rows.extend(network::run(&seed, if options.short { 1 } else { 3 }).await);
        }
        // In short a single round of it is among the mesh's.
        if wanted("rolls") && !options.short {
            eprintln!("rolling restarts");
            rows.extend(
                storm::run(&seed, &[storm::Kind::Roll], storm::Amount { rolls: rolls(options.minutes), ..storm::Amount::SHORT }).await,
            );
        }
        rows
    };
    if options.short {
        // All at once: none needs the processor for itself.
        let mesh = async { if wanted("mesh") { storm::run(&seed, &storm::Kind::SHORT, storm::Amount::SHORT).await } else { Vec::new() } };
        let (one, other, mesh, stores, floods) =
            tokio::join!(Box::pin(one), Box::pin(other), Box::pin(mesh), Box::pin(stores), Box::pin(floods));
        return [one, other, mesh, stores, floods].concat();
    }
    // The stores' mesh takes nearly all of the time; it mostly waits, too.
    let main = async {
        let (mut rows, others) = tokio::join!(Box::pin(one), Box::pin(other));
        rows.extend(others);
        if wanted("mesh") {
            eprintln!("the whole mesh: pinger crash points, kills, pauses, FLUSHALL, broker, rebalances");
            // What heals and compares after each kind takes about 40 s, six times.
            let left = until(1.0).saturating_duration_since(Instant::now()).as_secs_f64() / 60.0 - 4.0;
            rows.extend(storm::run(&seed, &storm::Kind::ALL, storm::Amount::of(left.max(0.5))).await);
        }
        rows
    };
    let (main, stores, floods) = tokio::join!(Box::pin(main), Box::pin(stores), Box::pin(floods));
    [main, stores, floods].concat()
}

/// Rounds of rolling restarts in a table of `minutes`: twenty in the usual one.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few minutes")]
fn rolls(minutes: f64) -> u64 {
    (minutes as u64).clamp(2, 20)
}

/// How often each disturbance is tried; once in short.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few minutes")]
fn disturbances(options: &Options) -> u64 {
    if options.short { 1 } else { ((options.minutes / 5.0) as u64).max(2) }
}
