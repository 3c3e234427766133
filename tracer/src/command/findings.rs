//! What `verify` found: the calls that the profile denied, those that another filter denied, and
//! those that prove that it is not the profile which is loaded.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::denied::{self, DeniedCall};
use crate::{
    json,
    profile::{
        advice::{self, Says, says},
        base,
        lacking::Lacking,
        policy::{Policy, Verdict},
        widening::{self, AddedValue},
    },
    recording::{
        Call, Recording, TargetKind,
        filters::Passed,
        parts::{Part, by_container},
    },
    syscalls::{self, Abi, HOST},
};

/// What was denied, of everything or of one container.
pub(super) struct Denied {
    /// The container; None for everything.
    pub(super) label: Option<String>,
    /// By the profile, as far as is known.
    pub(super) by_profile: Vec<DeniedCall>,
    /// By another filter.
    pub(super) elsewhere: Vec<DeniedCall>,
    /// On purpose, or without harm; with why.
    pub(super) intended: Vec<(DeniedCall, String)>,
    /// See [`says`].
    alone: bool,
}

/// See the module.
pub(super) struct Findings {
    /// What was denied in all.
    pub(super) whole: Denied,
    /// The same of each container, when that was asked for.
    pub(super) containers: Vec<Denied>,
    /// What was made though the profile refuses it, by the path of the cgroup.
    pub(super) contradictions: BTreeMap<String, Vec<Passed>>,
    /// What runtimes need and the profile lacks, when one of them was denied a call.
    pub(super) lacking: Vec<Lacking>,
}

impl Denied {
    fn of(label: Option<String>, recording: &Recording, policy: &Policy, alone: bool) -> Self {
        let mut found = Self {
            label,
            by_profile: Vec::new(),
            elsewhere: Vec::new(),
            intended: Vec::new(),
            alone,
        };
        for denied in denied::list(recording) {
            if let Some(why) = denied.intended(policy) {
                found.intended.push((denied, why));
            } else if says(&denied.call, policy, alone) == Says::Elsewhere {
                found.elsewhere.push(denied);
            } else {
                found.by_profile.push(denied);
            }
        }
        found
    }

    /// Those that the profile denied for sure.
    pub(super) fn sure(&self) -> impl Iterator<Item = &Call> {
        self.by_profile.iter().map(|denied| &denied.call).filter(|call| !call.doubtful)
    }

    /// What to do, a line for each kind.
    pub(super) fn advice(&self, policy: &Policy) -> Vec<String> {
        advice::advice(&self.sure().collect::<Vec<_>>(), policy, self.alone)
    }
}

impl Findings {
    /// Judges what was seen by what the profile says. `per_container`: of each container by itself
    /// as well.
    pub(super) fn of(
        recording: &Recording,
        passed: &[Passed],
        policy: &Policy,
        per_container: bool,
    ) -> Self {
        let parts = if per_container { by_container(recording, false) } else { Vec::new() };
        let mut contradictions: BTreeMap<String, Vec<Passed>> = BTreeMap::new();
        for call in passed.iter().filter(|call| contradicts(call, policy)) {
            contradictions.entry(call.path.clone()).or_default().push(call.clone());
        }
        // Without containers: a command of tracer's own has its filter from tracer.
        let alone = recording.targets.iter().all(|target| target.kind == TargetKind::Command);
        let whole = Denied::of(None, recording, policy, alone);
        let lacking = advice::lacking(whole.sure(), policy);
        let part =
            |part: &Part| Denied::of(Some(part.label.clone()), &part.recording, policy, alone);
        Self { containers: parts.iter().map(part).collect(), contradictions, lacking, whole }
    }

    /// The calls to add to the profile, by name, and those to add with one value of an argument.
    pub(super) fn missing(&self, policy: &Policy) -> (BTreeSet<String>, BTreeSet<AddedValue>) {
        let needed = self.whole.sure().filter(|call| base::optional_of_runtime(call).is_none());
        let (mut names, mut values) = widening::all(needed, policy);
        names.extend(self.lacking.iter().flat_map(Lacking::names));
        values.retain(|value| !names.contains(value.name));
        (names.into_iter().map(str::to_owned).collect(), values)
    }

    /// The calls that a runtime only tries and that ended it, and those that are left to another
    /// call, by name: the profile is to answer them.
    pub(super) fn answered(&self) -> BTreeSet<String> {
        let tried = self.whole.sure().filter(|call| {
            base::optional_of_runtime(call).is_some() || widening::is_left_to_clone(call)
        });
        let names = tried.filter_map(|call| syscalls::name(call.abi, call.number));
        names.map(str::to_owned).collect()
    }

