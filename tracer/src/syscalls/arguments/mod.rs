//! How the values of arguments are written for people: `socket(AF_VSOCK, SOCK_STREAM, 0)`.

mod files;
mod names;
mod processes;
mod requests;
mod sockets;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use tracer_ebpf::{
    ToldApart,
    arguments::{ARGUMENTS, LOWER_HALF, Source, WatchedArgument},
};

use self::names::decimal;
use super::Abi;

/// The arguments of a call that are looked at, in the order of the table.
pub fn watched(abi: Abi, call: &str) -> impl Iterator<Item = &'static WatchedArgument> {
    ARGUMENTS.iter().filter(move |argument| argument.call == call && number(argument, abi) >= 0)
}

/// The bits of an argument that count, in each of its entries of the table.
pub fn masks(call: &str, index: u8) -> Vec<u64> {
    let entries = ARGUMENTS.iter().filter(|one| one.call == call && one.index == index);
    entries.map(|argument| argument.mask).collect()
}

/// What tells refused calls apart, of each call of the table.
pub fn told_apart() -> Vec<(Abi, i32, ToldApart)> {
    let mut all: BTreeMap<(Abi, i32), ToldApart> = BTreeMap::new();
    for (argument, abi) in ARGUMENTS.iter().flat_map(|one| Abi::ALL.map(|abi| (one, abi))) {
        let number = number(argument, abi);
        if number < 0 {
            continue;
        }
        let apart = all.entry((abi, number)).or_default();
        match (argument.source, apart.masks.get_mut(usize::from(argument.index))) {
            (Source::Memory, _) => apart.pointed |= argument.mask,
            (Source::Register, Some(mask)) => *mask |= argument.mask,
            (Source::Register, None) => {}
        }
    }
    all.into_iter().map(|((abi, number), apart)| (abi, number, apart)).collect()
}

/// The call's number in an ABI's table; below 0 when it has none.
fn number(argument: &WatchedArgument, abi: Abi) -> i32 {
    match abi {
        Abi::X86_64 => argument.numbers.x86_64,
        Abi::I386 => argument.numbers.i386,
        Abi::X32 => argument.numbers.x32,
    }
}

/// One value of an argument, by its name; in hexadecimal where it has none.
///
/// A protocol means something else in each family, and an option of a socket at each level: alone
/// they are decimal numbers.
pub fn value(call: &str, index: u8, value: u64) -> String {
    match (call, index) {
        ("socket" | "socketpair", 2) | ("setsockopt", 2) => decimal(value),
        _ => name(call, index, value, &[0; 6]),
    }
}

/// A call with its registers, when the table looks at one of its arguments: those that it looks at
/// by name, those before them in hexadecimal, and none behind the last one.
pub fn call(call: &str, registers: &[u64; 6]) -> Option<String> {
    let watched = || ARGUMENTS.iter().filter(move |argument| argument.call == call);
    let last = watched().map(|argument| argument.index).max()?;
    let written = (0..=last).map(|index| {
        let register = registers.get(usize::from(index)).copied().unwrap_or_default();
        match watched().find(|argument| argument.index == index) {
            Some(argument) if argument.source == Source::Register => {
                name(call, index, register & LOWER_HALF, registers)
            }
            _ => format!("{register:#x}"),
        }
    });
    Some(format!("{call}({})", written.collect::<Vec<_>>().join(", ")))
}

/// The same of a call whose first argument points to what is looked at, which is its first 64 bits.
pub fn call_with(of: &str, registers: &[u64; 6], pointed: Option<u64>) -> Option<String> {
    match pointed {
        Some(flags) if of == "clone3" => {
            Some(format!("{of}({{flags={}}}, {:#x})", value(of, 0, flags), registers[1]))
        }
        _ => call(of, registers),
    }
}

/// A value by its name. What it means may depend on an argument before it.
fn name(call: &str, index: u8, value: u64, registers: &[u64; 6]) -> String {
    let first = registers[0] & LOWER_HALF;
    let second = registers[1] & LOWER_HALF;
    match (call, index) {
        ("socket" | "socketpair", 0) => sockets::family(value),
        ("socket" | "socketpair", 1) => sockets::kind(value),
        ("socket" | "socketpair", 2) => sockets::protocol(first, value),
        ("setsockopt", 1) => sockets::level(value),
        ("setsockopt", 2) => sockets::option(second, value),
        ("clone", 0) => processes::clone_flags(value),
        ("clone3" | "unshare", 0) | ("setns", 1) => processes::clone_bits(value),
        ("personality", 0) => processes::personality(value),
        ("prctl", 0) => processes::prctl(value),
        ("prlimit64", 1) => processes::resource(value),
        ("kcmp", 2) => processes::kcmp(value),
        ("seccomp", 0) => processes::seccomp(value),
        ("arch_prctl", 0) => processes::arch_prctl(value),
        ("ioctl", 1) => requests::request(value),
        ("mmap" | "mmap2" | "mprotect" | "pkey_mprotect", 2) => files::protection(value),
        ("madvise", 2) => files::advice(value),
        ("fcntl" | "fcntl64", 1) => files::fcntl(value),
        ("keyctl", 0) => files::keyctl(value),
        ("bpf", 0) => files::bpf(value),
        _ => format!("{value:#x}"),
    }
}
