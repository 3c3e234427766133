//! First sights as they happen: what `--events` writes, and what the live view shows.

use serde::Serialize;

use super::{Phase, Refusal};
use crate::syscalls::Abi;

/// A call of the target that was seen, or refused in this way, for the first time in its cgroup.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NewCall {
    /// Seconds since the recording began.
    pub seconds: f64,
    /// Path of the cgroup, escaped.
    pub cgroup: String,
    /// The ABI it was called through.
    pub abi: Abi,
    /// The number in that ABI's table.
    pub number: i32,
    /// Its name, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'static str>,
    /// How it was made, of a denied call whose arguments are looked at: `socket(AF_VSOCK, SOCK_STREAM, 0)`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invocation: Option<String>,
    /// Process id in the initial pid namespace.
    pub pid: u32,
    /// Command name, escaped.
    pub command: String,
    /// How it was refused: of a denied call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refusal>,
    /// The phase in which it was refused, as far as it is known by then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub during: Option<Phase>,
}

impl NewCall {
    /// The call for people: how it was made, its name, or its number, with the ABI when that is not x86_64.
    pub fn display(&self) -> String {
        let name = || self.name.map_or_else(|| format!("syscall_{}", self.number), str::to_owned);
        let name = self.invocation.clone().unwrap_or_else(name);
        match self.abi {
            Abi::X86_64 => name,
            abi => format!("{name} ({})", abi.name()),
        }
    }
}