    /// The architectures to add to it.
    pub(super) fn architectures(&self) -> BTreeSet<Abi> {
        self.whole.sure().map(|call| call.abi).collect()
    }

    /// As JSON, with how it ended.
    pub(super) fn json(&self, ending: &RunOutcome<'_>) -> String {
        let made = self.contradictions.values().flatten();
        json::pretty(&Report {
            ending,
            whole: Lists::of(&self.whole),
            containers: self.containers.iter().map(Lists::of).collect(),
            made_though_refused: made.map(Made::of).collect(),
            lacking: self
                .lacking
                .iter()
                .map(|one| (one.runtime.name(), one.names().collect()))
                .collect(),
        })
    }
}

/// The call was made under the filter, and the profile refuses it whatever the arguments are.
fn contradicts(call: &Passed, policy: &Policy) -> bool {
    let past_filters = call.abi == Abi::NATIVE && HOST.past_filters.contains(&call.number);
    let number = u32::try_from(call.number).ok().filter(|_| !past_filters);
    let verdict = number.and_then(|number| policy.always(call.abi, number));
    verdict.is_some_and(Verdict::refuses)
}

/// How it ended, for programs.
#[derive(Serialize)]
pub(super) struct RunOutcome<'a> {
    /// The profile's file.
    pub(super) profile: String,
    /// The exit status.
    pub(super) status: u8,
    /// What is known of the filter on the target.
    pub(super) filter: &'static str,
    /// Why it is incomplete.
    pub(super) incomplete_reasons: &'a [&'a str],
    /// The file of the amended profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) amended: Option<String>,
}

#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    ending: &'a RunOutcome<'a>,
    #[serde(flatten)]
    whole: Lists<'a>,
    made_though_refused: Vec<Made<'a>>,
    lacking: BTreeMap<&'static str, Vec<&'static str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    containers: Vec<Lists<'a>>,
}

#[derive(Serialize)]
struct Lists<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    container: Option<String>,
    denied: Vec<Entry<'a>>,
    denied_by_another_filter: Vec<Entry<'a>>,
    denied_without_harm: Vec<Entry<'a>>,
}

impl<'a> Lists<'a> {
    fn of(denied: &'a Denied) -> Self {
        Self {
            container: denied.label.clone(),
            denied: denied.by_profile.iter().map(Entry::of).collect(),
            denied_by_another_filter: denied.elsewhere.iter().map(Entry::of).collect(),
            denied_without_harm: denied.intended.iter().map(|(one, _)| Entry::of(one)).collect(),
        }
    }
}

#[derive(Serialize)]
struct Entry<'a> {
    #[serde(flatten)]
    call: &'a Call,
    cgroup: &'a str,
}

impl<'a> Entry<'a> {
    fn of(denied: &'a DeniedCall) -> Self {
        Self { call: &denied.call, cgroup: &denied.path }
    }
}

#[derive(Serialize)]
struct Made<'a> {
    cgroup: &'a str,
    abi: Abi,
    number: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<&'a str>,
}

impl<'a> Made<'a> {
    fn of(call: &'a Passed) -> Self {
        Self {
            cgroup: &call.path,
            abi: call.abi,
            number: call.number,
            name: syscalls::name(call.abi, call.number),
            command: call.command.as_deref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{oci, policy::RuleContext};

    fn passed(abi: Abi, number: i32) -> Passed {
        Passed { path: "/a".to_owned(), abi, number, command: None }
    }

    #[test]
    fn a_call_that_the_profile_refuses_proves_another_filter() {
        let text = br#"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[
            {"names":["read"],"action":"SCMP_ACT_ALLOW"}, {"names":["ptrace"],"action":"SCMP_ACT_TRACE"},
            {"names":["mkdir"],"action":"SCMP_ACT_LOG"},
            {"names":["socket"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":1,"op":"SCMP_CMP_EQ"}]}]}"#;
        let profile = oci::read(text).expect("a profile");
        let policy = Policy::new(&profile, &RuleContext::default()).expect("a policy");
        let number = |name| syscalls::number(Abi::X86_64, name).expect("a call");
        let proves = |name| contradicts(&passed(Abi::X86_64, number(name)), &policy);
        assert!(proves("openat"));
        for name in ["read", "ptrace", "mkdir", "socket", "uretprobe"] {
            assert!(!proves(name), "{name}");
        }
        assert!(contradicts(&passed(Abi::I386, 3), &policy), "the architecture is not listed");
        assert!(contradicts(&passed(Abi::X86_64, 9999), &policy), "no name, and refused");
    }
}
