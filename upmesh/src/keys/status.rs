//! `upmesh keys status`.

use clap::Args;
use service::Error;
use users::keys::Keys;

use super::show;
use crate::output;

#[derive(Debug, Args)]
pub struct Options {
    /// Print JSON instead.
    #[arg(long)]
    json: bool,
}

pub async fn run(keys: &Keys, options: &Options) -> Result<(), Error> {
    let census = keys.census().await?;
    output::print(&if options.json { serde_json::to_string_pretty(&census)? + "\n" } else { show::text(&census) });
    show::judge(&census)
}
