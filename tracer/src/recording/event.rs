//! First sights as they happen: what `--events` writes, and what the live view shows.

use serde::Serialize;
use tracer_ebpf::arguments::ARGUMENTS;

use super::{DenyOutcome, Phase};
use crate::{
    syscalls::{Abi, arguments},
    text::Escaped,
};

/// A call of the target that was seen, or refused in this way, for the first time in its cgroup.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NewCall {
    /// Seconds since the recording began.
    pub seconds: f64,
    /// Path of the cgroup, escaped.
    pub cgroup: Escaped,
    /// The ABI it was called through.
    pub abi: Abi,
    /// The number in that ABI's table.
    pub number: i32,
    /// Its name, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'static str>,
    /// How it was made, of a denied call whose arguments are looked at: `socket(AF_VSOCK,
    /// SOCK_STREAM, 0)`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invocation: Option<String>,
    /// Process id in the initial pid namespace.
    pub pid: u32,
    /// Command name, escaped.
    pub command: Escaped,
    /// What the filter did with it: of a denied call.
    #[serde(rename = "refused", skip_serializing_if = "Option::is_none")]
    pub outcome: Option<DenyOutcome>,
    /// The phase in which it was denied, as far as it is known by then.
    #[serde(rename = "during", skip_serializing_if = "Option::is_none")]
    pub denied_in_phase: Option<Phase>,
    /// The value that is new, of a call that was seen before with other ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub argument: Option<NewValue>,
}

/// A value of an argument that was seen for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct NewValue {
    /// Which argument, from 0.
    pub index: u8,
    /// The bits of it that count.
    pub mask: u64,
    /// The value, cut to the mask. None: there are too many, or it could not be read, and from now
    /// on every value counts as seen.
    pub value: Option<u64>,
}

impl NewValue {
    /// Another entry of the table has the same bits of the argument, and more: a line about that
    /// tells as much.
    pub fn is_part_of_another(&self, call: Option<&str>) -> bool {
        ARGUMENTS.iter().filter(|entry| Some(entry.call) == call).any(|entry| {
            entry.index == self.index
                && entry.mask != self.mask
                && entry.mask & self.mask == self.mask
        })
    }
}

impl NewCall {
    /// The call for people: how it was made, its name, or its number, with the ABI when that is not
    /// the native one.
    pub fn display(&self) -> String {
        let mut name = self.name.map_or_else(|| format!("syscall_{}", self.number), str::to_owned);
        if let Some(invocation) = &self.invocation {
            name.clone_from(invocation);
        } else if let Some(NewValue { index, value, .. }) = self.argument {
            let value = value
                .map_or_else(|| "any".to_owned(), |value| arguments::value(&name, index, value));
            name = format!("{name}({}{value})", "_, ".repeat(usize::from(index)));
        }
        match self.abi {
            Abi::NATIVE => name,
            abi => format!("{name} ({})", abi.name()),
        }
    }
}
