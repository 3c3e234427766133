//! `tracer` watches a workload from the kernel and writes the smallest seccomp profile that the
//! workload still starts and runs under.
//!
//! # Words
//! - **target**: what the user named: a cgroup, a container, a pod, a process, or a command that
//!   tracer starts. The kernel side watches a few **roots** (cgroup v2 directories) and everything
//!   below them. User space *selects* the target's cgroups from the recorded ones.
//! - **call**: a syscall.
//! - **runtime**: the program that makes containers (runc, crun), or the engine that reports their
//!   names (Docker, Podman, containerd, CRI-O).
//! - **report**: what a runtime or the API server says of its containers or pods.
//! - **recording**: the evidence. Per cgroup, ABI and syscall: the phase, a count, the time of the
//!   first call; losses; facts of the host.
//! - **profile**: the policy derived from recordings, written as OCI seccomp JSON.
//! - **phase** of a call: `setup` (by the container runtime before it loads the filter: not in the
//!   profile), `container-init` (by the runtime after that, up to the workload's execve: in the
//!   profile), `workload` (in the profile), `denied` (refused by a filter: added to the profile on
//!   request).
//! - **base set**: calls that are added because a container runtime or the C library needs them,
//!   though a recording may not show them. Each carries its reason.
//! - **loss**: a call that may be missing.
//! - **late start**: a loss: the target ran before tracing began, so that calls of its start are
//!   missing.
//!
//! # Modules
//! Each may import those above it, and none below:
//! - `tracer_ebpf`: the layout that the kernel side and user space share;
//! - [`syscalls`], [`recording`], [`profile`], [`audit`], [`cgroup_path`],
//!   [`cgroup_name`], [`text`], [`encoding`], [`json`]: pure, without I/O and clock;
//! - [`workbench`]: questions to files, pure as well;
//! - [`sys`]: syscalls that no crate wraps; [`bpf`]: the kernel side, loaded, attached and read;
//! - [`target`]: from a name to cgroups, and the runtimes' reports; [`preflight`]: what this host
//!   can do; [`output`]: files; [`color`], [`live`], [`message`]: what a person sees;
//! - [`session`]: the recording pipeline;
//! - [`command`]: one file for each subcommand;
//! - [`cli`]: what was typed; it imports nothing of ours.
//!
//! `docs/architecture.md` explains how they work together, and which files an addition touches.
//!
//! # Invariants
//! - [`bpf`] is the only module that knows aya; [`json`], `recording::json` and `profile::oci`
//!   are the only ones that know `serde_json`, beside `target::runtime::storage`, which reads the files of
//!   Podman into types of its own.
//! - Nothing below [`command`] reads a flag or an environment variable.
//! - The kernel program records facts; every judgement (phase, selection, completeness) is made in
//!   pure code that has tests.
//! - A call that the kernel program sees of a target is in a set or counted in a loss.
//! - Library modules return typed errors that name the datum; `anyhow` adds context in [`session`]
//!   and [`command`] only.
//! - `unsafe` lives in [`bpf`], [`sys`] and `tracer_ebpf`, each block with a SAFETY comment.
//! - Bytes that come from a workload, a runtime or a file are data: never trusted, escaped on
//!   output.

pub mod audit;
pub mod bpf;
pub mod cgroup_name;
pub mod cgroup_path;
pub mod cli;
pub mod color;
pub mod command;
pub mod encoding;
pub mod json;
pub mod live;
pub mod message;
pub mod output;
pub mod preflight;
pub mod profile;
pub mod recording;
pub mod session;
pub mod sys;
pub mod syscalls;
pub mod target;
pub mod text;
pub mod workbench;

#[cfg(test)]
#[path = "../../tests/src/ci.rs"]
mod ci;
