//! Denied calls, for people: one entry for each call and way, over all cgroups, in the order of
//! time.

use std::collections::BTreeMap;

use nix::sys::signal::Signal;

use crate::{
    profile::{answers, base, policy::Policy},
    recording::{Call, Circumstances, DenyOutcome, Ending, Next, Phase, Recording, denied},
    syscalls::{Abi, arguments},
    text::escape,
};

/// Whoever ended so much later, or made so many calls in between, ended for another reason.
const SOON_SECONDS: f64 = 1.0;
const FEW_CALLS: u32 = 1000;

/// A denied call, in all cgroups together.
#[derive(Clone)]
pub(super) struct DeniedCall {
    /// One of its entries; the count is that of all, the first sight the earliest.
    pub(super) call: Call,
    /// Path of the cgroup where it was first refused.
    pub(super) path: String,
    /// It was refused in other cgroups as well.
    elsewhere: bool,
}

/// The denied calls of a recording, in the order in which they were first refused.
pub(super) fn list(recording: &Recording) -> Vec<DeniedCall> {
    let mut found: BTreeMap<_, DeniedCall> = BTreeMap::new();
    for (path, whole) in denied::all(recording) {
        for call in denied::by_values(whole) {
            let key = (call.abi, call.number, call.outcome, denied::values(&call));
            found
                .entry(key)
                .and_modify(|known| known.add(path, &call))
                .or_insert_with(|| DeniedCall { call, path: path.to_owned(), elsewhere: false });
        }
    }
    let mut found: Vec<DeniedCall> = found.into_values().collect();
    found.sort_by(|one, other| {
        let time = |denied: &DeniedCall| denied.call.first_seen_seconds.unwrap_or(f64::MAX);
        time(one).total_cmp(&time(other))
    });
    found
}

impl DeniedCall {
    /// Why the refusal does no harm: the caller got an error number, and does without the call.
    pub(super) fn harmless(&self) -> Option<String> {
        self.only_tried().or_else(|| self.fallen_back_on())
    }

    /// Why the refusal is one that the profile means, or does no harm.
    pub(super) fn intended(&self, policy: &Policy) -> Option<String> {
        self.only_tried().or_else(|| self.answered_by(policy)).or_else(|| self.fallen_back_on())
    }

    /// A runtime only tries the call.
    fn only_tried(&self) -> Option<String> {
        self.call.outcome.and_then(DenyOutcome::errno)?;
        let (runtime, _) = base::optional_of_runtime(&self.call)?;
        Some(format!("harmless: {} only tries it, and goes on without it", runtime.name()))
    }

    /// The C library takes another call.
    fn fallen_back_on(&self) -> Option<String> {
        let other = answers::falls_back(&self.call)?;
        Some(format!("harmless: C libraries take {other} in its place"))
    }

    fn answered_by(&self, policy: &Policy) -> Option<String> {
        let errno = self.call.outcome.and_then(DenyOutcome::errno)?;
        let number = u32::try_from(self.call.number).ok()?;
        let made = self.call.circumstances.as_ref().and_then(|known| known.arguments);
        let answers = policy.answers(self.call.abi, number, made.as_ref(), errno);
        answers.then(|| "as the profile says; its caller goes on".to_owned())
    }

    fn add(&mut self, path: &str, other: &Call) {
        let known = &mut self.call;
        self.elsewhere |= path != self.path;
        known.count = Some(known.count.unwrap_or(0).saturating_add(other.count.unwrap_or(0)));
        known.denied_in_phase = known.denied_in_phase.max(other.denied_in_phase);
        // What is sure anywhere is sure.
        known.doubtful &= other.doubtful;
        if other.first_seen_seconds < known.first_seen_seconds {
            known.first_seen_seconds = other.first_seen_seconds;
            known.command.clone_from(&other.command);
            known.circumstances.clone_from(&other.circumstances);
            path.clone_into(&mut self.path);
        }
    }

