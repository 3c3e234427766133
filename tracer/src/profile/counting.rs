//! Which parts of a profile count: rules by the container and the machine, architectures by the
//! machine.

use std::collections::BTreeSet;

use super::{
    capability::Capability,
    oci::{Architectures, Constraint, Rule, SeccompArch},
};
use crate::syscalls::{Abi, HOST};

/// The facts that decide whether a rule counts (`includes`, `excludes`), besides the architecture
/// of the machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleContext {
    /// The capabilities of the bounding set.
    pub capabilities: BTreeSet<Capability>,
    /// The first two numbers of the kernel's version.
    pub kernel: (u32, u32),
}

/// The ABIs whose callers are not killed. The native one is always among them.
pub fn abis(architectures: &Architectures) -> BTreeSet<Abi> {
    let ours = |listed: &SeccompArch| match listed {
        SeccompArch::Ours(abi) => Some(*abi),
        SeccompArch::Foreign(_) => None,
    };
    let mut abis = BTreeSet::from([Abi::NATIVE]);
    match architectures {
        Architectures::Listed(listed) => abis.extend(listed.iter().filter_map(ours)),
        Architectures::Map(entries) => {
            let native = SeccompArch::Ours(Abi::NATIVE);
            let entry = entries.iter().find(|entry| entry.architecture == native);
            abis.extend(entry.into_iter().flat_map(|entry| &entry.others).filter_map(ours));
        }
    }
    abis
}

/// Whether a rule counts on this machine, as Docker judges it (moby's
/// `profiles/seccomp/seccomp_linux.go`).
pub fn counts(rule: &Rule, context: &RuleContext) -> bool {
    let Constraint { capabilities, architectures, min_kernel } = &rule.excludes;
    let excluded = architectures.iter().any(|name| name == HOST.go_name)
        || !capabilities.is_disjoint(&context.capabilities)
        || min_kernel.is_some_and(|oldest| context.kernel >= oldest);
    let Constraint { capabilities, architectures, min_kernel } = &rule.includes;
    let included = (architectures.is_empty()
        || architectures.iter().any(|name| name == HOST.go_name))
        && capabilities.is_subset(&context.capabilities)
        && min_kernel.is_none_or(|oldest| context.kernel >= oldest);
    included && !excluded
}
