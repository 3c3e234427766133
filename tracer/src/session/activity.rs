//! The new calls of the targets so far: what the status line shows, and when `--until-quiet` ends.

use std::time::{Duration, Instant};

use crate::recording::{Phase, event::NewCall};

/// How many new calls there were, and when the last one came.
#[derive(Debug, Default)]
pub(super) struct Activity {
    /// Different calls per cgroup, denied ones included; values of arguments do not count.
    pub(super) calls: usize,
    /// Beside them, those that runtimes made to set containers up.
    pub(super) set_up: usize,
    /// Those of [`Self::calls`] that were denied.
    pub(super) denied: usize,
    /// The denied call that came last, and the command that made it.
    pub(super) last_denied: Option<String>,
    last_new: Option<Instant>,
}

impl Activity {
    /// Counts a new call, or a new value of an argument.
    pub(super) fn add(&mut self, new: &NewCall, phase: Phase, now: Instant) {
        let counted = if phase == Phase::Setup { &mut self.set_up } else { &mut self.calls };
        *counted += usize::from(new.argument.is_none());
        self.last_new = Some(now);
        if new.outcome.is_some() {
            self.denied += 1;
            self.last_denied = Some(format!("{}, to {}", new.display(), new.command));
        }
    }

    /// How long there was no new call or value; None before the first one.
    pub(super) fn quiet_for(&self, now: Instant) -> Option<Duration> {
        self.last_new.map(|last| now.saturating_duration_since(last))
    }
}

/// How many calls per second the targets make.
#[derive(Debug, Default)]
pub(super) struct CallRate {
    last: Option<(Instant, u64)>,
}

impl CallRate {
    /// The calls per second since the last time, when there were so many in all by now; 0 at first.
    pub(super) fn at(&mut self, now: Instant, calls: u64) -> f64 {
        let (then, before) = self.last.replace((now, calls)).unwrap_or((now, calls));
        let seconds = now.saturating_duration_since(then).as_secs_f64().max(1e-3);
        calls.saturating_sub(before) as f64 / seconds
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        recording::{DenyOutcome, event::NewValue},
        syscalls::Abi,
        text::escape,
    };

    fn call(outcome: Option<DenyOutcome>, argument: Option<NewValue>) -> NewCall {
        NewCall {
            seconds: 0.0,
            cgroup: escape("/a"),
            abi: Abi::X86_64,
            number: 257,
            name: Some("openat"),
            invocation: None,
            pid: 1,
            command: escape("cat"),
            outcome,
            denied_in_phase: None,
            argument,
        }
    }

    #[test]
    fn quiet_is_the_time_since_the_last_new_call_or_value() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut activity = Activity::default();
        assert_eq!(activity.quiet_for(at(100)), None, "nothing came yet");
        activity.add(&call(None, None), Phase::Workload, at(1));
        assert_eq!(activity.quiet_for(at(4)), Some(Duration::from_secs(3)));
        let value = call(None, Some(NewValue { index: 0, mask: 1, value: Some(1) }));
        activity.add(&value, Phase::Workload, at(5));
        assert_eq!(activity.quiet_for(at(7)), Some(Duration::from_secs(2)));
        assert_eq!(activity.calls, 1, "a value is no call");
        activity.add(&call(None, None), Phase::Setup, at(8));
        assert_eq!(activity.quiet_for(at(9)), Some(Duration::from_secs(1)));
        assert_eq!((activity.calls, activity.set_up), (1, 1), "they are counted apart");
    }

    #[test]
    fn denied_calls_are_calls_and_the_last_one_is_kept() {
        let mut activity = Activity::default();
        activity.add(&call(None, None), Phase::Workload, Instant::now());
        let denied = call(Some(DenyOutcome::Logged), None);
        activity.add(&denied, Phase::ContainerInit, Instant::now());
        assert_eq!((activity.calls, activity.denied), (2, 1));
        assert_eq!(activity.last_denied.as_deref(), Some("openat, to cat"));
    }

    #[test]
    fn a_rate_is_that_of_the_time_since_the_last_count() {
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let mut rate = CallRate::default();
        assert_eq!(rate.at(at(0), 1000), 0.0, "there is no earlier count");
        assert_eq!(rate.at(at(250), 1500), 2000.0);
        assert_eq!(rate.at(at(500), 1500), 0.0);
        assert_eq!(rate.at(at(750), 100), 0.0, "a cgroup is gone, and its calls with it");
    }
}
