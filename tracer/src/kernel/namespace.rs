//! The host's mount namespace.

use std::{fs, os::unix::fs::MetadataExt};

/// Inode number of the host's mount namespace.
///
/// That of the first process; where it may not be looked at (it may have more capabilities than this process,
/// ptrace(2)), that of the kernel's thread daemon, which shares it; at last that of this process.
pub fn host_mount_namespace() -> u32 {
    let inode = |process: &str| {
        fs::metadata(format!("/proc/{process}/ns/mnt")).ok().map(|metadata| metadata.ino() as u32)
    };
    let is_kernel_thread = || fs::read("/proc/2/comm").is_ok_and(|name| name == b"kthreadd\n");
    inode("1")
        .or_else(|| is_kernel_thread().then(|| inode("2")).flatten())
        .or_else(|| inode("self"))
        .unwrap_or_default()
}
