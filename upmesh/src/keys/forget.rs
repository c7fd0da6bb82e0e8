//! `upmesh keys forget`: the plan is shown, and made so with `--yes`.

use clap::Args;
use model::{Clock, SystemClock};
use service::Error;
use users::keys::Keys;

use super::show;
use crate::output;

/// After so many something is wrong with more than a monitor.
const MOST_FAILURES: usize = 10;

#[derive(Debug, Args)]
pub struct Options {
    /// Do it: what is given up cannot be had back.
    #[arg(long, short)]
    yes: bool,
    /// Also where SECRET_KEY opens none of the monitors that are sealed: as a rule it is then another key, not a lost one.
    #[arg(long)]
    all: bool,
}

pub async fn run(keys: &Keys, options: &Options) -> Result<(), Error> {
    let census = keys.census().await?;
    output::print(&show::plan(&census));
    if census.lost.is_empty() {
        return Ok(());
    }
    if !options.yes {
        return Err(Error::msg(
            "nothing was changed: give SECRET_KEY the key they were sealed with beside the first, or confirm with --yes",
        ));
    }
    if !options.all && census.monitors.current + census.monitors.former == 0 {
        return Err(Error::msg(
            "nothing was changed: SECRET_KEY opens none of the monitors that are sealed, so it is probably the wrong one. If all of their \
             secrets are to be given up, confirm with --yes --all",
        ));
    }
    let (mut done, mut failures) = (0, Vec::new());
    for lost in &census.lost {
        match keys.forget(lost, SystemClock.now_ms()).await {
            Ok(paused) => done += u64::from(paused),
            Err(error) => failures.push(format!("{}: {error}", lost.id)),
        }
        if failures.len() >= MOST_FAILURES {
            break;
        }
    }
    output::print(&format!("Done: {} paused. Enter their keys again, then resume them.\n", show::monitors(done)));
    if failures.is_empty() {
        return Ok(());
    }
    Err(Error::msg(format!("these were not paused, run it again for the rest:\n  {}", failures.join("\n  "))))
}
