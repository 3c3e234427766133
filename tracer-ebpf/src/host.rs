//! Whose mount namespace is the host's, seen from tracer's own task.
//!
//! `/proc/1/ns/mnt` would tell, but only to a process that may ptrace(2) the first one, and only
//! where `/proc` shows the host's processes. Neither is so in a container with two capabilities.

use aya_ebpf::helpers::bpf_get_current_task;

use crate::{maps::config, memory::read_word};

/// How many ancestors are looked at. What is started by hand or by a runtime has a handful.
const MAX_ANCESTORS: u32 = 32;

/// Inode number of the host's mount namespace; 0 when it is not known.
///
/// The nearest ancestor in another mount namespace made tracer's container, and others as well. It
/// may have a mount namespace of its own: the host's is that of the init of its pid namespace. So
/// it does not matter whose pid namespace tracer is in: the host's, its own, or one that it shares
/// with the pod. A host that is a container itself, as the nodes of kind are, is found as well.
/// Outside containers the search ends at the idle task, which is its own parent
/// (`init/init_task.c`), and whose children are in the pid namespace of the first process.
///
/// The pointers are plain numbers here. The verifier looks the type of each typed load up among all
/// types of the kernel, and it follows every turn of the loop.
#[inline(always)]
pub fn mount_namespace() -> u32 {
    // SAFETY: a helper without arguments.
    let task = unsafe { bpf_get_current_task() } as usize;
    let own = mount_namespace_of(task);
    let mut maker = task;
    for _ in 0..MAX_ANCESTORS {
        let parent = pointer(maker, config!(task_parent));
        if parent == 0 || parent == maker {
            break;
        }
        maker = parent;
        if mount_namespace_of(maker) != own {
            break;
        }
    }
    let namespaces = pointer(maker, config!(task_namespaces));
    let pid_namespace = pointer(namespaces, config!(namespaces_pid_for_children));
    let init = pointer(pid_namespace, config!(pid_namespace_init));
    let mount = mount_namespace_of(init);
    if mount == 0 {
        return 0;
    }
    read_word(mount + config!(mount_namespace_inode) as usize) as u32
}

/// The mount namespace of a task; 0 for a task that has ended.
#[inline(always)]
fn mount_namespace_of(task: usize) -> usize {
    pointer(pointer(task, config!(task_namespaces)), config!(namespaces_mount))
}

/// The pointer at an offset of a structure; 0 when there is none. What lies near address 0 cannot
/// be read: a null pointer leads to 0.
#[inline(always)]
fn pointer(base: usize, offset: u32) -> usize {
    read_word(base + offset as usize) as usize
}
