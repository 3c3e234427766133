//! What the user may choose when a profile is derived.

use std::collections::BTreeSet;

use super::{DefaultAction, OciRuntime};
use crate::{
    recording::{Choice, Decided},
    syscalls,
};

/// The choices for a derivation. The names to include and to exclude are known calls, and no name
/// is in both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProfileOptions {
    /// What happens to a call that is not allowed.
    pub default_action: DefaultAction,
    /// The container runtimes that the profile has to start under.
    pub runtime: RuntimeChoice,
    /// Make the filter for all three architectures, so that a call through an ABI that was not seen
    /// is refused instead of killing the thread.
    pub all_architectures: bool,
    /// Allow the other forms of each seen call, which other C libraries and kernels use.
    pub alternatives: bool,
    /// Allow the calls of rarely taken paths.
    pub error_paths: bool,
    /// Allow the calls that a filter refused while they were recorded.
    pub denied: bool,
    /// How the profile looks at arguments.
    pub arguments: ArgumentChoice,
    /// Calls that do not count as seen in a workload, because few recordings have them. What allows
    /// them for another reason still does.
    pub rare: BTreeSet<String>,
    include: BTreeSet<String>,
    exclude: BTreeSet<String>,
    decided: Vec<Decided>,
}

/// How a profile looks at arguments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ArgumentChoice {
    /// As the defaults do, and what was seen besides.
    #[default]
    Default,
    /// What was seen alone, of all arguments of the table.
    Observed,
    /// Not at all: a call is allowed with all arguments or with none.
    Off,
}

/// The container runtimes that a profile has to start under.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RuntimeChoice {
    /// runc and crun: those of Docker, Podman, containerd and CRI-O. youki needs calls that neither
    /// of them makes, and no profile allows those for its sake unless it is chosen.
    #[default]
    Any,
    /// runc alone.
    Runc,
    /// crun alone.
    Crun,
    /// youki alone.
    Youki,
    /// None: the workload is no container.
    None,
}

impl RuntimeChoice {
    /// The runtimes.
    pub fn runtimes(self) -> &'static [OciRuntime] {
        match self {
            Self::Any => &[OciRuntime::Runc, OciRuntime::Crun],
            Self::Runc => &[OciRuntime::Runc],
            Self::Crun => &[OciRuntime::Crun],
            Self::Youki => &[OciRuntime::Youki],
            Self::None => &[],
        }
    }
}

/// Why a choice is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OptionsError {
    /// No ABI has a call of this name.
    #[error("no system call is named {name:?}{}", meant(*closest))]
    UnknownName {
        /// The name.
        name: String,
        /// The call that was probably meant.
        closest: Option<&'static str>,
    },
    /// A name is to be both included and excluded.
    #[error("{name:?} is both included and excluded: decide for one")]
    Conflict {
        /// The name.
        name: String,
    },
}

fn meant(closest: Option<&str>) -> String {
    match closest {
        Some(name) => format!(": did you mean {name:?}?"),
        None => {
            ": write it as the kernel does, for example \"newfstatat\" or \"prlimit64\"".to_owned()
        }
    }
}

impl ProfileOptions {
    /// Allows calls, seen or not.
    pub fn with_include(
        mut self,
        names: impl IntoIterator<Item = String>,
    ) -> Result<Self, OptionsError> {
        for name in names {
            self.include.insert(checked(name, &self.exclude)?);
        }
        Ok(self)
    }

    /// Takes calls out, seen or not.
    pub fn with_exclude(
        mut self,
        names: impl IntoIterator<Item = String>,
    ) -> Result<Self, OptionsError> {
        for name in names {
            self.exclude.insert(checked(name, &self.include)?);
        }
        Ok(self)
    }

    /// Allows calls, or takes them out, as somebody decided.
    pub fn with_decided(mut self, decided: Vec<Decided>) -> Result<Self, OptionsError> {
        for one in &decided {
            let name = [one.name.clone()];
            self = match one.choice {
                Choice::Allow => self.with_include(name)?,
                Choice::Deny => self.with_exclude(name)?,
            };
        }
        self.decided.extend(decided);
        Ok(self)
    }

    /// The decisions among the calls to allow and to take out.
    pub fn decided(&self) -> &[Decided] {
        &self.decided
    }

    /// The decision to allow a call.
    pub(super) fn allowed_by(&self, name: &str) -> Option<&Decided> {
        self.decided.iter().find(|one| one.choice == Choice::Allow && one.name == name)
    }

    /// The calls to allow.
    pub fn include(&self) -> &BTreeSet<String> {
        &self.include
    }

    /// The calls to take out.
    pub fn exclude(&self) -> &BTreeSet<String> {
        &self.exclude
    }
}

fn checked(name: String, opposite: &BTreeSet<String>) -> Result<String, OptionsError> {
    if !syscalls::is_known(&name) {
        let closest = syscalls::closest(&name);
        return Err(OptionsError::UnknownName { name, closest });
    }
    if opposite.contains(&name) {
        return Err(OptionsError::Conflict { name });
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn a_name_that_is_no_call_is_refused_with_a_hint() {
        for refused in [
            ProfileOptions::default().with_include(names(&["read", "opnat"])),
            ProfileOptions::default().with_exclude(names(&["opnat"])),
        ] {
            let error = refused.expect_err("no call");
            assert_eq!(
                error.to_string(),
                "no system call is named \"opnat\": did you mean \"openat\"?"
            );
        }
    }

    #[test]
    fn a_hostile_name_is_shown_escaped() {
        let error =
            ProfileOptions::default().with_include(names(&["\u{1b}[2J"])).expect_err("no call");
        assert!(
            error.to_string().starts_with("no system call is named \"\\u{1b}[2J\": write it"),
            "{error}"
        );
    }

    #[test]
    fn a_name_is_not_both_included_and_excluded() {
        let options = ProfileOptions::default().with_include(names(&["ptrace"])).expect("a call");
        let error = options.with_exclude(names(&["ptrace"])).expect_err("a conflict");
        assert_eq!(error, OptionsError::Conflict { name: "ptrace".into() });
        let options = ProfileOptions::default().with_exclude(names(&["ptrace"])).expect("a call");
        assert!(options.with_include(names(&["ptrace"])).is_err());
    }
}
