//! `make bench`: what the mesh costs, each figure as a share of a bare loop run back to back on the same
//! machine. `--short` runs smaller sizes and prints the table; it judges no time.

mod anchors;
mod child;
mod cores;
mod cpu;
mod measures;
mod report;
mod roles;
mod stats;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(about = "Measures the mesh against bare loops on loopback")]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    options: measures::Options,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// One part of a measurement in a process of its own.
    #[command(hide = true)]
    Role {
        #[command(subcommand)]
        role: roles::Role,
    },
}

fn main() -> anyhow::Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let arguments = Arguments::parse();
    // One thread each: a loop's figure is that of one core, and the conductor only waits.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match arguments.command {
        Some(Command::Role { role }) => runtime.block_on(role.run()),
        None => runtime.block_on(measures::run(arguments.options)),
    }
}
