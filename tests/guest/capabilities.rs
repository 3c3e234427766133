//! `CAP_BPF` and `CAP_PERFMON` are enough to record a cgroup, and one of them is not.

use std::{fs, path::Path};

use tests::{Cgroup, Running, Tracer, calls, ground_truth, tool};
use tracer::syscalls::Abi::{I386, X86_64};

use crate::truth::listed;

/// From level 3 on, which upstream lacks and Debian's kernels begin with, `CAP_PERFMON` opens
/// no perf event, and the classic tracepoints of new kernels need one.
const PERF_EVENT_PARANOID: &str = "/proc/sys/kernel/perf_event_paranoid";
const UPSTREAM: &str = "2";

/// Tracer with these capabilities alone.
fn with(setpriv: &Path, capabilities: &str, cgroup: &Cgroup) -> Tracer {
    let set = format!("--bounding-set=-all{capabilities}");
    Tracer::new().launcher([setpriv.as_os_str()]).launcher([set.as_str(), "--"]).cgroup(cgroup)
}

/// See the module.
pub fn check() -> Result<(), String> {
    let setpriv = tool("setpriv")?;
    let cgroup = Cgroup::new("capabilities");
    let level = fs::read_to_string(PERF_EVENT_PARANOID).map_err(|error| error.to_string())?;
    if level.trim().parse().is_ok_and(|level: i32| level > 2) {
        let refused = with(&setpriv, ",+bpf,+perfmon", &cgroup).start().stop();
        let falls_back = refused.stderr.contains("the raw tracepoint is used instead");
        assert_eq!(falls_back, refused.stderr.contains("kernel.perf_event_paranoid"));
        fs::write(PERF_EVENT_PARANOID, UPSTREAM).map_err(|error| error.to_string())?;
    }
    let tracing = with(&setpriv, ",+bpf,+perfmon", &cgroup).start();
    let steps = [cgroup.hop(), "x86_64:getpid*2".into(), "i386:getpid".into()];
    assert!(Running::start(&mut ground_truth(steps)).finish().status.success());
    let outcome = tracing.stop().exits(0);
    assert!(!outcome.stderr.contains("instead"), "{}", outcome.stderr);
    let made = [(X86_64, 39, 2), (X86_64, 231, 1), (I386, 20, 1)];
    let found = calls(&outcome.recording(), cgroup.name());
    assert_eq!(found, listed(&made), "left: recorded, right: made");
    with(&setpriv, ",+perfmon", &cgroup).run().exits(1).says(&["CAP_BPF"]).writes_nothing();
    Ok(())
}
