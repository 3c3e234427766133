//! The kernel side as user space sees it: load and attach the programs, read their maps.
//!
//! This is the only module that knows aya. Its `unsafe` has one reason: maps and bpf(2) hand over
//! raw memory, which is read here as the structures of `tracer_ebpf`.

#![expect(
    unsafe_code,
    reason = "maps are shared memory, their values are reinterpreted, and a few bpf(2) and perf_event_open(2) calls are made by hand"
)]

mod btf;
mod btf_bytes;
mod cgroup_table;
mod denials;
mod early_maps;
mod error;
mod hook;
mod host_namespace;
mod job;
mod kernel_log;
mod load;
mod maps;
mod membership;
mod mmap_array;
mod patch_config;
mod perf_event;
mod preparation;
mod private_mount;
mod probe;
mod program_info;
mod programs;
mod raw_program;
mod recorder;
mod refusal;
mod sizes;
mod tables;
mod tracefs;
mod verification;

pub use self::{
    btf::BtfError,
    denials::Processes,
    error::KernelError,
    hook::Hook,
    kernel_log::forward_kernel_log,
    load::LoadOptions,
    maps::EventBuffer,
    preparation::{Loading, Preparation},
    recorder::{Recorder, Totals, WatchedCgroups},
    refusal::Refusal,
    sizes::ARGUMENT_VALUE_ENTRIES,
    tables::{Events, KernelLog},
    tracefs::{TracefsError, TracepointIds, syscall_tracepoints},
};
