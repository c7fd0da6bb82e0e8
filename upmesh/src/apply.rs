//! `upmesh apply FILE`: monitors as a file. The plan is shown, then made so.

mod difference;
mod file;
mod plan;
mod show;

use std::collections::BTreeMap;
use std::io::{BufRead, IsTerminal, Write};
use std::path::PathBuf;

use clap::Args;
use model::{MonitorId, MonitorSpec};
use reqwest::Method;
use serde::Deserialize;
use service::Error;

use crate::api::{Access, Api};
use plan::{Existing, Plan, Step};

#[derive(Debug, Args)]
pub struct Options {
    /// YAML or JSON: `monitors:` with a list of monitors, as in examples/monitors.yaml.
    file: PathBuf,
    /// Delete the monitors that the file does not name.
    #[arg(long)]
    prune: bool,
    /// Show the plan and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Do not ask before deleting.
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    access: Access,
}

/// After so many refusals something is wrong with more than a monitor.
const MOST_FAILURES: usize = 10;

/// Reads, plans, shows, makes it so. Nothing is sent before the whole file was found valid.
pub async fn run(options: Options) -> Result<(), Error> {
    let wanted = file::read(&options.file)?;
    options.access.session(async |api| make_so(wanted, api, &options).await).await
}

async fn make_so(wanted: Vec<MonitorSpec>, api: &Api, options: &Options) -> Result<(), Error> {
    let plan = plan::plan(wanted, existing(api).await?, options.prune)?;
    let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    say(&show::plan(&plan, colour));
    if options.dry_run || plan.is_empty() {
        return Ok(());
    }
    let deletions = plan.count(|step| matches!(step, Step::Delete { .. }));
    if deletions > 0 && !options.yes && !agreed(deletions)? {
        return Err(Error::msg("nothing was changed"));
    }
    carry_out(api, &plan).await
}

/// What `GET /api/monitors` gives, as far as it matters here.
#[derive(Deserialize)]
struct Page {
    monitors: Vec<Existing>,
    next_cursor: Option<String>,
}

async fn existing(api: &Api) -> Result<Vec<Existing>, Error> {
    let mut all = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let path = match &cursor {
            None => "/api/monitors?limit=200".to_owned(),
            // Cursors are URL-safe base64.
            Some(cursor) => format!("/api/monitors?limit=200&cursor={cursor}"),
        };
        let page: Page = api.get(&path).await?;
        all.extend(page.monitors);
        match page.next_cursor {
            Some(next) if cursor.as_ref() != Some(&next) => cursor = Some(next),
            _ => return Ok(all),
        }
    }
}

async fn carry_out(api: &Api, plan: &Plan) -> Result<(), Error> {
    let (mut done, mut failures) = (0_usize, Vec::new());
    let mut warnings: BTreeMap<String, usize> = BTreeMap::new();
    for step in &plan.steps {
        let result = match step {
            Step::Create { spec } => send(api, Method::POST, None, Some(spec), None).await,
            Step::Update { id, revision, spec, .. } => send(api, Method::PUT, Some(*id), Some(spec), Some(*revision)).await,
            Step::Delete { id, .. } => send(api, Method::DELETE, Some(*id), None, None).await,
        };
        match result {
            Ok(told) => {
                done += 1;
                for warning in told {
                    *warnings.entry(warning).or_default() += 1;
                }
            }
            Err(error) => failures.push(format!("{}: {error}", step.name())),
        }
        if failures.len() >= MOST_FAILURES {
            break;
        }
    }
    for (warning, count) in warnings {
        say(&format!("Warning ({}): {warning}.\n", show::monitors(count)));
    }
    let total = plan.steps.len();
    if failures.is_empty() {
        say(&format!("Done: {done} of {total} changes made.\n"));
        return Ok(());
    }
    Err(Error::msg(format!(
        "{done} of {total} changes were made, these were not:\n  {}\nrun it again once they are mended; what is done stays done",
        failures.join("\n  ")
    )))
}

/// What a change is answered with, as far as it matters here; a deletion has no answer.
#[derive(Deserialize)]
struct Changed {
    #[serde(default)]
    warnings: Vec<String>,
}

/// Makes a change. Gives what the mesh warns of.
async fn send(
    api: &Api,
    method: Method,
    id: Option<MonitorId>,
    spec: Option<&MonitorSpec>,
    revision: Option<i64>,
) -> Result<Vec<String>, Error> {
    let path = id.map_or_else(|| "/api/monitors".to_owned(), |id| format!("/api/monitors/{id}"));
    let body = spec.map(serde_json::to_value).transpose()?;
    // Only what is as we saw it is replaced: a change made meanwhile by hand is not lost unseen.
    let changed: Option<Changed> = api.call_if(method, &path, body.as_ref(), revision).await?;
    Ok(changed.map(|changed| changed.warnings).unwrap_or_default())
}

/// Asks the person; without one, says what to do.
fn agreed(deletions: usize) -> Result<bool, Error> {
    if !std::io::stdin().is_terminal() {
        return Err(Error::msg(format!("{deletions} monitors would be deleted: confirm with --yes")));
    }
    say(&format!("Delete {deletions} monitors? [y/N] "));
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

/// A closed pipe (`upmesh apply … | head`) is no failure.
fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
