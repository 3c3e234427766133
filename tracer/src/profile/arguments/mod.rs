//! Which values of arguments a profile allows.
//!
//! Docker's default and RuntimeDefault look at arguments of three calls, and answer `clone3`, whose
//! flags no filter sees, with ENOSYS, so that C libraries go on to `clone`. A profile of names
//! alone would open again what they close. So the rules of the defaults are copied, and widened by
//! what was seen and nothing else.
//!
//! One form that all who read profiles agree on: a call is limited by one argument and one mask,
//! and has a rule with one condition for each value, `argument & mask == value`. No rule has two
//! conditions, none compares by order: runc, crun and youki take several conditions on one argument
//! for alternatives, and libseccomp before 2.6.1 merges orders of 64-bit numbers wrongly. The mask
//! has no bits of the upper half, which the kernel ignores.

mod as_defaults;
mod clone3;
mod evidence;
mod limit;
mod notes;
mod observed;

use std::collections::BTreeMap;

use self::as_defaults::as_defaults;
pub(super) use self::{
    clone3::{CLONE, CLONE3, answer_to_clone3, take_clone3_out},
    evidence::{Evidence, watched},
};
pub use self::{limit::Limit, notes::ArgumentNotes};
use super::{
    ArgumentChoice, Profile, ProfileOptions, Reason,
    defaults::{DefaultsEngine, shared},
    filter,
    model::Allowed,
};
use crate::{recording::AllowedValue, syscalls};

/// What is allowed of arguments.
#[derive(Default)]
pub(super) struct Limits {
    /// By the names of calls.
    pub(super) limited: BTreeMap<String, Limit>,
    pub(super) notes: ArgumentNotes,
}

/// The limits of what is allowed.
pub(super) fn limits(allowed: &Allowed, evidence: &Evidence, options: &ProfileOptions) -> Limits {
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

/// Whether the call is one that a default allows for some arguments only, or for none: without its
/// limit, a profile allows what that default refuses.
fn opens_more_than_defaults(name: &str) -> bool {
    shared().contains_key(name)
        || DefaultsEngine::ALL
            .into_iter()
            .any(|engine| engine.default_profile().refuses_all_of(name))
}

impl Profile {
    /// Takes limits away until a filter has room for the rest, the longest first. Those of the
    /// calls that the defaults look at come last: without theirs, the profile would be wider than
    /// the defaults. The programs of libseccomp are shorter than those of this compiler: one or two
    /// instructions for a value, where it has eight.
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
    use std::collections::BTreeSet;

    use super::*;
    use crate::{profile::DefaultAction, syscalls::Abi};

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
        limited.insert("socket".to_owned(), as_defaults::of_defaults(&shared()["socket"]));
        let names = limited.keys().map(String::as_str).chain(["read"]);
        let allowed = names.map(|name| (name.to_owned(), BTreeSet::new())).collect();
        let mut profile = Profile {
            default_action: DefaultAction::default(),
            architectures: Abi::ALL.into(),
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
