//! The binary: see `frontdesk --help`.

use std::process::ExitCode;

use clap::Parser as _;
use frontdesk::cli::Cli;

fn main() -> ExitCode {
    match Cli::parse().run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("frontdesk: {error:#}");
            ExitCode::FAILURE
        }
    }
}
