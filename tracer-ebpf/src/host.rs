//! Whose mount namespace is the host's, seen from tracer's own task.
//!
//! `/proc/1/ns/mnt` would tell, but only to a process that may ptrace(2) the first one, and only where `/proc` shows the
//! host's processes. Neither is so in a container with two capabilities.

use crate::{
    maps::config,
    task::{Task, load, mount_namespace_of, pid_namespace_of_children},
};

/// Inode number of the host's mount namespace; 0 when it cannot be told.
///
/// The host's is that of the init of the pid namespace that containers are made from. That pid namespace is tracer's own,
/// on the host and in a container that shares the host's; else it is the one around tracer's. A host that is a container
/// itself, as the nodes of kind are, is found either way: its runtimes work in it.
#[inline(always)]
pub fn mount_namespace(task: &Task) -> u32 {
    let pid_namespace = pid_namespace_of_children(task.namespaces());
    let inner = mount_namespace_of_init(pid_namespace);
    if inner == 0 {
        return 0;
    }
    if inner != mount_namespace_of(task.address()) {
        return inode(inner);
    }
    let around: usize = load(pid_namespace, config!(pid_namespace_parent));
    if around == 0 {
        return inode(inner);
    }
    inode(mount_namespace_of_init(around))
}

/// The mount namespace of the init of a pid namespace; 0 when there is none.
#[inline(always)]
fn mount_namespace_of_init(pid_namespace: usize) -> usize {
    if pid_namespace == 0 {
        return 0;
    }
    let init: usize = load(pid_namespace, config!(pid_namespace_init));
    if init == 0 { 0 } else { mount_namespace_of(init) }
}

#[inline(always)]
fn inode(mount_namespace: usize) -> u32 {
    if mount_namespace == 0 { 0 } else { load(mount_namespace, config!(mount_namespace_inode)) }
}
