//! What a refused call was made with, and what came next: a program that falls back to another call
//! goes on, one that cannot do without it ends.

use serde::{Deserialize, Serialize};
use tracer_ebpf::{ThreadEnd, known};

use super::{facts::DenialFacts, made::Made};
use crate::text::Escaped;

/// The part of an exit status that tells the signal, and where the exit code is (wait(2)).
const SIGNAL_MASK: u32 = 0x7f;
const CODE_SHIFT: u32 = 8;
const CODE_MASK: u32 = 0xff;
/// The most calls that a thread can be known to have made: its counter begins anew then.
const CALLS_MASK: u32 = u32::MAX >> tracer_ebpf::task_state::CALLS_SHIFT;

/// What is known of a refused call besides how it was refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Circumstances {
    /// Process id of the first caller, in the initial pid namespace.
    pub process: u32,
    /// The six arguments of the first call, as they were in the registers: a call need not have so
    /// many. Absent without kernel BTF.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "hexadecimal")]
    pub arguments: Option<[u64; 6]>,
    /// The first 64 bits of what its first argument points to, of a call of which these are looked
    /// at. Absent of other calls, and when they could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "hexadecimal_one")]
    pub pointed: Option<u64>,
    /// What came next, after the last one. Absent when that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Next>,
    /// The same call with other values of the arguments that are looked at
    /// ([`crate::syscalls::arguments`]), in the order in which they were first seen. What stands
    /// beside this is of the first value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<OtherValues>,
    /// Calls with further values, which are not distinguished.
    #[serde(default, skip_serializing_if = "is_none")]
    pub untold: u64,
}

impl Circumstances {
    /// Its times, in seconds, each with the name of its field.
    pub(super) fn times(&self) -> impl Iterator<Item = (&'static str, f64)> {
        let first = self.others.iter().map(|other| other.first_seen_seconds);
        let first = first.map(|seconds| ("a call's \"first_seen_seconds\"", seconds));
        let nexts = self.others.iter().filter_map(|other| other.next).chain(self.next);
        let ends = nexts.filter_map(|next| match next {
            Next::Ended { after_seconds, .. } => {
                Some(("a call's \"after_seconds\"", after_seconds))
            }
            Next::WentOn => None,
        });
        first.chain(ends)
    }
}

/// A refused call once more, with other values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OtherValues {
    /// When it was first refused with these, in seconds since the recording began.
    pub first_seen_seconds: f64,
    /// Command name of the first caller. Escaped on output.
    pub command: Escaped,
    /// How many calls.
    pub count: u64,
    /// See [`Circumstances::process`].
    pub process: u32,
    /// See [`Circumstances::arguments`].
    #[serde(default, skip_serializing_if = "Option::is_none", with = "hexadecimal")]
    pub arguments: Option<[u64; 6]>,
    /// See [`Circumstances::pointed`].
    #[serde(default, skip_serializing_if = "Option::is_none", with = "hexadecimal_one")]
    pub pointed: Option<u64>,
    /// See [`Circumstances::next`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Next>,
}

/// What a thread did after a call was refused to it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Next {
    /// It made further calls, and had not ended when the recording did.
    WentOn,
    /// It ended.
    Ended {
        /// Seconds between the two.
        after_seconds: f64,
        /// Calls that it made in between.
        calls: u32,
        /// How.
        how: Ending,
    },
}

/// How a thread ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// Its process exited with this code.
    Exit(u32),
    /// This signal ended its process.
    Signal(u32),
    /// The thread ended, and its process went on.
    Thread,
}

impl Circumstances {
    /// What the first value of the call was.
    pub fn made(&self) -> Made {
        Made { arguments: self.arguments, pointed: self.pointed }
    }

    /// From the kernel side's facts.
    pub(super) fn of(facts: &DenialFacts) -> Self {
        let denial = &facts.denial;
        let before = (denial.last_thread >> 32) as u32;
        let made = |calls: u32| calls.wrapping_sub(before) & CALLS_MASK;
        let next = match (&facts.end, facts.calls_now) {
            (Some(end), _) => Some(Next::Ended {
                after_seconds: end.time.saturating_sub(denial.last_seen) as f64 / 1e9,
                calls: made(end.calls),
                how: Ending::of(end),
            }),
            (None, Some(now)) if made(now) > 0 => Some(Next::WentOn),
            (None, _) => None,
        };
        let values = &denial.values;
        Self {
            process: values.pid,
            arguments: (values.known & known::ARGUMENTS != 0).then_some(values.arguments),
            pointed: (values.known & known::POINTED != 0).then_some(values.pointed),
            next,
            others: Vec::new(),
            untold: 0,
        }
    }
}

