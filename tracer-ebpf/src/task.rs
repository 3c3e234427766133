//! Facts about the current task, by direct loads at the offsets that the loader found in the kernel's BTF.
//!
//! The pointer that `bpf_get_current_task_btf` returns is typed for the verifier, which follows each load through the
//! kernel's types and emits a plain, or a fault-handled, load for it.

use core::{arch::asm, mem::offset_of, ptr::read_volatile};

use aya_ebpf::{
    bindings::task_struct,
    helpers::{
        bpf_get_current_cgroup_id, bpf_get_current_comm, bpf_get_current_task,
        bpf_probe_read_kernel, bpf_probe_read_user,
        generated::{bpf_get_current_task_btf, bpf_probe_read_kernel_str, bpf_task_pt_regs},
    },
};
use tracer_ebpf::{
    COMMAND_SIZE, NAME_SIZE, NO_NEW_PRIVS, PF_FORKNOEXEC, SIGNAL_GROUP_EXIT, SIGNAL_MASK, SIGSYS,
    TS_COMPAT, class, executable,
};

use crate::{maps::config, verifier::forget};

/// `MNT_NS_INTERNAL`, `ERR_PTR(-EINVAL)`: the namespace of mounts that the kernel made for itself (`fs/mount.h`).
const INTERNAL_MOUNT: usize = -22_isize as usize;
/// Where `thread_info.status` is on x86 since 5.11 (`arch/x86/include/asm/thread_info.h`): for kernels without BTF.
const STATUS_WITHOUT_BTF: usize = 16;
/// The largest bitmap of allowed numbers that is looked at.
const MAX_FILTER_WORDS: u32 = 16;

/// The current task.
#[derive(Clone, Copy)]
pub struct Task {
    /// The address of its `task_struct`; 0 without BTF.
    address: usize,
    /// The offsets of the configuration are valid; else only helpers are used.
    btf: bool,
}

/// Loads a value at an offset from a typed kernel pointer.
#[inline(always)]
pub fn load<T: Copy>(base: usize, offset: u32) -> T {
    // SAFETY: the verifier accepts the load only when the kernel's type has a readable field at that offset.
    unsafe { read_volatile((base + offset as usize) as *const T) }
}

/// The same at the offset that a field of the configuration says, in one instruction: `$kind` is `u32` or `u64`.
macro_rules! load_field {
    ($kind:ident, $base:expr, $field:ident) => {{
        let value: u64;
        // SAFETY: as in `load`.
        unsafe {
            asm!(
                concat!("{0} = *(", stringify!($kind), " *)({1} + {2})"),
                out(reg) value,
                in(reg) $base,
                const tracer_ebpf::OFFSET_MARK as i32 + (offset_of!(tracer_ebpf::Config, $field) / 4) as i32,
                options(readonly, nostack),
            );
        }
        value as $kind
    }};
}

/// Reads a value at an address that the verifier knows nothing about. None when the address cannot be read.
#[inline(always)]
pub fn probe<T: Copy>(address: usize) -> Option<T> {
    // SAFETY: the helper checks the address.
    unsafe { bpf_probe_read_kernel(address as *const T).ok() }
}

/// The same in the memory of the current process, also of what lies there unaligned. None when it cannot be read, or would have to be
/// fetched first.
#[inline(always)]
pub fn probe_user<T: Copy>(address: usize) -> Option<T> {
    // SAFETY: the helper checks the address.
    unsafe { bpf_probe_read_user(address as *const T).ok() }
}

impl Task {
    /// The task that is making the call.
    #[inline(always)]
    pub fn current() -> Self {
        if config!(btf) == 0 { Self::without_btf() } else { Self::with_btf() }
    }

    /// The same when there is BTF. The compiler knows it then, and leaves out the questions.
    #[inline(always)]
    pub fn with_btf() -> Self {
        // SAFETY: a helper without arguments.
        let task: *mut task_struct = unsafe { bpf_get_current_task_btf() };
        Self { address: task as usize, btf: true }
    }

    /// The same when there is none.
    #[inline(always)]
    pub const fn without_btf() -> Self {
        Self { address: 0, btf: false }
    }

    /// The address of its `task_struct`; 0 without BTF.
    #[inline(always)]
    pub const fn address(&self) -> usize {
        self.address
    }

    /// Facts can be read.
    #[inline(always)]
    pub const fn has_facts(&self) -> bool {
        self.btf
    }

