//! What each consumer makes of what a profile may hold.
//!
//! Read in the sources of the loaders (moby's `profiles/seccomp`, `containers/common`
//! `pkg/seccomp`, containerd's `contrib/seccomp`, runc's `libcontainer/seccomp`, crun's
//! `src/libcrun/seccomp.c`) and tried with runc 1.1.5 and crun 1.8.1.

use super::consumer::{Audience, Consumer, Version};

/// What a consumer does with a part of a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// It reads it as it is meant.
    Reads,
    /// It reads over it, silently.
    Ignores,
    /// It takes it for something else, silently.
    Misreads,
    /// It refuses the profile.
    Refuses,
}

use Effect::{Ignores as I, Misreads as M, Reads as Y, Refuses as E};

impl Effect {
    /// The word for programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reads => "reads",
            Self::Ignores => "ignores",
            Self::Misreads => "misreads",
            Self::Refuses => "refuses",
        }
    }
}

/// A part of a profile that the consumers do not agree on, or that none of them takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feature {
    /// For Docker, Podman, CRI-O, containerd, runc and crun.
    effects: [Effect; 6],
    /// How those ignore it that do.
    ignoring: &'static str,
    /// How those misread it that do.
    misreading: &'static str,
}

/// A feature that nobody takes.
pub const REFUSED: Feature = Feature { effects: [E; 6], ignoring: "", misreading: "" };
/// A feature that nobody looks at.
pub const IGNORED: Feature = Feature { effects: [I; 6], ignoring: "ignored", misreading: "" };

/// `archMap`.
pub const ARCH_MAP: Feature = Feature {
    effects: [Y, Y, Y, I, I, I],
    ignoring: "ignored: callers of i386 and x32 are killed",
    misreading: "",
};
/// `architectures` beside `archMap`.
pub const BOTH_ARCHITECTURES: Feature =
    Feature { effects: [E, E, E, I, I, I], ignoring: "archMap is ignored", misreading: "" };
/// `defaultErrno` and `errno`: an error by its name.
pub const ERRNO_NAME: Feature =
    Feature { effects: [I, Y, Y, I, I, I], ignoring: "ignored: EPERM is returned", misreading: "" };
/// An error by its name, beside another number.
pub const ERRNO_CONTRADICTS: Feature = Feature {
    effects: [I, Y, Y, I, I, I],
    ignoring: "the number counts, not the name",
    misreading: "",
};
/// A name of no error.
pub const ERRNO_UNKNOWN: Feature =
    Feature { effects: [I, E, E, I, I, I], ignoring: "ignored", misreading: "" };
/// `errnoRet` of an action that returns no error.
pub const ERRNO_OF_ACTION: Feature =
    Feature { effects: [I, I, I, I, I, E], ignoring: "ignored", misreading: "" };
/// A number that is no error.
pub const ERRNO_RANGE: Feature = Feature {
    effects: [M, M, M, M, M, M],
    ignoring: "",
    misreading: "another error is returned, or the profile refused (runc above 32767)",
};
/// `name` in the place of `names`.
pub const OLD_NAME: Feature =
    Feature { effects: [Y, Y, Y, M, M, E], ignoring: "", misreading: "taken for an empty rule" };
/// `name` beside `names`.
pub const NAME_AND_NAMES: Feature =
    Feature { effects: [E, E, E, I, I, I], ignoring: "`name` is ignored", misreading: "" };
/// A rule without `names`.
pub const NAMES_MISSING: Feature =
    Feature { effects: [I, I, I, I, I, E], ignoring: "the rule is ignored", misreading: "" };
/// A rule with a list of no names.
pub const NO_NAMES: Feature =
    Feature { effects: [I; 6], ignoring: "the rule is ignored", misreading: "" };
/// A name that is an empty text.
pub const EMPTY_NAME: Feature =
    Feature { effects: [E, I, I, E, E, I], ignoring: "ignored", misreading: "" };
/// A key in other letters.
pub const KEY_CASE: Feature =
    Feature { effects: [Y, Y, Y, Y, Y, I], ignoring: "the field is ignored", misreading: "" };
/// A key in other letters that Go's readers alone know.
pub const KEY_CASE_OF_ADDITIONS: Feature = Feature {
    effects: [Y, Y, Y, I, I, I],
    ignoring: "the field is ignored in any letters",
    misreading: "",
};
/// `includes` and `excludes`.
pub const MACHINE: Feature = Feature {
    effects: [Y, Y, Y, M, M, M],
    ignoring: "",
    misreading: "the condition is ignored: the rule always counts",
};
/// `minKernel`.
pub const MIN_KERNEL: Feature = Feature {
    effects: [Y, M, M, M, M, M],
    ignoring: "",
    misreading: "the condition is ignored: the rule counts on every kernel",
};
/// Another spelling of an architecture, in a place where Go's is expected, or no capability.
pub const MACHINE_UNKNOWN: Feature = Feature {
    effects: [M, M, M, I, I, I],
    ignoring: "the whole condition is ignored",
    misreading: "taken for one that is not there",
};
/// `minKernel` that is no version.
pub const MIN_KERNEL_UNKNOWN: Feature =
    Feature { effects: [E, I, I, I, I, I], ignoring: "ignored", misreading: "" };
