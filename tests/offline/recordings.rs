//! Recordings made by hand.

use tracer::recording::{
    AllowedValue, Answered, Argument, ArgumentValue, Attach, Call, Cgroup, Choice, Circumstances,
    CommandOutcome, ContainerIdentity, Decided, DenyOutcome, Departure, Derived, Ending, Host,
    Losses, MembershipSource, Next, OtherValues, Phase, Recording, Target, TargetKind, VERSION,
    Workload,
};
use tracer::syscalls::{self, Abi};
use tracer::text::escape;

/// A call by its number.
pub fn numbered(abi: Abi, number: i32, phase: Phase) -> Call {
    Call {
        abi,
        number,
        name: syscalls::name(abi, number).map(str::to_owned),
        phase,
        count: Some(1),
        other_phases: Vec::new(),
        first_seen_seconds: None,
        command: None,
        ambiguous: false,
        outcome: (phase == Phase::Denied).then_some(DenyOutcome::Errno(38)),
        denied_in_phase: (phase == Phase::Denied).then_some(Phase::Workload),
        doubtful: false,
        circumstances: None,
        arguments: Vec::new(),
    }
}

/// The same call, with values of an argument that were seen; None stands for more than are kept.
pub fn with_values(mut call: Call, index: u8, mask: u64, values: Option<&[u64]>) -> Call {
    let value = |value: &u64| ArgumentValue {
        value: *value,
        first_seen_seconds: Some(0.018),
        command: Some(escape("unshare")),
    };
    let any = values.is_none();
    let values = values.unwrap_or_default().iter().map(value).collect();
    call.arguments.push(Argument { index, mask, values, any });
    call
}

/// A denied call by its name.
pub fn denied(abi: Abi, name: &str, outcome: DenyOutcome, phase: Phase) -> Call {
    let call = call(abi, name, Phase::Denied);
    Call { outcome: Some(outcome), denied_in_phase: Some(phase), ..call }
}

/// A call by its name.
pub fn call(abi: Abi, name: &str, phase: Phase) -> Call {
    let number = syscalls::number(abi, name).expect("a call of the ABI");
    numbered(abi, number, phase)
}

/// x86_64 calls of one phase.
pub fn calls(phase: Phase, names: &[&str]) -> Vec<Call> {
    names.iter().map(|name| call(Abi::X86_64, name, phase)).collect()
}

