//! What needs privileges: only finished programs are run as root, never cargo.

use std::{
    ffi::{OsStr, OsString},
    fs,
    os::unix::{fs::MetadataExt as _, process::CommandExt as _},
    process::Command,
};

use anyhow::{Context as _, Error, Result};

use crate::{command::describe, workspace::Workspace};

/// A program to run as root: directly when xtask runs as root, else through sudo.
///
/// The variables are passed as arguments of `env`, because sudo may drop those of its own
/// environment.
pub(crate) fn command<'variable>(
    workspace: &Workspace,
    program: impl AsRef<OsStr>,
    variables: impl IntoIterator<Item = (&'variable str, OsString)>,
) -> Result<Command> {
    if is_root()? {
        let mut command = workspace.command(program);
        command.envs(variables);
        return Ok(command);
    }
    let mut command = workspace.command("sudo");
    command.args(sudo_arguments(program.as_ref(), variables));
    Ok(command)
}

/// Becomes the program, so that signals, its standard streams and its end reach the caller with
/// nothing between.
///
/// A shell reports a death by signal as 128 plus its number, as for any program. Returns only when
/// it cannot be started.
pub(crate) fn become_program(command: &mut Command) -> Error {
    let error = command.exec();
    let hint =
        if command.get_program() == "sudo" { "\n\nhint: run as root, or install sudo" } else { "" };
    Error::new(error).context(format!("failed to start: {}{hint}", describe(command)))
}

/// Whether xtask runs as root.
pub(crate) fn is_root() -> Result<bool> {
    let process = fs::metadata("/proc/self").context("failed to read the owner of /proc/self")?;
    Ok(process.uid() == 0)
}

fn sudo_arguments<'variable>(
    program: &OsStr,
    variables: impl IntoIterator<Item = (&'variable str, OsString)>,
) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = vec!["--".into()];
    let mut variables = variables.into_iter().peekable();
    if variables.peek().is_some() {
        arguments.push("env".into());
    }
    for (name, value) in variables {
        let mut assignment = OsString::from(name);
        assignment.push("=");
        assignment.push(value);
        arguments.push(assignment);
    }
    arguments.push(program.into());
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sudo_runs_the_program_alone() {
        assert_eq!(sudo_arguments(OsStr::new("/t/tracer"), []), ["--", "/t/tracer"]);
    }

    #[test]
    fn sudo_hands_variables_on_as_they_are() {
        let arguments = sudo_arguments(OsStr::new("/t/kernel"), [("A", "b c=d".into())]);
        assert_eq!(arguments, ["--", "env", "A=b c=d", "/t/kernel"]);
    }
}
