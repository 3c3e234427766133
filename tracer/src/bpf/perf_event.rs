//! A perf event on a classic tracepoint, for a program to hang on.
//!
//! aya attaches to a classic tracepoint by its name, and finds its number only where tracefs is
//! mounted.

use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd as _, OwnedFd},
};

use libc::{c_int, c_long, c_ulong};

/// `PERF_TYPE_TRACEPOINT` (`include/uapi/linux/perf_event.h`, like everything here).
const TYPE_TRACEPOINT: u32 = 2;
/// `PERF_FLAG_FD_CLOEXEC`
const CLOSE_ON_EXEC: c_ulong = 1 << 3;
/// `PERF_EVENT_IOC_SET_BPF`: `_IOW('$', 8, __u32)`
const SET_BPF: c_ulong = 0x4004_2408;
/// `PERF_EVENT_IOC_ENABLE`: `_IO('$', 0)`
const ENABLE: c_ulong = 0x2400;

/// `struct perf_event_attr` as it was first (`PERF_ATTR_SIZE_VER0`).
#[repr(C)]
#[derive(Default)]
struct Attributes {
    kind: u32,
    size: u32,
    config: u64,
    sample_period: u64,
    sample_type: u64,
    read_format: u64,
    flags: u64,
    wakeup_events: u32,
    breakpoint_type: u32,
    config1: u64,
}

/// Which system call failed, and how.
pub(super) type Failure = (&'static str, io::Error);

/// A program on a tracepoint. Dropping it detaches the program.
#[derive(Debug)]
pub(super) struct PerfEvent(#[expect(dead_code, reason = "kept for its drop")] OwnedFd);

impl PerfEvent {
    /// Attaches the program to the tracepoint of that number. Though the event is one CPU's, the
    /// program belongs to the tracepoint and runs on all of them (`kernel/trace/bpf_trace.c`,
    /// `perf_event_attach_bpf_prog`).
    pub(super) fn attach(program: BorrowedFd<'_>, tracepoint: u64) -> Result<Self, Failure> {
        let event = open(tracepoint).map_err(|error| ("perf_event_open(2)", error))?;
        control(&event, SET_BPF, program.as_raw_fd())
            .map_err(|error| ("ioctl(PERF_EVENT_IOC_SET_BPF)", error))?;
        control(&event, ENABLE, 0).map_err(|error| ("ioctl(PERF_EVENT_IOC_ENABLE)", error))?;
        Ok(Self(event))
    }
}

/// Opens the event of every process on the first CPU. It takes no sample.
fn open(tracepoint: u64) -> io::Result<OwnedFd> {
    const EVERY_PROCESS: c_int = -1;
    const FIRST_CPU: c_int = 0;
    const NO_GROUP: c_int = -1;
    let attributes = Attributes {
        kind: TYPE_TRACEPOINT,
        size: size_of::<Attributes>() as u32,
        config: tracepoint,
        ..Attributes::default()
    };
    // SAFETY: the attributes outlive the call, and say their own length.
    let event = unsafe {
        libc::syscall(
            libc::SYS_perf_event_open,
            &raw const attributes,
            EVERY_PROCESS,
            FIRST_CPU,
            NO_GROUP,
            CLOSE_ON_EXEC,
        )
    };
    let event = checked(event)? as c_int;
    // SAFETY: the kernel just made the descriptor, and nothing else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(event) })
}

fn control(event: &OwnedFd, request: c_ulong, argument: c_int) -> io::Result<()> {
    // SAFETY: both requests take a number, and touch no memory of this process.
    let result = unsafe { libc::syscall(libc::SYS_ioctl, event.as_raw_fd(), request, argument) };
    checked(result).map(drop)
}

fn checked(result: c_long) -> io::Result<c_long> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

const _: () = assert!(size_of::<Attributes>() == 64);
