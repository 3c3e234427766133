//! Whose mount namespace is the host's, seen from tracer's own task.
//!
//! `/proc/1/ns/mnt` would tell, but only to a process that may ptrace(2) the first one, and only where `/proc` shows the
//! host's processes. Neither is so in a container with two capabilities.

use crate::{
    maps::config,
    task::{Task, init_of_children, load, mount_namespace_of},
};

/// How many ancestors are looked at. What is started by hand or by a runtime has a handful.
const MAX_ANCESTORS: u32 = 32;

/// Inode number of the host's mount namespace; 0 when it cannot be told.
///
/// The nearest ancestor in another mount namespace made tracer's container, and others as well. It may have a mount namespace
/// of its own: the host's is that of the init of its pid namespace. So it does not matter whose pid namespace tracer is in:
/// the host's, its own, or one that it shares with the pod. A host that is a container itself, as the nodes of kind are, is
/// found as well. Outside containers the search ends at the idle task, which is its own parent (`init/init_task.c`), and
/// whose children are in the pid namespace of the first process.
#[inline(always)]
pub fn mount_namespace(task: &Task) -> u32 {
    let own = mount_namespace_of(task.address());
    let mut maker = task.address();
    for _ in 0..MAX_ANCESTORS {
        let parent: usize = load(maker, config!(task_parent));
        if parent == 0 || parent == maker {
            break;
        }
        maker = parent;
        if mount_namespace_of(maker) != own {
            break;
        }
    }
    let namespaces: usize = load(maker, config!(task_namespaces));
    if namespaces == 0 {
        return 0;
    }
    let init = init_of_children(namespaces);
    if init == 0 {
        return 0;
    }
    let mount = mount_namespace_of(init);
    if mount == 0 { 0 } else { load(mount, config!(mount_namespace_inode)) }
}
