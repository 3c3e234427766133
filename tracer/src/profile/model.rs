//! The profile itself: plain data, without how it is derived, written or read.

use std::collections::{BTreeMap, BTreeSet};

use super::{Errno, Limit, Reason};
use crate::syscalls::Abi;

/// A seccomp allowlist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// What happens to a call that is not allowed.
    pub default_action: DefaultAction,
    /// The architectures that the filter is made for. A call through another ABI kills the thread,
    /// whatever the default action is (`SCMP_FLTATR_ACT_BADARCH` in `seccomp_attr_set(3)`).
    pub architectures: BTreeSet<Abi>,
    /// The allowed calls by name, each with every reason for it. A name applies to all of the
    /// architectures that have a call of that name: the file's form has no rules for one
    /// architecture.
    pub allowed: Allowed,
    /// The values of an argument that an allowed call is limited to, by name. A call that is not
    /// here is allowed with all.
    pub limited: BTreeMap<String, Limit>,
    /// The calls that fail with an error number where the default action would end their callers,
    /// by name. None of them is allowed.
    pub answered: BTreeMap<String, ErrnoAnswer>,
}

/// What a filter does with a call that is not allowed.
///
/// Only actions that make an allowlist of the profile: under `SCMP_ACT_ALLOW` nothing would be
/// denied, `SCMP_ACT_NOTIFY` and `SCMP_ACT_TRACE` need a second process that decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultAction {
    /// The call is not made; the caller gets an error number.
    Errno(Errno),
    /// The call is made and written to the audit log: for finding out what a profile would deny.
    Log,
    /// The process is killed.
    KillProcess,
    /// The thread is killed; the others go on without it.
    KillThread,
    /// The thread gets SIGSYS, which it may catch.
    Trap,
}

impl DefaultAction {
    /// The caller does not go on after a call that is not allowed, unless it catches SIGSYS.
    pub fn ends_the_caller(self) -> bool {
        matches!(self, Self::KillProcess | Self::KillThread | Self::Trap)
    }
}

impl Default for DefaultAction {
    fn default() -> Self {
        Self::Errno(Errno::ENOSYS)
    }
}

/// Allowed names, each with its reasons.
pub(super) type Allowed = BTreeMap<String, BTreeSet<Reason>>;

/// What a call is answered, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrnoAnswer {
    /// The error number.
    pub errno: Errno,
    /// The other numbers that the call was refused with while it was recorded: a rule gives one.
    pub others: BTreeSet<Errno>,
    /// Every reason.
    pub reasons: BTreeSet<Reason>,
}

impl ErrnoAnswer {
    pub(super) fn new(errno: Errno) -> Self {
        Self { errno, others: BTreeSet::new(), reasons: BTreeSet::new() }
    }

    /// The same number, for what was recorded as well.
    pub(super) fn with(mut self, recorded: Option<Self>) -> Self {
        if let Some(Self { errno, others, reasons }) = recorded {
            self.others.extend(others.into_iter().chain([errno]));
            self.others.remove(&self.errno);
            self.reasons.extend(reasons);
        }
        self
    }

    /// A runtime tries the call.
    pub fn is_of_a_runtime(&self) -> bool {
        self.reasons.iter().any(|reason| matches!(reason, Reason::Base { .. }))
    }

    /// It was recorded that a filter refused the call.
    pub fn is_recorded(&self) -> bool {
        self.reasons.iter().any(|reason| matches!(reason, Reason::Denied { .. }))
    }
}
