//! Facts about the current task, at the offsets that the loader found in the kernel's BTF. The hot
//! path has direct loads, and the cold one reads by a helper.
//!
//! The pointer that `bpf_get_current_task_btf` returns is typed for the verifier, which follows
//! each load through the kernel's types and emits a plain, or a fault-handled, load for it.

mod end;
mod filters;

use core::{
    arch::asm,
    mem::{MaybeUninit, offset_of},
};

use aya_ebpf::{
    bindings::task_struct,
    helpers::{
        bpf_get_current_cgroup_id, bpf_get_current_task,
        generated::{
            bpf_get_current_comm, bpf_get_current_task_btf, bpf_probe_read_kernel_str,
            bpf_task_pt_regs,
        },
    },
};
use tracer_ebpf::{
    COMMAND_SIZE, NAME_SIZE, NO_NEW_PRIVS, PF_FORKNOEXEC,
    architecture::{COMPAT_STATUS, STATUS_WITHOUT_BTF},
    class, executable,
};

use crate::{
    maps::config,
    memory::{load, probe},
    verifier::barrier_var,
};

/// `MNT_NS_INTERNAL`, `ERR_PTR(-EINVAL)`: the namespace of mounts that the kernel made for itself
/// (`fs/mount.h`).
const INTERNAL_MOUNT: usize = -22_isize as usize;

/// The current task.
#[derive(Clone, Copy)]
pub struct Task {
    /// The address of its `task_struct`; 0 without BTF.
    address: usize,
    /// The offsets of the configuration are valid; else only helpers are used.
    btf: bool,
}

/// Loads a value at the offset that a field of the configuration says from a typed kernel pointer,
/// in one instruction: `$kind` is `u32` or `u64`.
macro_rules! load_field {
    ($kind:ident, $base:expr, $field:ident) => {{
        let value: u64;
        // SAFETY: the verifier accepts the load only when the kernel's type has a readable field at
        // that offset.
        unsafe {
            asm!(
                concat!("{0} = *(", stringify!($kind), " *)({1} + {2})"),
                out(reg) value,
                in(reg) $base,
                const tracer_ebpf::OFFSET_PLACEHOLDER as i32 + (offset_of!(tracer_ebpf::Config, $field) / 4) as i32,
                options(readonly, nostack),
            );
        }
        value as $kind
    }};
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
        let node = node_of(self.address);
        if load::<u64>(node, config!(node_id)) != cgroup {
            return;
        }
        let source: usize = load(node, config!(node_name));
        // SAFETY: `name` has NAME_SIZE bytes; the helper checks the source and ends the copy with a
        // NUL.
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
        status & COMPAT_STATUS != 0
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

    /// The task is in the host's mount namespace, or in that which its cgroup was entered from:
    /// `runtime_namespace` is asked when it is not the host's, and says 0 for none.
    #[inline(always)]
    pub fn is_host(&self, runtime_namespace: impl FnOnce() -> u32) -> bool {
        // A task without namespaces is about to end. A load from the null pointer that it has
        // instead gives 0.
        let namespaces = load_field!(u64, self.address, task_namespaces);
        let mount = load_field!(u64, namespaces, namespaces_mount);
        let inode = load_field!(u32, mount, mount_namespace_inode);
        inode == config!(host_mount_namespace) || inode != 0 && inode == runtime_namespace()
    }

    /// [`Self::is_host`], for the cold path: for three direct loads the verifier would search all
    /// types of the kernel (see [`load`]).
    #[inline(always)]
    pub fn is_host_by_helper(&self, runtime_namespace: impl FnOnce() -> u32) -> bool {
        let namespaces: usize = load(self.address, config!(task_namespaces));
        let mount: usize = load(namespaces, config!(namespaces_mount));
        let inode: u32 = load(mount, config!(mount_namespace_inode));
        inode == config!(host_mount_namespace) || inode != 0 && inode == runtime_namespace()
    }

    /// The facts of this task as the bits of [`class`], without the filter count and what is kept
    /// of the cgroup.
    #[inline(always)]
    pub fn facts(runtime_namespace: u32) -> u16 {
        facts_of_current(runtime_namespace.into()) as u16
    }

    #[inline(always)]
    fn look_at_facts(&self, runtime_namespace: u32) -> u16 {
        if !self.btf {
            return class::UNKNOWN | self.runtime_name();
        }
        let namespaces: usize = load(self.address, config!(task_namespaces));
        if namespaces == 0 {
            return executable::NONE << class::EXECUTABLE_SHIFT;
        }
        let mount: usize = load(namespaces, config!(namespaces_mount));
        let init = init_of_children(namespaces);
        let executable = self.executable(mount, init, runtime_namespace) << class::EXECUTABLE_SHIFT;
        let unknown: u32 = load(self.address, config!(task_flags));
        let bit_if = |set, bit| barrier(if set { bit } else { 0 }, unknown);
        let mut facts = barrier(executable, unknown);
        facts |= bit_if(is_outside(mount, runtime_namespace), class::HOST);
        let pending = init == 0 || load::<u32>(init, config!(task_flags)) & PF_FORKNOEXEC != 0;
        facts |= bit_if(pending, class::INIT_PENDING);
        let host_processes = init != 0 && is_outside(mount_namespace_of(init), runtime_namespace);
        facts |= bit_if(host_processes, class::HOST_PROCESSES);
        // A thread is always forked, and never exec'd: what counts is its process.
        let leader: usize = load(self.address, config!(task_leader));
        if leader == 0 {
            return facts;
        }
        let forked = load::<u32>(leader, config!(task_flags)) & PF_FORKNOEXEC != 0;
        facts |= bit_if(forked, class::FORKED);
        let parent: usize = load(leader, config!(task_parent));
        if parent == 0 {
            return facts;
        }
        let outside = cgroup_of(parent) != cgroup_of(self.address);
        // A parent that is about to end has no namespaces any more. One in another cgroup is who
        // put the process here: its children will have another parent in a moment, and what was
        // made here has its parent here.
        let ends = load::<u64>(parent, config!(task_namespaces)) == 0;
        let host = is_outside(mount_namespace_of(parent), runtime_namespace);
        facts
            | bit_if(host || outside && ends, class::PARENT_HOST)
            | bit_if(outside, class::PARENT_OUTSIDE)
    }

    /// The mount namespace of the parent, by its inode number, when it is not the host's and the
    /// parent belongs to the host all the same: its children are in the pid namespace of the host's
    /// init. Else 0.
    #[inline(always)]
    pub fn namespace_of_runtime() -> u32 {
        namespace_of_runtime() as u32
    }

    #[inline(always)]
    fn look_for_namespace_of_runtime(&self) -> u32 {
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
    fn executable(&self, mount: usize, init: usize, runtime_namespace: u32) -> u16 {
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
            Some(inode) if is_outside_inode(inode, runtime_namespace) => return executable::HOST,
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

    /// The registers as they were when the task entered the kernel. Only with BTF.
    #[inline(always)]
    pub fn registers(&self) -> usize {
        // SAFETY: the pointer is the one of `bpf_get_current_task_btf`.
        unsafe { bpf_task_pt_regs(self.address as *mut task_struct) as usize }
    }

    /// [`class::RUNTIME_NAME`] when the command name is one of a container runtime's. Only used
    /// without BTF.
    #[inline(always)]
    fn runtime_name(&self) -> u16 {
        let name = command();
        let runtime = name.starts_with(b"runc:[")
            || name.starts_with(b"runc\0")
            || name.starts_with(b"crun\0");
        if runtime { class::RUNTIME_NAME } else { 0 }
    }
}

/// [`Task::facts`], as a function that the verifier checks once.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn facts_of_current(runtime_namespace: u64) -> u64 {
    Task::current().look_at_facts(runtime_namespace as u32).into()
}

/// [`Task::namespace_of_runtime`], as a function that the verifier checks once.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn namespace_of_runtime() -> u64 {
    Task::current().look_for_namespace_of_runtime().into()
}

