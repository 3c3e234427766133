//! System calls that no crate wraps as tracer needs them.
//!
//! Its `unsafe` has one reason: the kernel or the C library is called directly, with pointers or
//! with descriptors that the compiler cannot check.

#![expect(unsafe_code, reason = "the kernel and the C library are called directly")]

mod async_fd;
mod audit_socket;
mod program;
mod real_time;
mod seccomp;
mod spawn;

pub use self::{
    async_fd::AsyncFdWait,
    audit_socket::{AuditError, AuditMessage, AuditSocket, LostRecords},
    program::Program,
    real_time::RealTime,
    seccomp::{EnforceError, Filter, exec_under, is_filtered, leave},
    spawn::{CgroupEntry, ChildProcess, User, start_in_cgroup},
};
