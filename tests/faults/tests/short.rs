//! The table in short: a few trials of every row, the same oracle.

#[tokio::test(flavor = "multi_thread")]
async fn no_fault_of_the_short_table_breaks_a_promise() {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let options = faults::Options { seed, minutes: 4.0, only: Vec::new(), short: true };
    let rows = Box::pin(faults::run(&options)).await;
    for row in &rows {
        assert!(row.violations.is_empty(), "row {}, again with SEED={seed}: {:#?}", row.id, row.violations);
        assert!(row.exposures > 0, "row {} was never exposed: {:?}", row.id, row.places);
    }
}