    /// Id of the task's cgroup in the v2 hierarchy.
    #[inline(always)]
    pub fn cgroup(&self) -> u64 {
        if !self.btf {
            // SAFETY: a helper without arguments.
            return unsafe { bpf_get_current_cgroup_id() };
        }
        load_field!(u64, self.node(), node_id)
    }

    /// `task->cgroups->dfl_cgrp->kn`
    #[inline(always)]
    fn node(&self) -> usize {
        let set = load_field!(u64, self.address, task_cgroups);
        let cgroup = load_field!(u64, set, css_set_default_cgroup);
        load_field!(u64, cgroup, cgroup_node) as usize
    }

    /// Copies the name of the task's cgroup, if that is still the one with this id.
    #[inline(always)]
    pub fn copy_cgroup_name(&self, cgroup: u64, name: *mut [u8; NAME_SIZE]) {
        if !self.btf {
            return;
        }
        let node = self.node();
        if load::<u64>(node, config!(node_id)) != cgroup {
            return;
        }
        let source: usize = load(node, config!(node_name));
        // SAFETY: `name` has NAME_SIZE bytes; the helper checks the source and ends the copy with a NUL.
        unsafe {
            bpf_probe_read_kernel_str(name.cast(), NAME_SIZE as u32, source as *const _);
        }
    }

    /// The call came through the 32-bit entry, whatever the program's own ABI is.
    #[inline(always)]
    pub fn is_compat(&self) -> bool {
        let status: u32 = if !self.btf {
            // SAFETY: a helper without arguments.
            let task = unsafe { bpf_get_current_task() } as usize;
            probe(task + STATUS_WITHOUT_BTF).unwrap_or(0)
        } else {
            load_field!(u32, self.address, task_status)
        };
        status & TS_COMPAT != 0
    }

    /// The filter count, at most 3.
    #[inline(always)]
    pub fn filter_level(&self) -> u32 {
        if !self.btf {
            return 0;
        }
        let count = load_field!(u32, self.address, task_filter_count);
        if count > 3 { 3 } else { count }
    }

    /// The task is in the host's mount namespace, or in that which its cgroup was entered from: `outer` is asked when it is
    /// not the host's, and says 0 for none.
    #[inline(always)]
    pub fn is_host(&self, outer: impl FnOnce() -> u32) -> bool {
        // A task without namespaces is about to end. A load from the null pointer that it has instead gives 0.
        let namespaces = load_field!(u64, self.address, task_namespaces);
        let mount = load_field!(u64, namespaces, namespaces_mount);
        let inode = load_field!(u32, mount, mount_namespace_inode);
        inode == config!(host_mount_namespace) || inode != 0 && inode == outer()
    }

    /// The facts of this task as the bits of [`class`], without the filter count and what is kept of the cgroup.
    #[inline(always)]
    pub fn facts(&self, outer: u32) -> u16 {
        if !self.btf {
            return class::UNKNOWN | self.runtime_name();
        }
        let namespaces: usize = load(self.address, config!(task_namespaces));
        if namespaces == 0 {
            return executable::NONE << class::EXECUTABLE_SHIFT;
        }
        let mount: usize = load(namespaces, config!(namespaces_mount));
        let init = init_of_children(namespaces);
        let executable = self.executable(mount, init, outer) << class::EXECUTABLE_SHIFT;
        let mut facts = self.forget(executable);
        facts |= self.bit_if(is_outside(mount, outer), class::HOST);
        let pending = init == 0 || load::<u32>(init, config!(task_flags)) & PF_FORKNOEXEC != 0;
        facts |= self.bit_if(pending, class::INIT_PENDING);
        let host_processes = init != 0 && is_outside(mount_namespace_of(init), outer);
        facts |= self.bit_if(host_processes, class::HOST_PROCESSES);
        // A thread is always forked, and never exec'd: what counts is its process.
        let leader: usize = load(self.address, config!(task_leader));
        if leader == 0 {
            return facts;
        }
        let forked = load::<u32>(leader, config!(task_flags)) & PF_FORKNOEXEC != 0;
        facts |= self.bit_if(forked, class::FORKED);
        let parent: usize = load(leader, config!(task_parent));
        if parent != 0 {
            facts |= self.facts_of_parent(&Self { address: parent, btf: true }, outer);
        }
        facts
    }

