//! What an architecture is, as data. Each one has a module of its own beside this one.

use serde::{Deserialize, Serialize};

/// The ABI a system call was made through.
///
/// ABIs are sorted with the native one first. They stand for the architectures of a seccomp filter
/// as well: each ABI is one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Abi {
    /// 64-bit calls: `syscall`.
    #[serde(rename = "x86_64")]
    X86_64,
    /// 32-bit calls: `int 0x80` or SYSENTER, also from a 64-bit process.
    I386,
    /// 64-bit calls with 32-bit pointers: bit 30 of the number is set.
    X32,
}

/// An architecture, and the ABIs that its kernel answers.
#[derive(Debug)]
pub struct Architecture {
    /// The machine, as uname(2) names it.
    pub machine: &'static str,
    /// The name that Go gives it, and that profiles use in `arches`.
    pub go_name: &'static str,
    /// Its ABIs, in the order of [`Abi`]; the native one first.
    pub abis: &'static [AbiDescription],
    /// The ABI and the number in its table, of a number as the kernel reports it. See
    /// [`super::classify`].
    pub(super) classify: fn(number: i32, compat: bool) -> (Abi, i32),
    /// The newest number that has a name in the tables, and the end of the range in which newer
    /// calls get theirs.
    pub(super) newest: (i32, i32),
    /// How many names the native table has.
    pub native_names: usize,
    /// Native calls by which a container runtime enters the container's root.
    pub enters_root: &'static [u32],
    /// Native calls that the kernel makes in a program's name, past every filter.
    pub past_filters: &'static [i32],
}

/// What is particular to an ABI.
#[derive(Debug)]
pub struct AbiDescription {
    /// The ABI.
    pub abi: Abi,
    /// Its name, as recordings spell it.
    pub name: &'static str,
    /// The token of its architecture in profiles (`config-linux.md`, "architectures").
    pub seccomp_arch: &'static str,
    /// The architecture that the kernel shows to filters and in audit records
    /// (`include/uapi/linux/audit.h`).
    pub audit_arch: u32,
    /// The bit that marks its numbers where another ABI has the same `audit_arch`; else 0.
    pub number_bit: i32,
    /// Its calls come through the 32-bit entry.
    pub compat: bool,
    /// The value of `tracer_ebpf::architecture::abi` for its arguments.
    pub argument_kind: u8,
    /// The bits of a register that an argument has.
    pub argument_mask: u64,
    /// Some of its calls can be reached through `socketcall` and `ipc` as well.
    pub multiplexes: bool,
    /// One past the last number of its table.
    pub(super) end: i32,
    /// The name of a number in its table.
    pub(super) name_of: fn(usize) -> Option<&'static str>,
    /// What its programs call in the place of a native call: the native name and this one.
    pub form_of: fn(&str) -> Option<(&'static str, &'static str)>,
    /// Calls that its vDSO answers besides those that the native vDSO answers.
    pub own_vdso: &'static [&'static str],
}
