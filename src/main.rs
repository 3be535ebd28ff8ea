//! The binary: see `frontdesk --help`.

use std::process::ExitCode;

use clap::Parser as _;
use frontdesk::cli::Cli;

fn main() -> ExitCode {
    Cli::parse().run()
}