    #[inline(always)]
    fn facts_of_parent(&self, parent: &Task, outer: u32) -> u16 {
        let outside = parent.cgroup() != self.cgroup();
        // A parent that is about to end has no namespaces any more. One in another cgroup is who put the process here: its
        // children will have another parent in a moment, and what was made here has its parent here.
        let ends = load::<u64>(parent.address, config!(task_namespaces)) == 0;
        self.bit_if(parent.is_host(|| outer) || outside && ends, class::PARENT_HOST)
            | self.bit_if(outside, class::PARENT_OUTSIDE)
    }

    /// A bit, or 0, as a value that the verifier does not know.
    #[inline(always)]
    fn bit_if(&self, set: bool, bit: u16) -> u16 {
        self.forget(if set { bit } else { 0 })
    }

    #[inline(always)]
    fn forget(&self, value: u16) -> u16 {
        let unknown: u32 = load(self.address, config!(task_flags));
        forget(u64::from(value), u64::from(unknown)) as u16
    }

    /// The mount namespace of the parent, by its inode number, when it is not the host's and the parent belongs to the
    /// host all the same: its children are in the pid namespace of the host's init. Else 0.
    #[inline(always)]
    pub fn outer_namespace(&self) -> u32 {
        if !self.btf {
            return 0;
        }
        let parent: usize = load(self.address, config!(task_parent));
        if parent == 0 {
            return 0;
        }
        let namespaces: usize = load(parent, config!(task_namespaces));
        if namespaces == 0 {
            return 0;
        }
        let init = init_of_children(namespaces);
        if init == 0 || !is_outside(mount_namespace_of(init), 0) {
            return 0;
        }
        let mount: usize = load(namespaces, config!(namespaces_mount));
        if mount == 0 || is_outside(mount, 0) {
            return 0;
        }
        load(mount, config!(mount_namespace_inode))
    }

    /// Where the executable lives, seen from mount namespace `mount`: one of [`executable`].
    #[inline(always)]
    fn executable(&self, mount: usize, init: usize, outer: u32) -> u16 {
        let memory: usize = load(self.address, config!(task_memory));
        if memory == 0 {
            return executable::NONE;
        }
        let file: usize = load(memory, config!(memory_executable));
        if file == 0 {
            return executable::NONE;
        }
        let file_mount: usize = load(file, config!(file_mount));
        let Some(home) = probe::<usize>(file_mount + config!(mount_namespace) as usize) else {
            return executable::NONE;
        };
        if home == mount {
            return executable::INSIDE;
        }
        if home == INTERNAL_MOUNT {
            return executable::INTERNAL;
        }
        match probe::<u32>(home + config!(mount_namespace_inode) as usize) {
            Some(inode) if is_outside_inode(inode, outer) => return executable::HOST,
            _ => {}
        }
        if init != 0 && mount_namespace_of(init) == home {
            executable::INIT
        } else {
            executable::OTHER
        }
    }

    /// `no_new_privs` is set.
    #[inline(always)]
    pub fn has_no_new_privs(&self) -> bool {
        load::<u64>(self.address, config!(task_atomic_flags)) & NO_NEW_PRIVS != 0
    }

    /// The task's newest filter does not allow every native number.
    ///
    /// The kernel keeps a bitmap of the numbers that a filter and all filters below it always allow
    /// (`kernel/seccomp.c`, `seccomp_cache_prepare`). Its last word is filled from bit 0 up to the kernel's last number.
    #[inline(always)]
    pub fn filter_may_deny(&self) -> bool {
        let words = config!(filter_allow_native_words);
        let filter: usize = load(self.address, config!(task_filter));
        if filter == 0 {
            return false;
        }
        if words == 0 {
            return true;
        }
        let bitmap = config!(filter_allow_native);
        for index in 0..MAX_FILTER_WORDS {
            if index >= words {
                break;
            }
            let allowed: u64 = load(filter, bitmap + index * 8);
            let last = index + 1 == words;
            let full = if last {
                allowed != 0 && allowed & allowed.wrapping_add(1) == 0
            } else {
                allowed == u64::MAX
            };
            if !full {
                return true;
            }
        }
        false
    }

    /// The task's filters allow this native number whatever its arguments are, by the same bitmap. A filter that is loaded
    /// later only takes calls away: what is allowed now was allowed before.
    #[inline(always)]
    pub fn filters_always_allow(&self, number: u32) -> bool {
        let word = number / 64;
        if !self.btf || word >= config!(filter_allow_native_words) {
            return false;
        }
        let filter: usize = load(self.address, config!(task_filter));
        if filter == 0 {
            return false;
        }
        let bitmap = filter + config!(filter_allow_native) as usize;
        let allowed = probe::<u64>(bitmap + word as usize * 8).unwrap_or(0);
        allowed & 1 << (number % 64) != 0
    }

