//! `tracer completions`: the script that lets a shell complete tracer's commands and options.

use anyhow::{Context as _, Result};
use clap::{Command, CommandFactory as _};
use clap_complete::Shell;

use super::Exit;
use crate::{
    cli::{Cli, Completions},
    message::print,
};

/// Prints the script for a shell.
///
/// # Errors
/// Nothing can be printed.
pub fn run(options: &Completions) -> Result<Exit> {
    print(&script(options.shell)?).context("the standard output could not be written")?;
    Ok(Exit::Complete)
}

/// The script for a shell.
///
/// # Errors
/// It is no text.
pub fn script(shell: Shell) -> Result<String> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut shown(&Cli::command()), "tracer", &mut script);
    String::from_utf8(script).context("the script is no text")
}

/// A command without what its help hides: scripts offer that as well.
fn shown(command: &Command) -> Command {
    let arguments = command.get_arguments().filter(|argument| !argument.is_hide_set());
    let commands = command.get_subcommands().filter(|command| !command.is_hide_set());
    let about = command.get_about().cloned().unwrap_or_default();
    Command::new(command.get_name().to_owned())
        .about(about)
        .args(arguments.cloned())
        .subcommands(commands.map(shown))
}
