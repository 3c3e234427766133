//! `tracer enforce`: a command under a profile.

use std::{env, path::Path};

use anyhow::{Context, Result};

use super::{
    capabilities::CapabilityBasis,
    exit::Exit,
    lookup::{LookUpError, look_up},
    meaning, privileges,
    profile_file::ProfileFile,
    usage::UsageError,
};
use crate::{
    cli::Enforce,
    message::{print, print_err},
    sys::{EnforceError, Filter, Program, exec_under, leave},
    text::escape_path,
};

/// Becomes the command, under the profile. Returns only when that fails, or when nothing was to be
/// run; an error has been printed then.
pub fn run(options: &Enforce) -> Exit {
    let path = match options.command.first().map(|name| look_up(Path::new(name))).transpose() {
        Ok(path) => path,
        Err(error) => {
            print_err(&format!("error: {error}"));
            return match error {
                LookUpError::NotFound { .. } => Exit::NotFound,
                LookUpError::NotExecutable { .. } => Exit::NotExecutable,
            };
        }
    };
    let prepared = prepare(options);
    let (profile, filter) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => {
            print_err(&format!("error: {error:#}"));
            let usage = error.downcast_ref::<UsageError>().is_some();
            return if usage { Exit::Usage } else { Exit::NotEnforced };
        }
    };
    match path {
        Some(path) if !options.check => execute(options, &path, &filter),
        _ => check(options, &profile, &filter),
    }
}

/// Reads and judges the profile, and makes a filter of it.
fn prepare(options: &Enforce) -> Result<(ProfileFile, Filter)> {
    let basis =
        options.caps.as_deref().map_or_else(CapabilityBasis::own, CapabilityBasis::typed)?;
    let profile = ProfileFile::read(options.profile(), basis)?;
    if let Some(note) = profile.capabilities_note() {
        print_err(&note);
    }
    let filter = privileges::filter(options.privileges, &options.command, &profile, false)?;
    // What is only checked may be started in either way.
    let filter = filter.map_or_else(|| profile.filter(true), Ok)?;
    Ok((profile, filter))
}

/// Tells what the profile means, and runs nothing.
fn check(options: &Enforce, profile: &ProfileFile, filter: &Filter) -> Exit {
    let path = escape_path(options.profile());
    let meaning = format!("{path}: it can be used\n{}", meaning::of(&profile.policy, filter));
    match print(&meaning).context("printing") {
        Ok(()) => Exit::Complete,
        Err(error) => {
            print_err(&format!("error: {error:#}"));
            Exit::NotEnforced
        }
    }
}

fn execute(options: &Enforce, path: &Path, filter: &Filter) -> Exit {
    let environment = env::vars_os().collect();
    let program = Program::new(path.into(), options.command.clone(), environment);
    let program = match program.context("the command line") {
        Ok(program) => program,
        Err(error) => {
            print_err(&format!("error: {error:#}"));
            return Exit::NotEnforced;
        }
    };
    match exec_under(&program, filter) {
        EnforceError::NotLoaded { call, source } => {
            print_err(&format!("error: the profile could not be loaded: {call}: {source}"));
            Exit::NotEnforced
        }
        EnforceError::LoadedButExecFailed(error) => {
            print_err(&format!(
                "error: {} could not be executed under the profile: {error}",
                escape_path(path)
            ));
            // Nothing more than that: the profile may not allow it.
            leave(Exit::NotExecutable.code())
        }
    }
}
