//! Which values of arguments a profile allows.
//!
//! Docker's default and RuntimeDefault look at arguments of three calls, and answer `clone3`, whose flags no filter sees, with ENOSYS,
//! so that C libraries go on to `clone`. A profile of names alone would open again what they close. So the rules of the defaults are
//! copied, and widened by what was seen and nothing else.
//!
//! One form that all who read profiles agree on: a call is limited by one argument and one mask, and has a rule with one condition for
//! each value, `argument & mask == value`. No rule has two conditions, none compares by order: runc, crun and youki take several
//! conditions on one argument for alternatives, and libseccomp before 2.6.1 merges orders of 64-bit numbers wrongly. The mask has no
//! bits of the upper half, which the kernel ignores.

mod evidence;
mod observed;

use std::collections::{BTreeMap, BTreeSet};

use tracer_ebpf::arguments::NEW_TIME;

use self::evidence::Values;
pub(super) use self::evidence::{Evidence, watched};
use super::{
    Answer, Errno, Options, Profile, Reason,
    defaults::{Engine, Shared, shared},
    derive::Allowed,
    filter,
    oci::{Condition, Operator},
};
use crate::{recording::AllowedValue, syscalls};

/// The call whose flags are in memory.
pub(super) const CLONE3: &str = "clone3";
/// The call that programs make where `clone3` is missing.
pub(super) const CLONE: &str = "clone";

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

/// The values of one argument that a call is allowed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Which argument, from 0.
    pub index: u8,
    /// The bits of it that are looked at.
    pub mask: u64,
    /// The values, cut to the mask, each with every reason for it.
    pub values: BTreeMap<u64, BTreeSet<Reason>>,
    /// Values that are not allowed and fail with an error number, where the default action would end the caller.
    pub answered: BTreeMap<u64, Errno>,
}

impl Limit {
    fn new(index: u8, mask: u64) -> Self {
        Self { index, mask, values: BTreeMap::new(), answered: BTreeMap::new() }
    }

    fn of_defaults(shared: &Shared) -> Self {
        let mut limit = Self::new(shared.index, shared.mask);
        for value in &shared.values {
            limit.add(*value, [Reason::Default]);
        }
        limit
    }

    fn add(&mut self, value: u64, reasons: impl IntoIterator<Item = Reason>) {
        self.values.entry(value & self.mask).or_default().extend(reasons);
    }

    fn add_all(&mut self, values: Values) {
        for (value, reasons) in values.seen {
            self.add(value, reasons);
        }
    }

    /// Answers a value that is not allowed.
    pub(super) fn answer(&mut self, value: u64, errno: Errno) {
        let value = value & self.mask;
        if !self.values.contains_key(&value) {
            self.answered.entry(value).or_insert(errno);
        }
    }

    /// Every value of the bits is allowed.
    fn allows_all(&self) -> bool {
        let bits = self.mask.count_ones();
        bits < 32 && self.values.len() == 1 << bits
    }

    /// Whether the call passes, or gets the answer that is meant for it, with these six arguments. Not when they are not known.
    pub fn covers(&self, arguments: Option<&[u64; 6]>) -> bool {
        let value = arguments.and_then(|all| all.get(usize::from(self.index)));
        let value = value.map(|value| value & self.mask);
        value.is_some_and(|it| self.values.contains_key(&it) || self.answered.contains_key(&it))
    }

    /// The condition that holds for one value.
    pub fn condition(&self, value: u64) -> Condition {
        Condition {
            index: self.index,
            value: self.mask,
            value_two: value,
            operator: Operator::MaskedEqual,
        }
    }
}

/// What is to be said of the arguments of a profile, by the names of calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ArgumentNotes {
    /// Recorded without their arguments, so that nothing is known of them.
    pub unknown: BTreeSet<String>,
    /// More values were seen than are kept: allowed with all.
    pub any: BTreeSet<String>,
    /// The same, and some of the bits tell enough: limited by these.
    pub coarser: BTreeSet<String>,
    /// Allowed for other reasons than that they were seen, and it is not known which values these need: allowed with all.
    pub free: BTreeSet<String>,
    /// A filter has no room for the values that were seen.
    pub too_many: BTreeSet<String>,
    /// `clone3` was seen, and is not allowed: it fails with ENOSYS.
    pub hidden: bool,
}

/// What is allowed of arguments.
#[derive(Default)]
pub(super) struct Limits {
    /// By the names of calls.
    pub(super) limited: BTreeMap<String, Limit>,
    pub(super) notes: ArgumentNotes,
}

/// Takes `clone3` out of what is allowed, unless it was asked for or was seen to do what `clone` cannot; the reasons for it.
pub(super) fn take_clone3_out(
    allowed: &mut Allowed,
    evidence: &Evidence,
    options: &Options,
) -> Option<BTreeSet<Reason>> {
    let is_kept = options.arguments == ArgumentChoice::Off
        || options.include().contains(CLONE3)
        || does_what_clone_cannot(evidence);
    allowed.remove(CLONE3).filter(|reasons| {
        if is_kept {
            allowed.insert(CLONE3.to_owned(), reasons.clone());
        }
        !is_kept
    })
}

fn does_what_clone_cannot(evidence: &Evidence) -> bool {
    let values = evidence.of(CLONE3).and_then(|seen| seen.values(0, NEW_TIME));
    values.is_some_and(|values| values.seen.contains_key(&NEW_TIME))
}

