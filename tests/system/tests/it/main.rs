//! Whole-system tests: each starts a mesh of real processes in a corner of its own, one after another.

#![expect(clippy::expect_used, reason = "a test that cannot go on says why and stops")]

mod bad_input;
mod broker_away;
mod cli;
mod killed;
mod one_process;
mod replayed;
mod story;
mod traced;

use tokio::sync::{Mutex, MutexGuard};

/// Held by each test while it runs: a promise of a second is not judged on two cores that two meshes share.
async fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::const_new(());
    ALONE.lock().await
}
