//! `tracer` watches a workload from the kernel and writes the tightest seccomp profile that it starts and runs under.

pub mod cli;
pub mod kernel;
pub mod recording;
pub mod syscalls;