/// `SCMP_ACT_NOTIFY` by default. Docker and containerd hand it to runc, Podman and CRI-O to crun.
pub const NOTIFY_BY_DEFAULT: Feature = Feature {
    effects: [E, M, M, E, E, M],
    ignoring: "",
    misreading: "loaded, and nothing answers the container's calls",
};
/// Two conditions on one argument.
pub const SAME_ARGUMENT: Feature = Feature {
    effects: [M, M, M, M, M, M],
    ignoring: "",
    misreading: "one of them is enough (older crun: all must hold)",
};
/// A field that must be there, in a condition on an argument: Go reads 0.
pub const ZERO: Feature =
    Feature { effects: [I, I, I, I, I, E], ignoring: "read as 0", misreading: "" };
/// No `defaultAction`.
pub const NO_DEFAULT: Feature = Feature {
    effects: [M, E, E, E, E, E],
    ignoring: "",
    misreading: "no filter is loaded when there are no rules",
};
/// `listenerMetadata` without `listenerPath`.
pub const METADATA: Feature =
    Feature { effects: [I, I, I, I, E, I], ignoring: "ignored", misreading: "" };
/// A list of flags.
pub const FLAGS: Feature = Feature { effects: [Y; 6], ignoring: "", misreading: "" };

impl Feature {
    /// What a consumer does with it. Where its version is not known, today's.
    pub fn effect(&self, consumer: Consumer, version: Option<&Version>) -> Effect {
        let runc_before_1_2 = || {
            let first: Option<Version> = "1.2".parse().ok();
            consumer == Consumer::Runc && version.zip(first).is_some_and(|(it, first)| *it < first)
        };
        if *self == FLAGS && runc_before_1_2() {
            return Effect::Refuses;
        }
        let at = Consumer::ALL.iter().position(|other| *other == consumer);
        at.and_then(|at| self.effects.get(at)).copied().unwrap_or(Effect::Reads)
    }

    /// What each consumer of an audience does with it.
    pub fn effects(&self, audience: &Audience) -> Vec<(Consumer, Effect)> {
        let effect = |(consumer, version): &(Consumer, Option<Version>)| {
            (*consumer, self.effect(*consumer, version.as_ref()))
        };
        audience.consumers.iter().map(effect).collect()
    }

    /// The same for people: a clause for each effect, the worst first.
    pub fn describe(&self, effects: &[(Consumer, Effect)]) -> String {
        let clause = |(effect, does): (Effect, &str)| {
            let of = effects.iter().filter(|(_, other)| *other == effect);
            let who: Vec<&str> = of.map(|(consumer, _)| consumer.name()).collect();
            let everybody = who.len() == Consumer::ALL.len();
            let who = if everybody { "everywhere".to_owned() } else { who.join(", ") };
            (!who.is_empty()).then(|| format!("{who}: {does}"))
        };
        let clauses = [
            (Effect::Refuses, "refused"),
            (Effect::Misreads, self.misreading),
            (Effect::Ignores, self.ignoring),
            (Effect::Reads, "read as meant"),
        ];
        clauses.into_iter().filter_map(clause).collect::<Vec<_>>().join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn audience(text: &str) -> Audience {
        Audience::parse(&text.split(',').map(str::to_owned).collect::<Vec<_>>()).expect("consumers")
    }

    #[test]
    fn the_consumers_that_were_asked_about_are_named() {
        let described =
            |feature: Feature, text| feature.describe(&feature.effects(&audience(text)));
        assert_eq!(
            described(OLD_NAME, "docker,containerd,runc,crun"),
            "crun: refused; containerd, runc: taken for an empty rule; docker: read as meant"
        );
        assert_eq!(described(REFUSED, ""), "everywhere: refused");
        assert_eq!(described(ARCH_MAP, "docker"), "docker: read as meant");
    }

    #[test]
    fn an_old_runc_knows_no_flags() {
        let version = |text: &str| text.parse::<Version>().ok();
        assert_eq!(FLAGS.effect(Consumer::Runc, version("1.1.5").as_ref()), Effect::Refuses);
        assert_eq!(FLAGS.effect(Consumer::Runc, version("1.2.0").as_ref()), Effect::Reads);
        assert_eq!(FLAGS.effect(Consumer::Crun, version("1.1.5").as_ref()), Effect::Reads);
    }

    #[test]
    fn what_is_done_is_said() {
        for feature in [
            REFUSED,
            IGNORED,
            ARCH_MAP,
            BOTH_ARCHITECTURES,
            ERRNO_NAME,
            ERRNO_CONTRADICTS,
            ERRNO_UNKNOWN,
            ERRNO_OF_ACTION,
            ERRNO_RANGE,
            OLD_NAME,
            NAME_AND_NAMES,
            NAMES_MISSING,
            NO_NAMES,
            EMPTY_NAME,
            KEY_CASE,
            KEY_CASE_OF_ADDITIONS,
            MACHINE,
            MIN_KERNEL,
            MACHINE_UNKNOWN,
            MIN_KERNEL_UNKNOWN,
            NOTIFY_BY_DEFAULT,
            SAME_ARGUMENT,
            ZERO,
            NO_DEFAULT,
            METADATA,
        ] {
            assert_eq!(feature.effects.contains(&I), !feature.ignoring.is_empty(), "{feature:?}");
            assert_eq!(feature.effects.contains(&M), !feature.misreading.is_empty(), "{feature:?}");
        }
    }
}
