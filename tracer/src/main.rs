//! The `tracer` program.

use std::{env, process::ExitCode};

use tracer::{
    cli::Cli,
    command::{self, Exit, UsageError},
    message::print_err,
};

fn main() -> ExitCode {
    let cli = match Cli::read(env::args_os()) {
        Ok(cli) => cli,
        Err(mistyped) => return mistyped.report(),
    };
    let exit = command::run(&cli).unwrap_or_else(|error| {
        print_err(&format!("error: {error:#}"));
        if error.is::<UsageError>() { Exit::Usage } else { Exit::Failed }
    });
    ExitCode::from(exit.code())
}