    /// SIGSYS waits for the task: the filter's answer to the call that it is leaving. Always true without BTF.
    #[inline(always)]
    pub fn has_bad_call_signal(&self) -> bool {
        !self.btf
            || load::<u64>(self.address, config!(task_pending_signals)) & 1 << (SIGSYS - 1) != 0
    }

    /// The thread ends by SIGSYS and its process does not: a filter killed it (`kernel/seccomp.c`, `__seccomp_filter`, calls
    /// `do_exit(SIGSYS)`). False without BTF.
    ///
    /// The process may end for another reason meanwhile: before Linux 6.16 whoever joins the thread wakes up before this
    /// tracepoint. What the signal of a process ends is told by the code that all its threads get then.
    #[inline(always)]
    pub fn is_killed_by_filter(&self) -> bool {
        if !self.btf || load::<u32>(self.address, config!(task_exit_code)) != SIGSYS {
            return false;
        }
        let signal: usize = load(self.address, config!(task_signal));
        if signal == 0 {
            return false;
        }
        if load::<u32>(signal, config!(signal_flags)) & SIGNAL_GROUP_EXIT == 0 {
            return true;
        }
        config!(signal_group_exit_code) != 0
            && load::<u32>(signal, config!(signal_group_exit_code)) & SIGNAL_MASK != SIGSYS
    }

    /// How it ends, as wait(2) tells it of a process. Only with BTF.
    #[inline(always)]
    pub fn exit_status(&self) -> u32 {
        load(self.address, config!(task_exit_code))
    }

    /// Its process ends as well: it is the last thread, or all were told to end. Only with BTF.
    #[inline(always)]
    pub fn ends_with_process(&self) -> bool {
        let signal: usize = load(self.address, config!(task_signal));
        signal == 0
            || load::<u32>(signal, config!(signal_flags)) & SIGNAL_GROUP_EXIT != 0
            || load::<u32>(signal, config!(signal_live)) == 0
    }

    /// No other thread of its process lives (`kernel/exit.c`, `do_exit`, counts itself off before the tracepoint). Only with BTF.
    #[inline(always)]
    pub fn is_last_of_process(&self) -> bool {
        let signal: usize = load(self.address, config!(task_signal));
        signal == 0 || load::<u32>(signal, config!(signal_live)) == 0
    }

    /// The registers as they were when the task entered the kernel. Only with BTF.
    #[inline(always)]
    pub fn registers(&self) -> usize {
        // SAFETY: the pointer is the one of `bpf_get_current_task_btf`.
        unsafe { bpf_task_pt_regs(self.address as *mut task_struct) as usize }
    }

    /// [`class::RUNTIME_NAME`] when the command name is one of a container runtime's. Only used without BTF.
    #[inline(always)]
    fn runtime_name(&self) -> u16 {
        let name = command();
        let runtime = name.starts_with(b"runc:[")
            || name.starts_with(b"runc\0")
            || name.starts_with(b"crun\0");
        if runtime { class::RUNTIME_NAME } else { 0 }
    }
}

/// The init of the pid namespace for a task's children; 0 when there is none yet.
#[inline(always)]
pub fn init_of_children(namespaces: usize) -> usize {
    let pid_namespace: usize = load(namespaces, config!(namespaces_pid_for_children));
    if pid_namespace == 0 { 0 } else { load(pid_namespace, config!(pid_namespace_init)) }
}

/// The mount namespace of a task; 0 for a task that has ended.
#[inline(always)]
pub fn mount_namespace_of(task: usize) -> usize {
    let namespaces: usize = load(task, config!(task_namespaces));
    if namespaces == 0 { 0 } else { load(namespaces, config!(namespaces_mount)) }
}

/// The mount namespace is the host's, or the one that the cgroup was entered from.
#[inline(always)]
fn is_outside(mount: usize, outer: u32) -> bool {
    mount != 0 && is_outside_inode(load(mount, config!(mount_namespace_inode)), outer)
}

/// The same by the namespace's inode number.
#[inline(always)]
fn is_outside_inode(inode: u32, outer: u32) -> bool {
    inode == config!(host_mount_namespace) || (outer != 0 && inode == outer)
}

/// The current task's command name; empty when it cannot be read.
#[inline(always)]
pub fn command() -> [u8; COMMAND_SIZE] {
    bpf_get_current_comm().unwrap_or([0; COMMAND_SIZE])
}
