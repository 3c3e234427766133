//! The `tracer` program.

use std::process::ExitCode;

use clap::Parser;
use tracer::{
    cli::Cli,
    command::{self, Exit, UsageError},
    message::tell,
};

fn main() -> ExitCode {
    let exit = command::run(&Cli::parse()).unwrap_or_else(|error| {
        tell(&format!("error: {error:#}"));
        if error.is::<UsageError>() { Exit::Usage } else { Exit::Failed }
    });
    ExitCode::from(exit.code())
}