    /// When, name, arguments, way, count, command, phase and what came next, in one line.
    pub(super) fn line(&self) -> String {
        let call = &self.call;
        let mut parts = Vec::new();
        parts.extend(call.first_seen_seconds.map(|seconds| format!("+{seconds:.3}s")));
        let how = call.outcome.map(DenyOutcome::display).unwrap_or_default();
        parts.push(format!("{} = {how}", self.invocation()));
        parts.extend(call.count.filter(|count| *count != 1).map(|count| format!("{count} times")));
        let command = call.command.as_deref().unwrap_or_default();
        let process = call.circumstances.as_ref().map(|known| format!("[{}]", known.process));
        let phase = call.denied_in_phase.map_or("", Phase::name);
        parts.push(format!("{command}{}  ({phase})", process.unwrap_or_default()));
        if self.elsewhere {
            parts.push(format!("first in {}", escape(&self.path)));
        }
        let next = call.circumstances.as_ref().and_then(|known| known.next);
        // How a thread ended that a filter killed is known.
        let next = next.filter(|_| call.outcome != Some(DenyOutcome::ThreadKilled));
        parts.extend(next.map(what_came_next));
        parts.join("  ")
    }

    /// The name of the call, with the arguments as far as they are known.
    fn invocation(&self) -> String {
        let call = &self.call;
        let name = call.name.as_deref();
        let name =
            name.map_or_else(|| format!("number {}", call.number), |name| escape(name).into());
        let abi = match call.abi {
            Abi::NATIVE => String::new(),
            abi => format!(" ({})", abi.name()),
        };
        let made = call.circumstances.as_ref().map(Circumstances::made).unwrap_or_default();
        let is_looked_at = arguments::watched(call.abi, &name).next().is_some();
        match made.arguments {
            Some(registers) if is_looked_at => {
                let written = arguments::call_with(&name, &registers, made.pointed);
                format!("{}{abi}", written.unwrap_or(name))
            }
            Some(registers) => {
                let registers = registers.map(|register| format!("{register:#x}")).join(", ");
                format!("{name}({registers}){abi}")
            }
            // See `by_values`.
            None if is_looked_at
                && call.circumstances.is_none()
                && call.outcome != Some(DenyOutcome::Logged) =>
            {
                format!("{name}(other values){abi}")
            }
            None => format!("{name}{abi}"),
        }
    }
}

