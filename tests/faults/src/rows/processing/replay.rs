//! History and live state are built anew from the log while results go on to come: after a part of history was lost, while the
//! processor is killed, while the replay itself is.

use std::process::Command;
use std::time::{Duration, Instant};

use system_tests::{Process, Service, binary};

use super::Processing;
use crate::row::Row;
use crate::seed::Seed;
use crate::victim::Victim;

/// Writes before the first replay, so that it has something to read.
const BACKLOG: usize = 600;
const PATIENCE: Duration = Duration::from_secs(120);

/// `rounds` replays; then a proof that what is compared is seen.
pub async fn replay(seed: &Seed, rounds: u64) -> Vec<Row> {
    let began = Instant::now();
    let mut row = Row::new(
        "23",
        "`upmesh replay` under live traffic: history lost before, processor killed meanwhile, replay killed",
        "history and live state are those of the log; nothing is lost or counted twice",
    );
    let mut work = Processing::start(seed.branch("replay"), None, None).await;
    for _ in 0..BACKLOG {
        work.write(false).await;
    }
    work.settle(&mut row).await;
    for round in 0..rounds {
        work.replayed(round, &mut row).await;
        work.settle(&mut row).await;
        eprintln!("  replay: {} rounds; {}", row.trials, row.compared);
    }
    row.took = began.elapsed();
    let proof = work.proof().await;
    vec![row, proof]
}

impl Processing {
    async fn replayed(&mut self, round: u64, row: &mut Row) {
        row.trials += 1;
        let victim = Victim::of(Service::Processor);
        if round.is_multiple_of(2) {
            // While nobody has it in memory.
            let pool = self.mesh.stack.database().await.store.pool();
            let lost = sqlx::query("DELETE FROM history_blocks WHERE hour < now() - interval '2 hours'").execute(pool).await;
            row.require(lost.is_ok_and(|lost| lost.rows_affected() > 0), || "no history was lost".to_owned());
            row.exposed("history lost before");
        }
        victim.start(&mut self.mesh, None);
        self.mesh.ready_one(Service::Processor, 0).await;
        if round % 3 == 1 {
            let after = Duration::from_millis(100 + self.seed.below(1500));
            if self.run(Some(after), false, row).await {
                row.exposed("replay killed");
            }
        }
        let finished = self.run(None, round % 3 == 2, row).await;
        row.require(!finished, || "the replay was killed".to_owned());
        self.mesh.kill9(Service::Processor, 0);
        victim.bury(&self.mesh).await;
    }

    /// Results go on to come while `upmesh replay` runs; whether it was killed, after `kill_after`.
    async fn run(&mut self, kill_after: Option<Duration>, processor_dies: bool, row: &mut Row) -> bool {
        let environment = self.mesh.environment(Service::Processor);
        let directory = tempfile::tempdir().expect("a directory");
        let mut command = Command::new(binary("upmesh"));
        command.arg("replay");
        let mut replay = Process::start("upmesh", command, &environment, directory.path());
        let (began, mut writes) = (Instant::now(), 0);
        loop {
            if let Some(status) = replay.ended() {
                row.require(status.success(), || format!("replay ended with {status}: {}", replay.tail(5)));
                return false;
            }
            if kill_after.is_some_and(|after| began.elapsed() > after) {
                replay.kill9();
                return true;
            }
            if began.elapsed() > PATIENCE {
                replay.kill9();
                row.violated(format!("the replay did not end: {}", replay.tail(5)));
                return true;
            }
            self.write(false).await;
            writes += 1;
            if processor_dies && writes == 2 {
                self.mesh.kill9(Service::Processor, 0);
                Victim::of(Service::Processor).bury(&self.mesh).await;
                Victim::of(Service::Processor).start(&mut self.mesh, None);
                row.exposed("processor killed");
            }
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
    }
}
