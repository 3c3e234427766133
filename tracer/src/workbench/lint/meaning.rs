//! What a profile means, or seems to mean where it has faults.

use crate::{
    profile::{
        capability::Capability,
        oci::{Architectures, Constraint, OciProfile, Rule},
        policy::{Policy, PolicyError, RuleContext, Verdict},
    },
    syscalls::{self, Abi},
};

/// A profile with its meaning.
#[derive(Clone, Debug)]
pub struct ProfileMeaning {
    /// What it says.
    pub profile: OciProfile,
    /// What it means to those who read what Docker added, for a container with Docker's default
    /// capabilities.
    pub policy: Result<Policy, PolicyError>,
    /// What it means to those who read over that.
    pub literal: Result<Policy, PolicyError>,
    /// The rules stand in the file as they stand here.
    in_place: bool,
}

impl ProfileMeaning {
    /// The meaning of a profile. `rules` is how many rules the file has.
    pub fn new(profile: OciProfile, rules: usize) -> Self {
        let policy = Policy::new(&profile, &context());
        let literal = Policy::new(&literal(&profile), &context());
        let in_place = profile.syscalls.len() == rules;
        Self { profile, policy, literal, in_place }
    }

    /// The rules with their paths; none where the file has others.
    pub fn rules(&self) -> impl Iterator<Item = (String, &Rule)> {
        let rules = self.profile.syscalls.iter().enumerate();
        rules.filter(|_| self.in_place).map(|(at, rule)| (format!("syscalls[{at}]"), rule))
    }
}

/// A container with Docker's default capabilities on a kernel newer than every condition.
pub fn context() -> RuleContext {
    RuleContext { capabilities: Capability::dockers().collect(), kernel: (u32::MAX, 0) }
}

/// The profile as containerd, runc and crun take it: without conditions on the machine, and for the
/// native architecture when it has a map.
fn literal(profile: &OciProfile) -> OciProfile {
    let mut profile = profile.clone();
    if matches!(profile.architectures, Architectures::Map(_)) {
        profile.architectures = Architectures::Listed(Vec::new());
    }
    for rule in &mut profile.syscalls {
        rule.includes = Constraint::default();
        rule.excludes = Constraint::default();
    }
    profile
}

/// What happens to a call of x86_64 whatever its arguments are; None when it depends on them, or
/// there is no such call.
pub fn always(policy: &Policy, name: &str) -> Option<Verdict> {
    let number = syscalls::number(Abi::NATIVE, name).and_then(|number| u32::try_from(number).ok());
    policy.always(Abi::NATIVE, number?)
}