/// What a thread did after the call was refused to it.
fn what_came_next(next: Next) -> String {
    let Next::Ended { after_seconds, calls, how } = next else { return "went on".to_owned() };
    let later = if after_seconds < 1e-4 {
        format!("{:.0} µs later", after_seconds * 1e6)
    } else if after_seconds < 1.0 {
        format!("{:.1} ms later", after_seconds * 1e3)
    } else {
        format!("{after_seconds:.1} s later")
    };
    let went_on = if after_seconds > SOON_SECONDS || calls > FEW_CALLS || how == Ending::Exit(0) {
        "went on, "
    } else {
        ""
    };
    match how {
        Ending::Exit(code) => format!("{went_on}ended {later} with status {code}"),
        Ending::Signal(number) => {
            let signal = i32::try_from(number).ok().and_then(|it| Signal::try_from(it).ok());
            let signal = signal.map_or_else(|| format!("signal {number}"), |it| it.to_string());
            format!("{went_on}ended {later} by {signal}")
        }
        Ending::Thread => format!("{went_on}the thread ended {later}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::testing;

    fn denied(doubtful: bool) -> Call {
        Call { doubtful, ..testing::denied(testing::call("mkdir"), DenyOutcome::Errno(14)) }
    }

    #[test]
    fn one_sure_denial_makes_the_call_denied_and_doubtful_ones_never_do() {
        for (first, second, together) in
            [(true, true, true), (true, false, false), (false, true, false)]
        {
            let mut known =
                DeniedCall { call: denied(first), path: "/a".to_owned(), elsewhere: false };
            known.add("/b", &denied(second));
            assert_eq!(known.call.doubtful, together, "{first} {second}");
        }
    }

    fn next(after_seconds: f64, calls: u32, how: Ending) -> String {
        what_came_next(Next::Ended { after_seconds, calls, how })
    }

    #[test]
    fn who_ends_soon_is_told_from_who_goes_on() {
        assert_eq!(what_came_next(Next::WentOn), "went on");
        assert_eq!(next(0.000_21, 2, Ending::Exit(1)), "ended 0.2 ms later with status 1");
        assert_eq!(next(0.0005, 9, Ending::Exit(0)), "went on, ended 0.5 ms later with status 0");
        assert_eq!(next(0.1, 5000, Ending::Exit(2)), "went on, ended 100.0 ms later with status 2");
        assert_eq!(next(3.0, 1, Ending::Exit(1)), "went on, ended 3.0 s later with status 1");
        assert_eq!(next(0.000_042, 0, Ending::Signal(31)), "ended 42 µs later by SIGSYS");
        assert_eq!(next(0.001, 4, Ending::Thread), "the thread ended 1.0 ms later");
    }

    #[test]
    fn what_the_c_library_falls_back_on_is_harmless() {
        let harmless = |number, errno| {
            let call = Call { number, outcome: Some(DenyOutcome::Errno(errno)), ..denied(false) };
            DeniedCall { call, path: "/a".to_owned(), elsewhere: false }.harmless()
        };
        let line = harmless(435, 38).expect("clone3");
        assert_eq!(line, "harmless: C libraries take clone in its place");
        assert_eq!(harmless(435, 1), None, "another answer ends the attempt");
        assert_eq!(harmless(56, 38), None);
    }

    #[test]
    fn arguments_that_are_looked_at_have_names() {
        let mut call = Call { number: 41, name: Some("socket".to_owned()), ..denied(false) };
        let line = |call: &Call| {
            DeniedCall { call: call.clone(), path: "/a".to_owned(), elsewhere: false }.invocation()
        };
        assert_eq!(line(&call), "socket(other values)");
        call.outcome = Some(DenyOutcome::Logged);
        assert_eq!(line(&call), "socket");
        let circumstances = testing::circumstances(1, Some([40, 1, 0, 7, 7, 7]));
        call.circumstances = Some(circumstances.clone());
        assert_eq!(line(&call), "socket(AF_VSOCK, SOCK_STREAM, 0)");
        call.circumstances = Some(Circumstances { arguments: None, ..circumstances.clone() });
        assert_eq!(line(&call), "socket");
        let clone3 = Call {
            abi: Abi::I386,
            number: 435,
            name: Some("clone3".to_owned()),
            circumstances: Some(Circumstances { pointed: Some(0x1000_0000), ..circumstances }),
            ..call
        };
        assert_eq!(line(&clone3), "clone3({flags=CLONE_NEWUSER}, 0x1) (i386)");
    }

    #[test]
    fn a_line_has_what_is_known() {
        let mut call = denied(false);
        call.command = Some(escape("cp"));
        call.first_seen_seconds = Some(0.25);
        let line = |call: &Call| {
            DeniedCall { call: call.clone(), path: "/a".to_owned(), elsewhere: false }.line()
        };
        assert_eq!(line(&call), "+0.250s  mkdir = EFAULT  cp  (workload)");
        call.count = Some(3);
        call.circumstances = Some(Circumstances {
            next: Some(Next::WentOn),
            ..testing::circumstances(42, Some([0x7f00, 0o755, 0, 0, 0, 0]))
        });
        assert_eq!(
            line(&call),
            "+0.250s  mkdir(0x7f00, 0x1ed, 0x0, 0x0, 0x0, 0x0) = EFAULT  3 times  cp[42]  (workload)  went on"
        );
    }
}