/// The value, as one that the verifier does not know.
#[inline(always)]
fn barrier(value: u16, unknown: u32) -> u16 {
    barrier_var(u64::from(value), u64::from(unknown)) as u16
}

/// The init of the pid namespace for a task's children; 0 when there is none yet.
#[inline(always)]
pub fn init_of_children(namespaces: usize) -> usize {
    let pid_namespace: usize = load(namespaces, config!(namespaces_pid_for_children));
    if pid_namespace == 0 { 0 } else { load(pid_namespace, config!(pid_namespace_init)) }
}

/// The id of a task's cgroup.
#[inline(always)]
fn cgroup_of(task: usize) -> u64 {
    load(node_of(task), config!(node_id))
}

/// Where the kernel keeps the id and the name of a task's cgroup.
#[inline(always)]
fn node_of(task: usize) -> usize {
    let set: usize = load(task, config!(task_cgroups));
    let cgroup: usize = load(set, config!(css_set_default_cgroup));
    load(cgroup, config!(cgroup_node))
}

/// The mount namespace of a task; 0 for a task that has ended.
#[inline(always)]
pub fn mount_namespace_of(task: usize) -> usize {
    let namespaces: usize = load(task, config!(task_namespaces));
    if namespaces == 0 { 0 } else { load(namespaces, config!(namespaces_mount)) }
}

/// The mount namespace is the host's, or the one that the cgroup was entered from.
#[inline(always)]
fn is_outside(mount: usize, runtime_namespace: u32) -> bool {
    mount != 0 && is_outside_inode(load(mount, config!(mount_namespace_inode)), runtime_namespace)
}

/// The same by the namespace's inode number.
#[inline(always)]
fn is_outside_inode(inode: u32, runtime_namespace: u32) -> bool {
    inode == config!(host_mount_namespace) || (runtime_namespace != 0 && inode == runtime_namespace)
}

/// The current task's command name; empty when it cannot be read.
#[inline(always)]
pub fn command() -> [u8; COMMAND_SIZE] {
    let mut command = MaybeUninit::<[u8; COMMAND_SIZE]>::uninit();
    // SAFETY: the helper writes all bytes, zeroes when it fails (`kernel/bpf/helpers.c`): the
    // verifier has one way to follow.
    unsafe {
        let _ = bpf_get_current_comm(command.as_mut_ptr().cast(), COMMAND_SIZE as u32);
        command.assume_init()
    }
}
