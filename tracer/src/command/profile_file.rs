//! A profile from a file: what it means here, and the filter that it becomes.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::{
    capabilities::CapabilityBasis,
    input::{self, ExpectedFile},
    refused_profile::RefusedProfile,
};
use crate::{
    message::print_err,
    preflight,
    profile::{
        filter,
        oci::{self, OciProfile},
        policy::{Policy, RuleContext},
    },
    sys::Filter,
    syscalls::{self, Abi},
    text::escape,
};

/// How many names without effect are shown.
const NAMES: usize = 10;

/// A profile that was read, with its meaning on this host.
pub(super) struct ProfileFile {
    path: PathBuf,
    /// The file as it is.
    pub(super) bytes: Vec<u8>,
    /// What it says.
    profile: OciProfile,
    /// What it means.
    pub(super) policy: Policy,
    basis: CapabilityBasis,
}

impl ProfileFile {
    /// Reads a profile. Prints a warning about each kind of oddity in it.
    pub(super) fn read(path: &Path, basis: CapabilityBasis) -> Result<Self> {
        let place = || place(path);
        let bytes = input::read(ExpectedFile::Profile, path)?;
        let profile =
            oci::read(&bytes).map_err(|problem| RefusedProfile::new(place(), &bytes, problem))?;
        let policy = Policy::new(&profile, &host(&basis)?).with_context(place)?;
        for sentence in oci::sentences(&profile.remarks) {
            print_err(&format!("warning: {}: {sentence}", place()));
        }
        if let Some(sentence) = unknown_names(&policy) {
            print_err(&format!("warning: {}: {sentence}", place()));
        }
        Ok(Self { path: path.to_owned(), bytes, profile, policy, basis })
    }

    /// Judges its conditions anew, by other capabilities.
    pub(super) fn evaluate(&mut self, basis: CapabilityBasis) -> Result<()> {
        let policy = Policy::new(&self.profile, &host(&basis)?);
        self.policy = policy.with_context(|| place(&self.path))?;
        self.basis = basis;
        Ok(())
    }

    /// By whose capabilities its conditions are judged; None when it has none.
    pub(super) fn capabilities_note(&self) -> Option<String> {
        let asked = self.profile.capabilities();
        let note = || format!("note: {}: {}", place(&self.path), self.basis.describe(&asked));
        (!asked.is_empty()).then(note)
    }

    /// The filter, for a command that is to be started under it.
    pub(super) fn filter(&self, no_new_privs: bool) -> Result<Filter> {
        let place = || place(&self.path);
        let execve = syscalls::number(Abi::NATIVE, "execve").and_then(|it| u32::try_from(it).ok());
        let verdict = self.policy.decide(Abi::NATIVE, execve.unwrap_or_default(), &[1; 6]);
        if !verdict.lets_pass() {
            bail!(
                "{}: execve is not allowed, so that no program can start under it\n\nhint: allow execve, and the calls that the program needs to start",
                place()
            );
        }
        let instructions = filter::compile(&self.policy).with_context(place)?;
        let flags = self.policy.flags().unwrap_or_default().to_vec();
        Ok(Filter { instructions, flags, no_new_privs })
    }
}

fn place(path: &Path) -> String {
    format!("profile {}", input::name(path))
}

/// What is said of names that are no calls, each with the call that may be meant.
fn unknown_names(policy: &Policy) -> Option<String> {
    let names = policy.unknown_names().map(|name| match syscalls::closest(name) {
        Some(meant) => format!("{} (is {meant} meant?)", escape(name)),
        None => escape(name).into(),
    });
    let names: Vec<String> = names.collect();
    let more = match names.len().saturating_sub(NAMES) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let shown = names.get(..NAMES).unwrap_or(&names).join(", ");
    (!names.is_empty()).then(|| format!("names of no syscall, without effect: {shown}{more}"))
}

/// What the conditions of the profile are judged by.
fn host(basis: &CapabilityBasis) -> Result<RuleContext> {
    let name = rustix::system::uname();
    let release = name.release().to_string_lossy();
    let Some(kernel) = preflight::version(&release) else {
        bail!("the kernel's release {} does not begin with two numbers", escape(&release));
    };
    Ok(RuleContext { capabilities: basis.set.clone(), kernel })
}
