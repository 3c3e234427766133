//! Denied calls, for people: one entry for each call and way, over all cgroups.

use std::collections::BTreeMap;

use crate::{
    profile::{base, policy::Policy},
    recording::{Call, Phase, Recording, Refusal, denied},
    syscalls::Abi,
    text::{escape, escape_once},
};

/// A denied call, in all cgroups together.
pub(super) struct DeniedCall {
    /// One of its entries; the count is that of all, the first sight the earliest.
    pub(super) call: Call,
    /// Path of the cgroup where it was first refused.
    pub(super) path: String,
}

/// The denied calls of a recording, sorted by ABI and number.
pub(super) fn list(recording: &Recording) -> Vec<DeniedCall> {
    let mut found: BTreeMap<(Abi, i32, Option<Refusal>), DeniedCall> = BTreeMap::new();
    for (path, call) in denied::all(recording) {
        let entry = || DeniedCall { call: call.clone(), path: path.to_owned() };
        found
            .entry((call.abi, call.number, call.refused))
            .and_modify(|known| known.add(path, call))
            .or_insert_with(entry);
    }
    found.into_values().collect()
}

/// A refusal that nothing need be done about, with why; told apart from those that may do harm.
pub(super) type Intended = (DeniedCall, String);

/// Takes apart what a profile denies on purpose, and what may do harm.
pub(super) fn apart(calls: Vec<DeniedCall>, policy: &Policy) -> (Vec<DeniedCall>, Vec<Intended>) {
    let (mut harmful, mut intended) = (Vec::new(), Vec::new());
    for denied in calls {
        match denied.harmless().or_else(|| denied.answered_by(policy)) {
            Some(why) => intended.push((denied, why)),
            None => harmful.push(denied),
        }
    }
    (harmful, intended)
}

/// The lines about what a profile denies on purpose.
pub(super) fn intended_lines(intended: &[Intended]) -> String {
    let line = |(denied, why): &Intended| format!("refused: {}\n  {why}\n", denied.line(None));
    intended.iter().map(line).collect()
}

impl DeniedCall {
    /// Why the refusal does no harm: a runtime only tried the call, and was told so by an error number.
    pub(super) fn harmless(&self) -> Option<String> {
        self.call.refused.and_then(Refusal::errno)?;
        let (runtime, _) = base::optional_of_runtime(&self.call)?;
        Some(format!("harmless: {} only tries it, and goes on without", runtime.name()))
    }

    fn answered_by(&self, policy: &Policy) -> Option<String> {
        let errno = self.call.refused.and_then(Refusal::errno)?;
        let number = u32::try_from(self.call.number).ok()?;
        let answers = policy.answers(self.call.abi, number, errno);
        answers.then(|| "as the profile says: it does not end the caller for it".to_owned())
    }

    fn add(&mut self, path: &str, other: &Call) {
        let known = &mut self.call;
        known.count = Some(known.count.unwrap_or(0).saturating_add(other.count.unwrap_or(0)));
        known.during = known.during.max(other.during);
        // What is sure anywhere is sure.
        known.doubtful &= other.doubtful;
        if other.first_seen_seconds < known.first_seen_seconds {
            known.first_seen_seconds = other.first_seen_seconds;
            known.command.clone_from(&other.command);
            path.clone_into(&mut self.path);
        }
    }

    /// Name, way, command, phase and count, in one line. `pid` is that of the process that was first refused.
    pub(super) fn line(&self, pid: Option<u32>) -> String {
        let call = &self.call;
        let name = call.name.as_deref().map_or_else(|| format!("number {}", call.number), escape);
        let how = call.refused.map(Refusal::display).unwrap_or_default();
        let command = call.command.as_deref().map(escape_once).unwrap_or_default();
        let pid = pid.map(|pid| format!("[{pid}]")).unwrap_or_default();
        let phase = call.during.map_or("", Phase::name);
        format!(
            "{name} ({})  {how}  times: {}  first by {command}{pid} in {}  ({phase})",
            call.abi.name(),
            call.count.unwrap_or(0),
            escape(&self.path)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denied(doubtful: bool) -> Call {
        Call {
            abi: Abi::X86_64,
            number: 83,
            name: Some("mkdir".to_owned()),
            phase: Phase::Denied,
            other_phases: Vec::new(),
            count: Some(1),
            first_seen_seconds: None,
            command: None,
            ambiguous: false,
            refused: Some(Refusal::Errno(14)),
            during: Some(Phase::Workload),
            doubtful,
        }
    }

    #[test]
    fn one_sure_denial_makes_the_call_denied_and_doubtful_ones_never_do() {
        for (first, second, together) in
            [(true, true, true), (true, false, false), (false, true, false)]
        {
            let mut known = DeniedCall { call: denied(first), path: "/a".to_owned() };
            known.add("/b", &denied(second));
            assert_eq!(known.call.doubtful, together, "{first} {second}");
        }
    }
}