impl Ending {
    fn of(end: &ThreadEnd) -> Self {
        match (end.whole, end.status & SIGNAL_MASK) {
            (0, _) => Self::Thread,
            (_, 0) => Self::Exit(end.status >> CODE_SHIFT & CODE_MASK),
            (_, signal) => Self::Signal(signal),
        }
    }
}

fn is_none(calls: &u64) -> bool {
    *calls == 0
}

/// Arguments as people read them: `"0x1f"`.
mod hexadecimal {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(
        arguments: &Option<[u64; 6]>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        arguments.map(|arguments| arguments.map(|one| format!("{one:#x}"))).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<[u64; 6]>, D::Error> {
        let Some(texts) = Option::<[String; 6]>::deserialize(deserializer)? else {
            return Ok(None);
        };
        let mut arguments = [0; 6];
        for (argument, text) in arguments.iter_mut().zip(&texts) {
            *argument = number(text).map_err(D::Error::custom)?;
        }
        Ok(Some(arguments))
    }

    pub(super) fn number(text: &str) -> Result<u64, &'static str> {
        let digits = text.strip_prefix("0x").filter(|digits| !digits.starts_with('+'));
        digits
            .and_then(|digits| u64::from_str_radix(digits, 16).ok())
            .ok_or("an argument is not written like 0x1f")
    }
}

/// One number, written like those.
mod hexadecimal_one {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    use super::hexadecimal::number;

    pub(super) fn serialize<S: Serializer>(
        one: &Option<u64>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        one.map(|one| format!("{one:#x}")).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<u64>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| number(&text).map_err(D::Error::custom)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use tracer_ebpf::{Denial, DenialKey, EvidenceKey, Values};

    use super::*;

    fn facts_of(end: Option<ThreadEnd>, calls_now: Option<u32>) -> DenialFacts {
        let call = EvidenceKey { cgroup: 7, number: 83, class: 1, compat: 0, reserved: 0 };
        let denial = Denial {
            first_seen: 1_000,
            count: 2,
            command: [0; 16],
            values: Values { arguments: [1, 2, 3, 4, 5, 6], pointed: 7, known: 1, pid: 40 },
            last_seen: 5_000_000,
            last_thread: 10 << 32 | 41,
        };
        let key = DenialKey { call, outcome: 1, place: 0 };
        DenialFacts { key, denial, end, calls_now }
    }

    fn ended(status: u32, whole: u32) -> Option<Next> {
        let end = ThreadEnd { time: 7_000_000, calls: 13, status, whole, reserved: 0 };
        Circumstances::of(&facts_of(Some(end), None)).next
    }

    #[test]
    fn what_came_next_is_told_by_the_thread_that_was_refused_last() {
        let how = |how| Some(Next::Ended { after_seconds: 0.002, calls: 3, how });
        assert_eq!(ended(1 << 8, 1), how(Ending::Exit(1)));
        assert_eq!(ended(0, 1), how(Ending::Exit(0)));
        assert_eq!(ended(31 | 0x80, 1), how(Ending::Signal(31)), "with a core dump");
        assert_eq!(ended(0, 0), how(Ending::Thread));
        let next = |calls| Circumstances::of(&facts_of(None, calls)).next;
        assert_eq!(next(Some(12)), Some(Next::WentOn));
        assert_eq!(next(Some(10)), None, "no call since");
        assert_eq!(next(None), None, "nobody knows the thread");
    }

    #[test]
    fn what_could_not_be_read_is_absent() {
        let of = |known| {
            let mut facts = facts_of(None, None);
            facts.denial.values.known = known;
            let found = Circumstances::of(&facts);
            (found.arguments, found.pointed)
        };
        assert_eq!(of(0), (None, None));
        assert_eq!(of(known::ARGUMENTS), (Some([1, 2, 3, 4, 5, 6]), None));
        assert_eq!(of(known::ARGUMENTS | known::POINTED), (Some([1, 2, 3, 4, 5, 6]), Some(7)));
    }

    #[test]
    fn the_number_of_calls_may_begin_anew() {
        let mut facts = facts_of(None, Some(1));
        facts.denial.last_thread = u64::from(CALLS_MASK) << 32 | 41;
        assert_eq!(Circumstances::of(&facts).next, Some(Next::WentOn));
    }
}
