//! Recordings made by hand, for unit tests.

use super::{
    Call, Cgroup, Circumstances, ContainerIdentity, DenyOutcome, Host, Losses, Phase, Recording,
    Target, TargetKind, VERSION,
};
use crate::syscalls::{self, Abi};

/// A call that a workload made once.
pub fn numbered(abi: Abi, number: i32) -> Call {
    Call {
        abi,
        number,
        name: syscalls::name(abi, number).map(str::to_owned),
        phase: Phase::Workload,
        count: Some(1),
        other_phases: Vec::new(),
        first_seen_seconds: None,
        command: None,
        ambiguous: false,
        outcome: None,
        denied_in_phase: None,
        doubtful: false,
        circumstances: None,
        arguments: Vec::new(),
    }
}

/// The same by its name, of x86_64.
pub fn call(name: &str) -> Call {
    numbered(Abi::X86_64, syscalls::number(Abi::X86_64, name).expect("a call"))
}

/// The same call, which a workload was denied.
pub fn denied(call: Call, outcome: DenyOutcome) -> Call {
    let denied_in_phase = Some(Phase::Workload);
    Call { phase: Phase::Denied, outcome: Some(outcome), denied_in_phase, ..call }
}

/// What a process called with; what it did next is not known.
pub fn circumstances(process: u32, arguments: Option<[u64; 6]>) -> Circumstances {
    let (pointed, next, others) = (None, None, Vec::new());
    Circumstances { process, arguments, pointed, next, others, untold: 0 }
}

/// A cgroup that was watched from its start; of no container.
pub fn cgroup(path: &str, calls: Vec<Call>) -> Cgroup {
    Cgroup {
        id: 7,
        path: path.to_owned(),
        late_start: false,
        exact: true,
        ambiguous: false,
        no_new_privs: false,
        filtered: false,
        exec_sessions: false,
        container: None,
        calls,
    }
}

/// A container of that name, whose engine is not known.
pub fn identity(name: &str, id: &str) -> ContainerIdentity {
    ContainerIdentity {
        engine: None,
        id: id.to_owned(),
        name: Some(name.to_owned()),
        namespace: None,
        pod: None,
        workload: None,
        image: None,
        user: None,
    }
}

/// The cgroup of a container of that name, in which the workload made a call.
pub fn container(path: &str, name: &str) -> Cgroup {
    let id = path.rsplit('/').next().unwrap_or_default();
    Cgroup { container: Some(identity(name, id)), ..cgroup(path, vec![call("getpid")]) }
}

/// A target with these cgroups.
pub fn target(kind: TargetKind, name: &str, cgroups: &[usize]) -> Target {
    let (name, cgroups) = (name.to_owned(), cgroups.to_vec());
    Target { name, kind, runtime: None, image: None, cgroups }
}

/// A complete recording of one target, which has all these cgroups.
pub fn recording(cgroups: Vec<Cgroup>) -> Recording {
    let all: Vec<usize> = (0..cgroups.len()).collect();
    Recording {
        version: VERSION,
        tracer: "0.1.0".to_owned(),
        started: "2026-01-02T03:04:05Z".to_owned(),
        duration_seconds: 2.5,
        host: Host {
            kernel: "6.18.44".to_owned(),
            arch: "x86_64".to_owned(),
            cpus: 2,
            btf: true,
            attach: None,
        },
        targets: vec![target(TargetKind::Path, "all", &all)],
        cgroups,
        losses: Losses::default(),
        late_starts: Vec::new(),
        contested: Vec::new(),
        departures: Vec::new(),
        complete: true,
        incomplete_reasons: Vec::new(),
        command: None,
        derived: None,
    }
}