/// The answer to `clone3` where `clone` is allowed and it is not: the one number on which programs go on to `clone`. Also where all other
/// calls are answered so: Docker 20.10 reads no `defaultErrnoRet`, and answers EPERM.
pub(super) fn answer_to_clone3(
    allowed: &Allowed,
    seen: Option<BTreeSet<Reason>>,
    options: &Options,
) -> Option<Answer> {
    let is_off = options.arguments == ArgumentChoice::Off;
    if is_off || !allowed.contains_key(CLONE) || allowed.contains_key(CLONE3) {
        return None;
    }
    let mut answer = Answer::new(Errno::ENOSYS);
    answer.reasons.insert(Reason::Hidden);
    answer.reasons.extend(seen.into_iter().flatten());
    Some(answer)
}

/// The limits of what is allowed.
pub(super) fn limits(allowed: &Allowed, evidence: &Evidence, options: &Options) -> Limits {
    let mut limits = Limits::default();
    for (name, reasons) in allowed {
        let limit = match options.arguments {
            ArgumentChoice::Off => None,
            ArgumentChoice::Default => {
                let shared = shared().get(name.as_str());
                shared.and_then(|shared| as_defaults(name, shared, evidence, &mut limits.notes))
            }
            ArgumentChoice::Observed => observed::limit(name, reasons, evidence, &mut limits.notes),
        };
        if let Some(limit) = limit.filter(|limit| !limit.allows_all()) {
            limits.limited.insert(name.clone(), limit);
        }
    }
    limits
}

/// The values that the defaults allow, and those that were seen. None: all are.
fn as_defaults(
    name: &str,
    shared: &Shared,
    evidence: &Evidence,
    notes: &mut ArgumentNotes,
) -> Option<Limit> {
    let mut limit = Limit::of_defaults(shared);
    if let Some(seen) = evidence.of(name) {
        if seen.unknown {
            notes.unknown.insert(name.to_owned());
        }
        match seen.values(shared.index, shared.mask) {
            Some(values) if values.any => {
                notes.any.insert(name.to_owned());
                return None;
            }
            values => values.into_iter().for_each(|values| limit.add_all(values)),
        }
    }
    if name == CLONE {
        // What cannot be read of `clone3` opens nothing: a program that probes for it passes nothing at all.
        let values = evidence.of(CLONE3).and_then(|seen| seen.values(0, shared.mask));
        values.into_iter().for_each(|values| limit.add_all(values));
    }
    Some(limit)
}

/// Whether the call is one that a default allows for some arguments only, or for none: without its limit, a profile allows what that
/// default refuses.
fn opens_more_than_defaults(name: &str) -> bool {
    shared().contains_key(name)
        || Engine::ALL.into_iter().any(|engine| engine.default_profile().refuses_all_of(name))
}

impl Profile {
    /// Takes limits away until a filter has room for the rest, the longest first. Those of the calls that the defaults look at come last:
    /// without theirs, the profile would be wider than the defaults. The programs of libseccomp are shorter than those of this compiler:
    /// one or two instructions for a value, where it has eight.
    pub(super) fn fit_filter(&mut self, notes: &mut ArgumentNotes) {
        loop {
            if filter::compile(&self.policy()).is_ok() {
                return;
            }
            let order = |name: &str, limit: &Limit| {
                (!opens_more_than_defaults(name), !shared().contains_key(name), limit.values.len())
            };
            let most = self.limited.iter().max_by_key(|(name, limit)| order(name, limit));
            let Some(name) = most.map(|(name, _)| name.clone()) else { return };
            self.limited.remove(&name);
            notes.too_many.insert(name);
        }
    }

    /// What a recording keeps of the limits.
    pub(super) fn values(&self) -> Vec<AllowedValue> {
        let values = self.limited.iter().flat_map(|(name, limit)| {
            limit.values.iter().map(|(value, reasons)| {
                let reasons: Vec<String> = reasons.iter().map(Reason::to_string).collect();
                AllowedValue {
                    name: name.clone(),
                    index: limit.index,
                    mask: limit.mask,
                    value: *value,
                    shown: shown(name, limit.index, *value),
                    reason: reasons.join("; "),
                }
            })
        });
        values.collect()
    }
}

/// A call with one of its arguments, for people: `setns(_, CLONE_NEWNET)`.
pub fn shown(name: &str, index: u8, value: u64) -> String {
    let before = "_, ".repeat(usize::from(index));
    format!("{name}({before}{})", syscalls::arguments::value(name, index, value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{Architecture, DefaultAction};

    #[test]
    fn a_filter_without_room_keeps_what_the_defaults_look_at() {
        let many = ["ioctl", "prctl", "fcntl", "madvise", "setsockopt", "seccomp", "prlimit64"];
        let limit = |values: u64| {
            let mut limit = Limit::new(0, 0xffff_ffff);
            (0..values).for_each(|value| limit.add(value, [Reason::Default]));
            limit
        };
        let mut limited: BTreeMap<String, Limit> =
            many.map(|name| (name.to_owned(), limit(24))).into();
        limited.insert("unshare".to_owned(), limit(30));
        limited.insert("socket".to_owned(), Limit::of_defaults(&shared()["socket"]));
        let names = limited.keys().map(String::as_str).chain(["read"]);
        let allowed = names.map(|name| (name.to_owned(), BTreeSet::new())).collect();
        let mut profile = Profile {
            default_action: DefaultAction::default(),
            architectures: Architecture::ALL.into(),
            allowed,
            limited,
            answered: BTreeMap::new(),
        };
        assert!(filter::compile(&profile.policy()).is_err(), "there are too many");
        let mut notes = ArgumentNotes::default();
        profile.fit_filter(&mut notes);
        assert!(filter::compile(&profile.policy()).is_ok());
        assert!(!notes.too_many.is_empty());
        for name in ["socket", "unshare"] {
            assert!(profile.limited.contains_key(name), "{name}: {:?}", notes.too_many);
        }
    }
}
