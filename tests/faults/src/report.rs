//! docs/reliability.md: the table and how it was made.

use std::fmt::Write;
use std::time::Duration;

use crate::{Options, Row};

/// The document.
pub fn document(options: &Options, rows: &[Row], took: Duration) -> String {
    let mut text = String::new();
    let date = chrono::DateTime::from_timestamp_millis(system_tests::now()).unwrap_or_default().format("%Y-%m-%d");
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let seed = options.seed;
    let minutes = options.minutes;
    let _ = write!(
        text,
        "# What faults do to it\n\n\
         Measured on {date} by `SEED={seed} MINUTES={minutes} make faults` ({} min, {cores} cores, one machine). Written by that command.\n\n\
         Real binaries, Apache Kafka, PostgreSQL and Redis on loopback; Slack and the webhook's receiver are fakes that keep a ledger, targets \
         are a farm that keeps one too. A trial is one fault; an exposure is a trial in which it provably landed where it was aimed (the \
         process died at that very point and said so, the connection was cut in that COMMIT). After each batch of trials everything is left \
         in peace, and the truth, Kafka, PostgreSQL, Redis and the ledgers are compared as sets. The bound is the 95 % upper limit of the \
         probability that one exposure breaks the promise (Clopper–Pearson; 3/n where nothing broke). One seed gives workload and schedule; \
         what the operating system interleaves differs from run to run.\n\n\
         | row | fault | promise | trials | exposures | violations | 95 % upper bound |\n\
         | --- | --- | --- | ---: | ---: | ---: | ---: |\n",
        took.as_secs() / 60,
    );
    for row in rows {
        let bound = row.bound().map_or_else(|| "not exposed".to_owned(), |bound| format!("{:.2} %", bound * 100.0));
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {bound} |",
            row.id,
            row.fault,
            row.promise,
            row.trials,
            row.exposures,
            row.violations.len()
        );
    }
    text.push_str("\n## Where the faults landed, and what was compared\n\n");
    for row in rows {
        let places: Vec<String> = row.places.iter().map(|(place, count)| format!("{place} {count}")).collect();
        let _ =
            writeln!(text, "- **{}** ({} s): {}. Compared: {}.", row.id, row.took.as_secs(), places.join(", "), row.compared.trim_end());
    }
    for row in rows.iter().filter(|row| !row.never_hit().is_empty()) {
        let _ = writeln!(text, "- Aimed at in row {} and never hit this time: {}.", row.id, row.never_hit().join(", "));
    }
    let broken: Vec<(&Row, &String)> = rows.iter().flat_map(|row| row.violations.iter().map(move |what| (row, what))).collect();
    if !broken.is_empty() {
        text.push_str("\n## Violations\n\n");
        for (row, what) in broken.iter().take(40) {
            let _ = writeln!(text, "- **{}**: {what}", row.id);
        }
    }
    text.push_str(
        "\n## What this does not show\n\n\
         One machine is one power domain and one broker is one replica: this shows what deaths of processes, pauses, outages and cut \
         connections do, not loss of disks or power. Kafka is told of a dead consumer at once in the rows of crash points, to fit more \
         trials into a minute; in the rows of the whole mesh it finds out by itself. Slack is a fake. Long outages are \
         simulated by rate: results every 10 s stand for one every minute, so 150 s of 600 monitors are half an hour of 300, and what a channel is not sent for half an hour is made due at once, a dump is 100 s \
         old for ten minutes, PostgreSQL is away for a minute. The full disk is a file system in memory. A wrong clock is added to the \
         service's own, which asks nothing else for the time (a webhook's signature does). In the rows O1 and O2 nothing is broken but the \
         truth: they show that the comparison would notice. `make test` runs the table in short, of the rows of single services and the whole \
         mesh only; the others take minutes. MINUTES is a budget: trials fill what the rows leave that have a length of their own. On two cores \
         those take about twelve minutes; with fewer it ends later than asked for.\n",
    );
    text
}
