//! `tracer` watches a workload from the kernel and writes the tightest seccomp profile that it starts and runs under.

pub mod output;
pub mod preflight;
pub mod recording;
pub mod syscalls;
pub mod target;
pub mod text;
