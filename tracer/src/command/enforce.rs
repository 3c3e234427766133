//! `tracer enforce`: a command under a profile.

use std::{
    env, fs,
    io::{Write, stderr},
    path::Path,
};

use anyhow::{Context, Result, bail};

use super::{
    Exit,
    lookup::{LookUpError, look_up},
};
use crate::{
    cli::Enforce,
    kernel::{Enforced, Program, exec_under, leave},
    profile::{
        capability::Capability,
        filter::{self, Instruction},
        oci::{self, Flag},
        policy::{Host, Policy},
    },
    syscalls::{self, Abi},
    text::{escape, escape_path},
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
    let prepared = prepare(&options.profile).and_then(|(instructions, flags)| {
        let arguments = options.command.clone();
        let program = Program::new(path.clone().into(), arguments, env::vars_os().collect());
        Ok((program.context("the command line")?, instructions, flags))
    });
    let (program, instructions, flags) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => {
            tell(&format!("error: {error:#}"));
            return Exit::NotEnforced;
        }
    };
    match exec_under(&program, &instructions, &flags) {
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

/// The filter of a profile, and the flags it is loaded with.
fn prepare(path: &Path) -> Result<(Vec<Instruction>, Vec<Flag>)> {
    let place = || format!("profile {}", escape_path(path));
    let bytes = fs::read(path).with_context(place)?;
    let profile = oci::read(&bytes).with_context(place)?;
    let policy = Policy::new(&profile, &host()?).with_context(place)?;
    let unknown: Vec<String> = policy.unknown_names().map(escape).collect();
    if !unknown.is_empty() {
        let unknown = unknown.join(", ");
        tell(&format!("warning: {}: no system calls, without effect: {unknown}", place()));
    }
    let execve = syscalls::number(Abi::X86_64, "execve").and_then(|it| u32::try_from(it).ok());
    let verdict = policy.decide(Abi::X86_64, execve.unwrap_or_default(), &[1; 6]);
    if !verdict.lets_pass() {
        bail!(
            "{}: execve is not allowed, so that nothing can be started under it\n\nhint: allow execve, and what the program needs to start",
            place()
        );
    }
    let instructions = filter::compile(&policy).with_context(place)?;
    Ok((instructions, policy.flags().unwrap_or_default().to_vec()))
}

/// What the conditions of the profile are judged by.
fn host() -> Result<Host> {
    let status = fs::read_to_string("/proc/self/status").context("/proc/self/status")?;
    let mask = status.lines().find_map(|line| line.strip_prefix("CapBnd:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    let mask = mask.context("/proc/self/status has no CapBnd line")?;
    let name = rustix::system::uname();
    let release = name.release().to_string_lossy();
    let mut numbers = release.split(|char: char| !char.is_ascii_digit()).map(str::parse);
    let (Some(Ok(major)), Some(Ok(minor))) = (numbers.next(), numbers.next()) else {
        bail!("the kernel's release {} does not begin with two numbers", escape(&release));
    };
    Ok(Host { capabilities: Capability::from_mask(mask).collect(), kernel: (major, minor) })
}

/// Tells it on the standard error, if that is possible.
fn tell(message: &str) {
    let _ = writeln!(stderr(), "{message}");
}
