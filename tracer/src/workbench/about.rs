//! What each syscall does, in one line, and the group that it belongs to.
//!
//! The table is `profiles/syscalls.tsv`; it is embedded, so that there is one truth.

use std::{collections::BTreeMap, sync::LazyLock};

use serde::Serialize;

use crate::syscalls::{self, Abi};

const TABLE: &str = include_str!("../../../profiles/syscalls.tsv");

/// What a syscall is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SyscallGroup {
    /// Paths, files and their metadata.
    Files,
    /// Reading, writing and waiting, whatever the descriptor is of.
    Descriptors,
    /// Sockets.
    Network,
    /// Processes, threads, their scheduling and limits.
    Processes,
    /// Users, groups and capabilities.
    Identity,
    /// Signals.
    Signals,
    /// Locks, queues, and what processes share.
    Ipc,
    /// The address space.
    Memory,
    /// Clocks and timers.
    Time,
    /// Namespaces and mounts.
    Namespaces,
    /// The kernel itself and the machine.
    Kernel,
}

impl SyscallGroup {
    /// Every group, in the order in which they are written.
    pub const ALL: [Self; 11] = [
        Self::Files,
        Self::Descriptors,
        Self::Network,
        Self::Processes,
        Self::Identity,
        Self::Signals,
        Self::Ipc,
        Self::Memory,
        Self::Time,
        Self::Namespaces,
        Self::Kernel,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Descriptors => "descriptors",
            Self::Network => "network",
            Self::Processes => "processes",
            Self::Identity => "identity",
            Self::Signals => "signals",
            Self::Ipc => "ipc",
            Self::Memory => "memory",
            Self::Time => "time",
            Self::Namespaces => "namespaces",
            Self::Kernel => "kernel",
        }
    }
}

/// What is known of a syscall.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct About {
    /// What it is about.
    pub group: SyscallGroup,
    /// What it does.
    pub does: String,
}

/// What is known of a syscall of any ABI; None for a name that is none.
pub fn about(name: &str) -> Option<About> {
    let known = |name: &str| table().get(name).copied();
    if let Some((group, does)) = known(name) {
        return Some(About { group, does: does.to_owned() });
    }
    let of = native_form(name)?;
    let (group, does) = known(of)?;
    Some(About { group, does: format!("{does}; the form of {of} for 32-bit programs") })
}

/// The native syscall in whose place programs of another ABI make this one.
fn native_form(name: &str) -> Option<&'static str> {
    let forms = Abi::ALL.map(|abi| abi.description().form_of);
    let mut natives = syscalls::entries(Abi::NATIVE).map(|(_, native)| native);
    natives.find(|native| forms.iter().any(|of| of(native).is_some_and(|(_, form)| form == name)))
}

fn table() -> &'static BTreeMap<&'static str, (SyscallGroup, &'static str)> {
    static PARSED: LazyLock<BTreeMap<&'static str, (SyscallGroup, &'static str)>> =
        LazyLock::new(|| TABLE.lines().filter_map(parse).collect());
    &PARSED
}

/// One line of the table; None for a comment.
fn parse(line: &'static str) -> Option<(&'static str, (SyscallGroup, &'static str))> {
    let mut columns = line.split('\t');
    let (name, group, does) = (columns.next()?, columns.next()?, columns.next()?);
    let group = SyscallGroup::ALL.into_iter().find(|one| one.name() == group)?;
    Some((name, (group, does)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_syscall_has_a_line() {
        for abi in Abi::ALL {
            for (number, name) in syscalls::entries(abi) {
                let about = about(name).unwrap_or_else(|| panic!("{name} ({number})"));
                assert!(about.does.len() > 8 && about.does.is_ascii(), "{name}: {}", about.does);
            }
        }
        assert_eq!(about("read").map(|it| it.group), Some(SyscallGroup::Descriptors));
        let form = about("fcntl64").expect("it is a form");
        assert!(form.does.ends_with("the form of fcntl for 32-bit programs"), "{}", form.does);
        assert_eq!(about("no_call"), None);
    }

    #[test]
    fn every_line_is_of_a_syscall_and_short() {
        let lines = TABLE.lines().filter(|line| !line.starts_with('#'));
        let lines: Vec<&str> = lines.collect();
        for line in &lines {
            let (name, (_, does)) = parse(line).unwrap_or_else(|| panic!("{line}"));
            assert!(syscalls::is_known(name), "{name}");
            assert!(does.len() <= 90 && !does.ends_with('.'), "{name}");
            assert_eq!(line.split('\t').count(), 3, "{name}");
        }
        assert_eq!(table().len(), lines.len(), "no name comes twice");
    }
}
