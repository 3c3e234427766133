//! The errors of the kernel side.

use std::io;

use aya::{EbpfError, maps::MapError};
use thiserror::Error;

use super::{
    probe,
    refusal::{Refusal, causes, memory_hint},
};
use crate::sys::is_filtered;

/// Why the kernel side could not be started or read.
#[derive(Debug, Error)]
pub enum KernelError {
    /// The program was built without its kernel object.
    #[error(
        "this build of tracer has no kernel object in it\nhint: build it with `cargo xtask build-ebpf`, then build tracer again"
    )]
    NoObject,
    /// The object could not be loaded, with the chain of causes.
    #[error("the kernel object could not be loaded: {0}")]
    Load(String),
    /// The kernel refused to make a map.
    #[error("the kernel refused to make the map {map}: {error}{}", memory_hint(error))]
    CreateMap {
        /// The map's name.
        map: String,
        /// The kernel's error.
        error: io::Error,
    },
    /// The kernel refuses even a program that does nothing.
    #[error("the kernel refuses even the smallest program: {error}{}", memory_hint(error))]
    SmallestProgram {
        /// The kernel's error.
        error: io::Error,
    },
    /// The kernel refused a smallest map or program before, and does not now.
    #[error(
        "bpf(2) failed while tracer probed the kernel, and does not fail any more\n\nhint: run tracer again"
    )]
    Passing,
    /// A seccomp filter on this process refuses bpf(2).
    #[error(
        "tracer itself runs under a seccomp filter, which refuses bpf(2)\n\nhint: in a container its seccomp profile must allow bpf(2): with CAP_BPF, the defaults of Docker 23, containerd 1.6.10 and newer do; else `--security-opt seccomp=unconfined`, or `seccompProfile: {{ type: Unconfined }}` in a pod"
    )]
    Filtered,
    /// The object lacks a map or a program that this program knows.
    #[error(
        "the kernel object has no {0}\nhint: the object is of another version: run `cargo xtask build-ebpf`"
    )]
    Missing(&'static str),
    /// The object's instructions could not be found.
    #[error("the kernel object could not be read")]
    Object(#[source] object::Error),
    /// The configuration does not fit the object.
    #[error(
        "a field of the kernel is at byte {0} of its structure, farther than a load reaches\nhint: report this with the output of `tracer check`; --no-btf works without"
    )]
    FarField(u32),
    /// A map operation failed.
    #[error("map {map}: {operation} failed")]
    Map {
        /// The map's name.
        map: &'static str,
        /// What was tried.
        operation: &'static str,
        /// The kernel's error.
        #[source]
        source: Box<MapError>,
    },
    /// A map could not be memory-mapped.
    #[error("map {map}: mmap failed")]
    MemoryMap {
        /// The map's name.
        map: &'static str,
        /// The kernel's error.
        #[source]
        source: io::Error,
    },
    /// The verifier or the kernel refused the program.
    #[error("the kernel refused the program {program}: {refusal}")]
    Refused {
        /// The program's name.
        program: &'static str,
        /// The kernel's error.
        refusal: Refusal,
    },
    /// The program could not be attached to a raw tracepoint.
    #[error("the program could not be attached to the raw tracepoint {tracepoint}")]
    Attach {
        /// The tracepoint's name.
        tracepoint: &'static str,
        /// The kernel's error.
        #[source]
        source: Box<aya::programs::ProgramError>,
    },
    /// The program could not be attached to a classic tracepoint.
    #[error(
        "the program could not be attached to the classic tracepoint {tracepoint}: {operation} failed"
    )]
    PerfEvent {
        /// The tracepoint's category and name.
        tracepoint: String,
        /// The system call that failed.
        operation: &'static str,
        /// The kernel's error.
        #[source]
        source: io::Error,
    },
    /// The program's own statistics could not be read.
    #[error("bpf(BPF_OBJ_GET_INFO_BY_FD) failed")]
    ProgramInfo(#[source] io::Error),
    /// The kernel log of the program could not be opened.
    #[error("the program's log could not be opened")]
    Log(#[source] Box<aya_log::Error>),
}

/// Why the object could not be loaded. The checks before have found that tracer may trace: a
/// refusal now comes most likely from a seccomp filter, which the kernel's error does not show.
pub(super) fn load_error(error: EbpfError) -> KernelError {
    let mut chain =
        std::iter::successors(Some(&error as &dyn std::error::Error), |cause| cause.source());
    let refused = chain.any(|cause| {
        let cause = cause.downcast_ref::<io::Error>();
        cause.is_some_and(|cause| cause.kind() == io::ErrorKind::PermissionDenied)
    });
    if refused && is_filtered() {
        return KernelError::Filtered;
    }
    match error {
        EbpfError::MapError(MapError::CreateError { name, io_error }) => {
            KernelError::CreateMap { map: name, error: io_error }
        }
        // aya probes for global data, takes any failure for a kernel without it, and then makes no
        // map for them. The object refers to nothing else that could be missing.
        EbpfError::RelocationError(_) => {
            // By now the maps could be made.
            match probe::smallest_program() {
                Ok(()) => KernelError::Passing,
                Err(error) => KernelError::SmallestProgram { error },
            }
        }
        error => KernelError::Load(causes(&error)),
    }
}
