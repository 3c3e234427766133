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
/// The variables are passed as arguments of `env`, because sudo may drop those of its own environment.
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
    command.arg("--");
    let assignments: Vec<OsString> = variables.into_iter().map(assignment).collect();
    if !assignments.is_empty() {
        command.arg("env").args(assignments);
    }
    command.arg(program);
    Ok(command)
}

/// Becomes the program, so that signals, its standard streams and its end reach the caller with nothing between.
///
/// A shell reports a death by signal as 128 plus its number, as for any program. Returns only when it cannot be started.
pub(crate) fn become_program(command: &mut Command) -> Error {
    let error = command.exec();
    let hint =
        if command.get_program() == "sudo" { "\n\nhint: run as root, or install sudo" } else { "" };
    Error::new(error).context(format!("failed to start: {}{hint}", describe(command)))
}

fn is_root() -> Result<bool> {
    let process = fs::metadata("/proc/self").context("failed to read the owner of /proc/self")?;
    Ok(process.uid() == 0)
}

fn assignment((name, value): (&str, OsString)) -> OsString {
    let mut assignment = OsString::from(name);
    assignment.push("=");
    assignment.push(value);
    assignment
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assignment_keeps_the_value_as_it_is() {
        assert_eq!(assignment(("A", "b c=d".into())), "A=b c=d");
    }
}
