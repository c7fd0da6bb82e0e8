//! `upmesh keys`: what is sealed under which key, sealing it anew, giving up what no key opens.

mod forget;
mod reseal;
mod show;
mod status;

use clap::{Args, Subcommand};
use service::{Env, Error};
use users::keys::Keys;

#[derive(Debug, Args)]
#[command(
    after_help = "Settings are those of users: DATABASE_URL, SECRET_KEY (two keys, separated by a comma, while it is changed: the first seals, both open)."
)]
pub struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Count what is sealed under which key and name what no key opens; ends with code 1 where there is such a thing.
    Status(status::Options),
    /// Seal everything under the first key, while the mesh runs; ends with code 1 where something is not.
    Reseal,
    /// Give up the secrets that no key opens: shows whose, and with --yes pauses those monitors.
    Forget(forget::Options),
}

pub async fn run(env: Env, options: Options) -> Result<(), Error> {
    let keys = Keys::read(&env)?;
    match options.what {
        What::Status(options) => status::run(&keys, &options).await,
        What::Reseal => reseal::run(&keys).await,
        What::Forget(options) => forget::run(&keys, &options).await,
    }
}
