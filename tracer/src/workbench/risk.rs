//! Calls with which much harm can be done, by what they give a program that was taken over.

use tracer_ebpf::arguments::{NAMESPACES, NEW_TIME};

/// Calls of one kind.
#[derive(Debug)]
pub struct Risk {
    /// The kind, in a few words.
    pub name: &'static str,
    /// What a program can do with them.
    pub why: &'static str,
    /// The calls.
    calls: &'static [&'static str],
    /// Every program needs some of them, so that they are worth a remark and no reason to refuse a
    /// profile.
    pub only_remarked: bool,
}

/// The kinds, the worst first.
///
/// Which calls belong together follows what Docker's default profile refuses and why
/// (`docs.docker.com/engine/security/seccomp`, "Significant syscalls blocked by the default
/// profile"), and which calls published exploits of the kernel and escapes from containers begin
/// with.
pub const RISKS: [Risk; 9] = [
    Risk {
        name: "kernel code",
        why: "runs code in the kernel",
        calls: &[
            "bpf",
            "delete_module",
            "finit_module",
            "init_module",
            "kexec_file_load",
            "kexec_load",
        ],
        only_remarked: false,
    },
    Risk {
        name: "namespaces and mounts",
        why: "changes what the container is made of; the usual way out of it",
        calls: &[
            "chroot",
            "fsconfig",
            "fsmount",
            "fsopen",
            "fspick",
            "mount",
            "mount_setattr",
            "move_mount",
            "open_tree",
            "open_tree_attr",
            "pivot_root",
            "setns",
            "umount",
            "umount2",
            "unshare",
        ],
        only_remarked: false,
    },
    Risk {
        name: "other processes",
        why: "reads or changes other processes",
        calls: &[
            "kcmp",
            "pidfd_getfd",
            "process_madvise",
            "process_vm_readv",
            "process_vm_writev",
            "ptrace",
        ],
        only_remarked: false,
    },
    Risk {
        name: "kernel attack surface",
        why: "a part of the kernel that many exploits begin in",
        calls: &[
            "add_key",
            "io_uring_enter",
            "io_uring_register",
            "io_uring_setup",
            "keyctl",
            "modify_ldt",
            "perf_event_open",
            "remap_file_pages",
            "request_key",
            "userfaultfd",
            "vmsplice",
        ],
        only_remarked: false,
    },
    Risk {
        name: "machine",
        why: "acts on the whole machine",
        calls: &[
            "acct",
            "ioperm",
            "iopl",
            "nfsservctl",
            "quotactl",
            "quotactl_fd",
            "reboot",
            "swapoff",
            "swapon",
            "syslog",
            "vhangup",
        ],
        only_remarked: false,
    },
    Risk {
        name: "clock",
        why: "changes the machine's time",
        calls: &[
            "adjtimex",
            "clock_adjtime",
            "clock_adjtime64",
            "clock_settime",
            "clock_settime64",
            "settimeofday",
            "stime",
        ],
        only_remarked: false,
    },
    Risk {
        name: "file handles and names",
        why: "opens files past the container's root, or renames the machine",
        calls: &["name_to_handle_at", "open_by_handle_at", "setdomainname", "sethostname"],
        only_remarked: false,
    },
    Risk {
        name: "memory of NUMA nodes",
        why: "moves memory between nodes; code of the kernel that few programs test",
        calls: &[
            "get_mempolicy",
            "mbind",
            "migrate_pages",
            "move_pages",
            "set_mempolicy",
            "set_mempolicy_home_node",
        ],
        only_remarked: false,
    },
    Risk {
        name: "new programs",
        why: "starts other programs or maps code; what an intruder does next",
        calls: &[
            "clone",
            "clone3",
            "execve",
            "execveat",
            "fork",
            "memfd_create",
            "personality",
            "vfork",
        ],
        only_remarked: true,
    },
];

impl Risk {
    /// Whether a call is of this kind.
    pub fn has(&self, call: &str) -> bool {
        self.calls.contains(&call)
    }
}

/// The kind that a call belongs to.
pub fn of(call: &str) -> Option<&'static Risk> {
    RISKS.iter().find(|risk| risk.has(call))
}

/// The same, without those that are worth a remark only.
pub fn dangerous(call: &str) -> Option<&'static Risk> {
    of(call).filter(|risk| !risk.only_remarked)
}

/// Families of sockets that few programs need and that exploits begin with
/// (`include/linux/socket.h`): `AF_ALG`, `AF_VSOCK`.
const FAMILIES: [u64; 2] = [38, 40];

/// The kind of harm that a value of an argument allows: new namespaces, and families of sockets.
pub fn of_value(call: &str, index: u8, value: u64) -> Option<&'static str> {
    match (call, index) {
        ("clone" | "clone3", 0) if value & (NAMESPACES | NEW_TIME) != 0 => {
            Some("namespaces and mounts")
        }
        ("socket" | "socketpair", 0) if FAMILIES.contains(&value) => Some("kernel attack surface"),
        _ => None,
    }
}

/// The kind of harm that one of the values of a call's arguments allows: that of a call which is
/// allowed with all of them.
pub fn of_any_value(call: &str) -> Option<&'static str> {
    of_value(call, 0, NAMESPACES).or_else(|| of_value(call, 0, FAMILIES[0]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syscalls;

    #[test]
    fn every_call_exists_and_is_of_one_kind() {
        let all: Vec<&str> = RISKS.iter().flat_map(|risk| risk.calls).copied().collect();
        for call in &all {
            assert!(syscalls::is_known(call), "{call}");
            assert_eq!(all.iter().filter(|other| *other == call).count(), 1, "{call}");
        }
        assert!(RISKS.iter().all(|risk| risk.calls.is_sorted()));
        assert_eq!(dangerous("bpf").map(|risk| risk.name), Some("kernel code"));
        assert!(dangerous("execve").is_none() && of("execve").is_some() && of("read").is_none());
    }
}
