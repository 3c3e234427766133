//! `tracer enforce`: a command under a profile.

use std::{env, path::Path};

use anyhow::Context;

use super::{
    Exit,
    lookup::{LookUpError, look_up},
    profile_file::ProfileFile,
};
use crate::{
    cli::Enforce,
    kernel::{Enforced, Program, exec_under, leave},
    message::tell,
    text::escape_path,
};

/// Becomes the command, under the profile. Returns only when that fails; the error has been told then.
pub fn run(options: &Enforce) -> Exit {
    let Some(name) = options.command.first() else { return Exit::Usage };
    let path = match look_up(Path::new(name)) {
        Ok(path) => path,
        Err(error) => {
            tell(&format!("error: {error}"));
            return match error {
                LookUpError::NotFound { .. } => Exit::NotFound,
                LookUpError::NotExecutable { .. } => Exit::NotExecutable,
            };
        }
    };
    let prepared = ProfileFile::read(&options.profile).and_then(|profile| {
        let arguments = options.command.clone();
        let program = Program::new(path.clone().into(), arguments, env::vars_os().collect());
        Ok((program.context("the command line")?, profile.filter()?))
    });
    let (program, filter) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => {
            tell(&format!("error: {error:#}"));
            return Exit::NotEnforced;
        }
    };
    match exec_under(&program, &filter.instructions, &filter.flags) {
        Enforced::Not { call, source } => {
            tell(&format!("error: the profile could not be loaded: {call}: {source}"));
            Exit::NotEnforced
        }
        Enforced::ButNotExecuted(error) => {
            tell(&format!(
                "error: {} could not be executed under the profile: {error}",
                escape_path(&path)
            ));
            // Nothing more than that: the profile may not allow it.
            leave(Exit::NotExecutable.code())
        }
    }
}
