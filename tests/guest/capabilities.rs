//! `CAP_BPF` and `CAP_PERFMON` are enough to record a cgroup, and one of them is not.

use std::path::Path;

use tests::{Cgroup, Running, Tracer, calls, ground_truth, tool};
use tracer::syscalls::Abi::{I386, X86_64};

use crate::truth::listed;

/// Tracer with these capabilities alone.
fn with(setpriv: &Path, capabilities: &str, cgroup: &Cgroup) -> Tracer {
    let set = format!("--bounding-set=-all{capabilities}");
    Tracer::new().launcher([setpriv.as_os_str()]).launcher([set.as_str(), "--"]).cgroup(cgroup)
}

/// See the module.
pub fn check() -> Result<(), String> {
    let setpriv = tool("setpriv")?;
    let cgroup = Cgroup::new("capabilities");
    let tracing = with(&setpriv, ",+bpf,+perfmon", &cgroup).start();
    let steps = [cgroup.hop(), "x86_64:39*2".into(), "i386:20".into()];
    assert!(Running::start(&mut ground_truth(steps)).finish().status.success());
    let outcome = tracing.stop().exits(0);
    let made = [(X86_64, 39, 2), (X86_64, 231, 1), (I386, 20, 1)];
    let found = calls(&outcome.recording(), cgroup.name());
    assert_eq!(found, listed(&made), "left: recorded, right: made");
    with(&setpriv, ",+perfmon", &cgroup).run().exits(1).says(&["CAP_BPF"]).writes_nothing();
    Ok(())
}
