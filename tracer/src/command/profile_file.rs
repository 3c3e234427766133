//! A profile from a file: what it means here, and the filter that it becomes.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

use crate::{
    kernel::Filter,
    preflight,
    profile::{
        capability::Capability,
        filter, oci,
        policy::{Host, Policy},
    },
    syscalls::{self, Abi},
    text::{escape, escape_path},
};

/// A profile that was read, with its meaning on this host.
pub(super) struct ProfileFile {
    path: PathBuf,
    /// The file as it is.
    pub(super) bytes: Vec<u8>,
    /// What it means.
    pub(super) policy: Policy,
}

impl ProfileFile {
    /// Reads a profile. Names without effect are told.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let place = || place(path);
        let bytes = fs::read(path).with_context(place)?;
        let profile = oci::read(&bytes).with_context(place)?;
        let policy = Policy::new(&profile, &host()?).with_context(place)?;
        let unknown: Vec<String> = policy.unknown_names().map(escape).collect();
        if !unknown.is_empty() {
            let unknown = unknown.join(", ");
            crate::message::tell(&format!(
                "warning: {}: no system calls, without effect: {unknown}",
                place()
            ));
        }
        Ok(Self { path: path.to_owned(), bytes, policy })
    }

    /// The filter, for a command that is to be started under it.
    pub(super) fn filter(&self) -> Result<Filter> {
        let place = || place(&self.path);
        let execve = syscalls::number(Abi::X86_64, "execve").and_then(|it| u32::try_from(it).ok());
        let verdict = self.policy.decide(Abi::X86_64, execve.unwrap_or_default(), &[1; 6]);
        if !verdict.lets_pass() {
            bail!(
                "{}: execve is not allowed, so that nothing can be started under it\n\nhint: allow execve, and what the program needs to start",
                place()
            );
        }
        let instructions = filter::compile(&self.policy).with_context(place)?;
        Ok(Filter { instructions, flags: self.policy.flags().unwrap_or_default().to_vec() })
    }
}

fn place(path: &Path) -> String {
    format!("profile {}", escape_path(path))
}

/// What the conditions of the profile are judged by.
fn host() -> Result<Host> {
    let status = fs::read_to_string("/proc/self/status").context("/proc/self/status")?;
    let mask = status.lines().find_map(|line| line.strip_prefix("CapBnd:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    let mask = mask.context("/proc/self/status has no CapBnd line")?;
    let name = rustix::system::uname();
    let release = name.release().to_string_lossy();
    let Some(kernel) = preflight::version(&release) else {
        bail!("the kernel's release {} does not begin with two numbers", escape(&release));
    };
    Ok(Host { capabilities: Capability::from_mask(mask).collect(), kernel })
}
