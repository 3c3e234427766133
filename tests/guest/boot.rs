//! The first process: file systems, the child that makes the checks, and the end.

use std::ffi::CStr;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use rustix::mount::{MountFlags, mount, mount_move};
use rustix::process::{WaitOptions, chroot, wait};
use rustix::system::{RebootCommand, reboot};

/// Where the root file system is made. A process cannot leave the initial one by `pivot_root`, as
/// runtimes do.
const NEW_ROOT: &str = "/new";
/// Kind, place and options of the file systems.
const FILE_SYSTEMS: [(&str, &str, &CStr); 8] = [
    ("proc", "/proc", c""),
    ("sysfs", "/sys", c""),
    ("devtmpfs", "/dev", c""),
    ("devpts", "/dev/pts", c""),
    ("tmpfs", "/dev/shm", c""),
    ("cgroup2", "/sys/fs/cgroup", c""),
    ("tracefs", "/sys/kernel/tracing", c""),
    ("bpf", "/sys/fs/bpf", c""),
];

/// Never returns: the machine is off.
pub fn run(checks: &[String]) -> ! {
    make_root();
    for (kind, place, options) in FILE_SYSTEMS {
        // Not every directory can be made in file systems of the kernel, nor has to be.
        let _ = fs::create_dir_all(place);
        if let Err(error) = mount(kind, place, kind, MountFlags::empty(), options) {
            eprintln!("guest: cannot mount {kind} on {place}: {error}");
        }
    }
    let _ = symlink("/proc/self/fd", "/dev/fd");
    let mut command = Command::new("/init");
    command.arg("checks").args(checks).current_dir("/root").env_clear().envs([
        ("HOME", "/root"),
        ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        ("TRACER_BIN", "/usr/bin/tracer"),
        ("RUST_BACKTRACE", "0"),
    ]);
    match command.spawn() {
        Ok(child) => reap_until(child.id().cast_signed()),
        Err(error) => eprintln!("guest: cannot start the checks: {error}"),
    }
    let error = reboot(RebootCommand::PowerOff);
    panic!("the machine does not go off: {error:?}");
}

/// Waits for every process that lost its parent, up to the end of this one.
fn reap_until(child: i32) {
    while let Ok(Some((ended, _))) = wait(WaitOptions::empty()) {
        if ended.as_raw_pid() == child {
            return;
        }
    }
}

/// Copies everything into a file system of its own, and makes that the root.
fn make_root() {
    fs::create_dir_all(NEW_ROOT).expect("the new root is made");
    mount("root", NEW_ROOT, "tmpfs", MountFlags::empty(), c"size=80%,mode=755").expect("a tmpfs");
    let left_out = [NEW_ROOT, "/dev", "/proc", "/sys"];
    for entry in fs::read_dir("/").expect("the root can be listed").flatten() {
        if !left_out.iter().any(|name| entry.path() == Path::new(name)) {
            copy(&entry.path(), &Path::new(NEW_ROOT).join(entry.file_name()));
        }
    }
    rustix::process::chdir(NEW_ROOT).expect("the new root can be entered");
    mount_move(".", "/").expect("the new root is moved");
    chroot(".").expect("the new root becomes the root");
    rustix::process::chdir("/").expect("the root can be entered");
}

fn copy(from: &Path, to: &Path) {
    let kind = fs::symlink_metadata(from).expect("it is there").file_type();
    if kind.is_dir() {
        fs::create_dir(to).expect("a directory is made");
        for entry in fs::read_dir(from).expect("it can be listed").flatten() {
            copy(&entry.path(), &to.join(entry.file_name()));
        }
    } else if kind.is_symlink() {
        symlink(fs::read_link(from).expect("a link"), to).expect("a link is made");
    } else if kind.is_file() {
        fs::copy(from, to).unwrap_or_else(|error| panic!("copying {}: {error}", from.display()));
    }
}
