//! The configuration of the kernel side: offsets of the kernel's structures, and sizes.

/// What the loader tells the program before it is verified, by
/// [`CONST_PLACEHOLDER`](crate::CONST_PLACEHOLDER) and
/// [`OFFSET_PLACEHOLDER`](crate::OFFSET_PLACEHOLDER). The verifier sees constants and drops dead
/// branches.
///
/// Offsets are in bytes, from the kernel's BTF. A nested member's offset is the sum along its path.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// 1: the offsets below are valid; 0: helpers only, and no facts.
    pub btf: u32,
    /// Entries of [`RECORDS`](crate::RECORDS) as a power of two.
    pub verdicts_log2: u32,
    /// Places of [`COUNTS`](crate::COUNTS); 0: calls are not counted.
    pub count_slots: u32,
    /// Inode number of the host's mount namespace.
    pub host_mount_namespace: u32,
    /// `task_struct.cgroups`
    pub task_cgroups: u32,
    /// `css_set.dfl_cgrp`
    pub css_set_default_cgroup: u32,
    /// `cgroup.kn`
    pub cgroup_node: u32,
    /// `kernfs_node.id`
    pub node_id: u32,
    /// `kernfs_node.name`
    pub node_name: u32,
    /// `task_struct.thread_info.status`, where
    /// [`COMPAT_STATUS`](crate::architecture::COMPAT_STATUS) is.
    pub task_status: u32,
    /// `task_struct.flags`
    pub task_flags: u32,
    /// `task_struct.atomic_flags`
    pub task_atomic_flags: u32,
    /// `task_struct.seccomp.filter_count`
    pub task_filter_count: u32,
    /// `task_struct.seccomp.filter`
    pub task_filter: u32,
    /// `seccomp_filter.cache.allow_native`
    pub filter_allow_native: u32,
    /// Words of 64 bits of that bitmap; 0 when this kernel keeps none.
    pub filter_allow_native_words: u32,
    /// `task_struct.nsproxy`
    pub task_namespaces: u32,
    /// `task_struct.real_parent`
    pub task_parent: u32,
    /// `task_struct.group_leader`
    pub task_leader: u32,
    /// `task_struct.mm`
    pub task_memory: u32,
    /// `nsproxy.mnt_ns`
    pub namespaces_mount: u32,
    /// `nsproxy.pid_ns_for_children`
    pub namespaces_pid_for_children: u32,
    /// `mnt_namespace.ns.inum`
    pub mount_namespace_inode: u32,
    /// `pid_namespace.child_reaper`
    pub pid_namespace_init: u32,
    /// `mm_struct.exe_file`
    pub memory_executable: u32,
    /// `file.f_path.mnt`
    pub file_mount: u32,
    /// `mount.mnt_ns` minus `mount.mnt`: from a `struct vfsmount` to its namespace.
    pub mount_namespace: u32,
    /// `task_struct.pending.signal`
    pub task_pending_signals: u32,
    /// `task_struct.exit_code`
    pub task_exit_code: u32,
    /// `task_struct.signal`
    pub task_signal: u32,
    /// `signal_struct.flags`
    pub signal_flags: u32,
    /// `signal_struct.group_exit_code`; 0 when this kernel has none.
    pub signal_group_exit_code: u32,
    /// `task_struct.pid`
    pub task_thread_id: u32,
    /// `task_struct.tgid`
    pub task_process_id: u32,
    /// `task_struct.start_boottime`
    pub task_started: u32,
    /// `task_struct.comm`
    pub task_command: u32,
    /// `signal_struct.live`
    pub signal_live: u32,
    /// `cgroup.self.parent`, which points to the parent's `cgroup.self`
    pub cgroup_parent: u32,
    /// `cgroup.self`
    pub cgroup_self: u32,
    /// 1: the kernel has the helper `bpf_loop` (5.17).
    pub bpf_loop: u32,
}