/// A recording with one cgroup for each list of calls.
pub fn recording(cgroups: Vec<Vec<Call>>) -> Recording {
    let indexes = (0..cgroups.len()).collect();
    let cgroups = cgroups.into_iter().enumerate().map(|(index, calls)| Cgroup {
        id: 4711 + index as u64,
        path: format!("/docker/{index}"),
        late_start: false,
        exact: true,
        ambiguous: false,
        no_new_privs: false,
        filtered: false,
        exec_sessions: false,
        container: None,
        calls,
    });
    Recording {
        version: VERSION,
        tracer: "0.1.0".into(),
        started: "2026-01-02T03:04:05Z".into(),
        duration_seconds: 12.5,
        host: Host {
            kernel: "6.18.44".into(),
            arch: "x86_64".into(),
            cpus: 2,
            btf: true,
            attach: Some(Attach::Classic),
        },
        targets: vec![Target {
            name: "docker:web".into(),
            kind: TargetKind::Container,
            runtime: Some("runc 1.1.5".into()),
            image: Some("docker.io/library/nginx:latest".into()),
            cgroups: indexes,
        }],
        cgroups: cgroups.collect(),
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

/// A web server in a container, as runc starts it.
pub fn web_server() -> Recording {
    let mut all = calls(Phase::Setup, &["mount", "pivot_root", "sethostname", "unshare"]);
    all.extend(calls(Phase::ContainerInit, &["capset", "setuid", "statx"]));
    let workload = ["accept4", "bind", "brk", "clone3", "epoll_wait", "listen", "mmap", "openat"];
    all.extend(calls(Phase::Workload, &workload));
    recording(vec![all])
}

/// A recording that has everything a recording can have.
pub fn full() -> Recording {
    let mut seen = call(Abi::X86_64, "openat", Phase::Workload);
    seen.count = Some(u64::MAX);
    seen.first_seen_seconds = Some(0.0);
    seen.command = Some(escape("ng\x1binx"));
    seen.ambiguous = true;
    seen.other_phases = vec![Phase::Setup, Phase::ContainerInit];
    let mut socket = call(Abi::X86_64, "socket", Phase::Workload);
    socket.arguments = vec![
        Argument {
            index: 0,
            mask: 0xffff_ffff,
            values: vec![
                ArgumentValue { value: 1, first_seen_seconds: None, command: None },
                ArgumentValue {
                    value: 10,
                    first_seen_seconds: Some(0.5),
                    command: Some(escape("ng\x1binx")),
                },
            ],
            any: false,
        },
        Argument { index: 2, mask: 0xffff_ffff, values: Vec::new(), any: true },
    ];
    let others = [
        call(Abi::X86_64, "mount", Phase::Setup),
        call(Abi::X86_64, "capset", Phase::ContainerInit),
        call(Abi::X86_64, "ptrace", Phase::Denied),
        denied(Abi::X86_64, "ptrace", DenyOutcome::Signal, Phase::Workload),
        Call {
            doubtful: true,
            circumstances: Some(Circumstances {
                process: 4711,
                arguments: Some([0x7ffd_0000_1000, 0o755, 0, u64::MAX, 0, 0]),
                pointed: Some(0x1000_0000),
                next: Some(Next::Ended { after_seconds: 0.0002, calls: 3, how: Ending::Exit(1) }),
                others: vec![OtherValues {
                    first_seen_seconds: 1.5,
                    command: escape("other"),
                    count: 2,
                    process: 4712,
                    arguments: Some([1, 2, 3, 4, 5, u64::MAX]),
                    pointed: None,
                    next: Some(Next::WentOn),
                }],
                untold: 3,
            }),
            ..denied(Abi::X86_64, "mkdir", DenyOutcome::Errno(14), Phase::Workload)
        },
        denied(Abi::X86_64, "statx", DenyOutcome::Logged, Phase::ContainerInit),
        denied(Abi::I386, "getpid", DenyOutcome::ThreadKilled, Phase::Setup),
        call(Abi::I386, "socketcall", Phase::Workload),
        call(Abi::X32, "execve", Phase::Workload),
        numbered(Abi::X86_64, 472, Phase::Workload),
        numbered(Abi::X86_64, -1, Phase::Workload),
        numbered(Abi::I386, i32::MAX, Phase::Workload),
        socket,
    ];
    let all = [seen].into_iter().chain(others).collect();
    let mut recording = recording(vec![all, Vec::new()]);
    let cgroup = &mut recording.cgroups[0];
    cgroup.ambiguous = true;
    cgroup.filtered = true;
    cgroup.exec_sessions = true;
    cgroup.container = Some(ContainerIdentity {
        engine: Some("containerd".into()),
        id: "0123456789abcdef".repeat(4),
        name: Some("app".into()),
        namespace: Some("shop".into()),
        pod: Some("web-0".into()),
        workload: Some(Workload {
            kind: Some("StatefulSet".into()),
            name: Some("web".into()),
            source: MembershipSource::Api,
        }),
        image: Some("nginx".into()),
        user: Some(1000),
    });
    let target = recording.targets[0].clone();
    for kind in [
        TargetKind::Path,
        TargetKind::Process,
        TargetKind::Pod,
        TargetKind::Unit,
        TargetKind::Command,
    ] {
        let target = Target { kind, runtime: None, image: None, ..target.clone() };
        recording.targets.push(target);
    }
    recording.losses =
        Losses { table_full: 1, unnamed: 1, late_start: 1, unplaced: 2, ..Losses::default() };
    recording.late_starts = vec!["/docker/1".into()];
    recording.departures = vec![Departure {
        from: "/docker/1".into(),
        to: "/session-1.scope".into(),
        command: escape("su"),
        processes: 2,
        followed: true,
    }];
    recording.contested = vec!["/docker/1".into(), "/docker/2".into()];
    recording.complete = false;
    recording.incomplete_reasons = vec!["1 calls found no place in a kernel table".into()];
    recording.command = Some(CommandOutcome {
        arguments: ["sh", "-c", "exit 3"].map(escape).into(),
        arguments_left_out: 2,
        exit_code: Some(3),
        signal: None,
    });
    recording.derived = Some(Derived {
        added: vec![tracer::recording::Added { name: "time".into(), reason: "vDSO".into() }],
        excluded: vec!["ptrace".into()],
        answered: vec![Answered { name: "clone3".into(), errno: 38, reason: "denied".into() }],
        values: vec![AllowedValue {
            name: "socket".into(),
            index: 0,
            mask: 0xffff_ffff,
            value: 1,
            shown: "socket(AF_UNIX)".into(),
            reason: "seen".into(),
        }],
        decided: vec![Decided {
            name: "ptrace".into(),
            choice: Choice::Deny,
            because: "never".into(),
            until: Some("2027-03-01".into()),
        }],
    });
    recording
}
