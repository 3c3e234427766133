//! Short questions to recordings and profiles.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tracer::recording::{Cgroup, Phase, Recording};
use tracer::syscalls::Abi;

/// Calls by ABI and number, with how often each was made.
pub type Calls = BTreeMap<(Abi, i32), Option<u64>>;

/// The calls of the cgroup with that path; none when the recording does not have it.
pub fn calls(recording: &Recording, path: &str) -> Calls {
    let cgroups = recording.cgroups.iter().filter(|cgroup| cgroup.path == path);
    let mut found = Calls::new();
    for call in cgroups.flat_map(|cgroup| &cgroup.calls) {
        let count = found.entry((call.abi, call.number)).or_default();
        *count = match (*count, call.count) {
            (Some(earlier), Some(more)) => Some(earlier + more),
            (earlier, more) => earlier.or(more),
        };
    }
    found
}

/// The names of the calls of one phase.
pub fn names(cgroup: &Cgroup, phase: Phase) -> BTreeSet<&str> {
    let of_phase = cgroup.calls.iter().filter(|call| call.phase == phase);
    of_phase.filter_map(|call| call.name.as_deref()).collect()
}

/// The names that a profile allows, with all arguments or with some; sorted, each once.
pub fn allowed(profile: &Value) -> Vec<String> {
    let rules = profile["syscalls"].as_array().expect("the profile has rules");
    let allowing = rules.iter().filter(|rule| rule["action"] == "SCMP_ACT_ALLOW");
    let names = allowing.flat_map(|rule| rule["names"].as_array().expect("a rule has names"));
    let names = names.map(|name| name.as_str().expect("a name is a string").to_owned());
    names.collect::<BTreeSet<String>>().into_iter().collect()
}
