//! Whole-system tests: each starts a mesh of real processes in a corner of its own. They mostly wait, so they run side by side.

#![expect(clippy::expect_used, reason = "a test that cannot go on says why and stops")]

mod bad_input;
mod broker_away;
mod killed;
mod one_process;
mod replayed;
mod story;
mod traced;
