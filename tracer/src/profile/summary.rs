//! A profile in numbers, for people. How they are shown is the caller's business.

use std::collections::BTreeSet;

use super::{Profile, Reason, reason::is_seen};
use crate::syscalls::{self, Abi, HOST};

/// The numbers of a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Allowed names that x86_64 has.
    pub allowed: usize,
    /// Names that x86_64 has.
    pub names: usize,
    /// Allowed names that other ABIs have and x86_64 has not.
    pub foreign: usize,
    /// Those of the allowed names of x86_64 that were recorded, in whichever ABI.
    pub seen: usize,
    /// Those that were not recorded.
    pub added: usize,
    /// Those of the added names for which there is no other reason than that they were inferred.
    pub inferred: usize,
    /// Architectures that the filter is not made for: a call through one of them kills its thread.
    pub killed: Vec<Abi>,
}

impl Summary {
    /// Counts a profile.
    pub fn of(profile: &Profile) -> Self {
        let total = profile.allowed.len();
        let native = |name: &&String| syscalls::number(Abi::NATIVE, name).is_some();
        let allowed = profile.allowed.keys().filter(native).count();
        let of_native = || profile.allowed.iter().filter(|(name, _)| native(name));
        let seen = of_native().filter(|(_, reasons)| is_seen(reasons)).count();
        let inferred =
            |reasons: &&BTreeSet<Reason>| reasons.iter().all(|reason| reason.is_inferred());
        let absent = |architecture: &Abi| !profile.architectures.contains(architecture);
        Self {
            allowed,
            names: HOST.native_names,
            foreign: total - allowed,
            seen,
            added: allowed - seen,
            inferred: of_native().map(|(_, reasons)| reasons).filter(inferred).count(),
            killed: Abi::ALL.into_iter().filter(absent).collect(),
        }
    }

    /// Names of x86_64 that are not allowed.
    pub fn refused(&self) -> usize {
        self.names - self.allowed
    }
}
