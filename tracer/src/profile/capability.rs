//! Capabilities by their names, from `include/uapi/linux/capability.h`.

use std::fmt;

/// The names, each at its number.
const NAMES: [&str; 41] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];

/// A capability.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Capability(usize);

/// What a container gets by default from Docker, and from containerd for pods (moby's
/// `oci/caps/defaults.go`).
const DOCKERS: [&str; 14] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FSETID",
    "CAP_FOWNER",
    "CAP_MKNOD",
    "CAP_NET_RAW",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETFCAP",
    "CAP_SETPCAP",
    "CAP_NET_BIND_SERVICE",
    "CAP_SYS_CHROOT",
    "CAP_KILL",
    "CAP_AUDIT_WRITE",
];

impl Capability {
    /// Every capability.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..NAMES.len()).map(Self)
    }

    /// The capabilities that a container of Docker's has when nobody says otherwise.
    pub fn dockers() -> impl Iterator<Item = Self> {
        DOCKERS.into_iter().filter_map(Self::from_name)
    }

    /// The capability of a name as people type it: `CAP_SYS_ADMIN`, `sys_admin`.
    pub fn from_typed(name: &str) -> Option<Self> {
        let name = name.to_uppercase();
        Self::from_name(&name).or_else(|| Self::from_name(&format!("CAP_{name}")))
    }

    /// The capability of a name like `CAP_CHOWN`.
    pub fn from_name(name: &str) -> Option<Self> {
        NAMES.iter().position(|known| *known == name).map(Self)
    }

    /// The capabilities of a set as `/proc/PID/status` writes it (`proc(5)`, `CapBnd`), the unknown
    /// ones left out.
    pub fn from_mask(mask: u64) -> impl Iterator<Item = Self> {
        (0..NAMES.len()).filter(move |number| mask >> number & 1 == 1).map(Self)
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(NAMES[self.0])
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_and_numbers_are_the_kernels() {
        let names = |mask| Capability::from_mask(mask).map(|found| found.to_string());
        assert_eq!(names(1 << 21 | 1 << 39).collect::<Vec<_>>(), ["CAP_SYS_ADMIN", "CAP_BPF"]);
        assert_eq!(names(u64::MAX).last().as_deref(), Some("CAP_CHECKPOINT_RESTORE"));
        assert_eq!(Capability::from_mask(1).next(), Capability::from_name("CAP_CHOWN"));
        assert_eq!(Capability::from_name("CHOWN"), None);
        for typed in ["chown", "CHOWN", "cap_chown", "CAP_CHOWN"] {
            assert_eq!(Capability::from_typed(typed), Capability::from_name("CAP_CHOWN"));
        }
        assert_eq!(Capability::dockers().count(), DOCKERS.len());
        // What /proc shows of a container of Docker's.
        let dockers: BTreeSet<Capability> = Capability::dockers().collect();
        assert_eq!(dockers, Capability::from_mask(0xa804_25fb).collect());
    }
}
