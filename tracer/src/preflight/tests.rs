//! Tests: facts made by hand, and a `/proc` and `/sys` made of plain files.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use super::facts::{HierarchyFacts, KernelConfig, Tracepoint, UNKNOWN_USER};
use super::*;
use crate::bpf::{Hook, TracepointIds};

const CONFIG: &str = "\
CONFIG_BPF_SYSCALL=y
CONFIG_BPF_EVENTS=y
CONFIG_TRACEPOINTS=y
CONFIG_HAVE_SYSCALL_TRACEPOINTS=y
CONFIG_FTRACE_SYSCALLS=y
CONFIG_SECCOMP_FILTER=y
CONFIG_IA32_EMULATION=y
# CONFIG_IA32_EMULATION_DEFAULT_DISABLED is not set
CONFIG_LOCALVERSION=\"\"
";

const IDS: TracepointIds = TracepointIds { enter: 364, exit: 363, task_exit: 281 };

fn config() -> KernelConfig {
    KernelConfig::parse(Path::new("/proc/config.gz"), CONFIG)
}

fn fine() -> HostFacts {
    HostFacts {
        release: "6.12.9-amd64".to_owned(),
        machine: "x86_64".to_owned(),
        btf: true,
        tracepoint: Tracepoint::Present,
        tracepoint_ids: Ok(IDS),
        config: Some(config()),
        cgroup: HierarchyFacts {
            mount_point: Some("/sys/fs/cgroup".into()),
            occupied: Some(40),
            host_root: true,
            ..HierarchyFacts::default()
        },
        user: 0,
        capabilities: 0x1ff_ffff_ffff,
        initial_user_namespace: true,
        lockdown: None,
        securityfs: true,
        unprivileged_bpf_disabled: Some(2),
        seccomp_actions: Some(vec!["errno".to_owned(), "log".to_owned()]),
        command_line: String::new(),
    }
}

/// The checks that are not passed, after a change to facts that pass all.
fn troubles(change: impl FnOnce(&mut HostFacts)) -> Vec<PreflightCheck> {
    let mut facts = fine();
    change(&mut facts);
    evaluate(&facts).into_iter().filter(|check| check.status != CheckStatus::Ok).collect()
}

fn only(change: impl FnOnce(&mut HostFacts)) -> PreflightCheck {
    let mut checks = troubles(change);
    assert_eq!(checks.len(), 1, "{checks:?}");
    let check = checks.remove(0);
    assert!(check.remedy.is_some() && !check.consequence.is_empty(), "{check:?}");
    check
}

fn missing(name: &str, change: impl FnOnce(&mut HostFacts)) -> PreflightCheck {
    let check = only(change);
    assert_eq!((check.name, check.status, check.required), (name, CheckStatus::Missing, true));
    assert!(!can_trace(std::slice::from_ref(&check)));
    check
}

fn warning(name: &str, change: impl FnOnce(&mut HostFacts)) {
    let check = only(change);
    assert_eq!((check.name, check.status), (name, CheckStatus::Warning));
    assert!(can_trace(&[check]));
}

#[test]
fn nothing_to_say_about_a_fine_host() {
    assert_eq!(troubles(|_| {}), []);
    assert!(can_trace(&evaluate(&fine())));
}

#[test]
fn kernels() {
    missing("kernel", |facts| facts.release = "5.11.22".to_owned());
    missing("kernel", |facts| facts.release = "4.18.0-553.el8.x86_64".to_owned());
    missing("machine", |facts| facts.machine = "aarch64".to_owned());
    for release in ["6.1.0-44-amd64", "6.1-rc1", "7.1.13", "7.2.13", "10.0"] {
        assert_eq!(troubles(|facts| facts.release = release.to_owned()), [], "{release}");
    }
    for release in ["5.13.0", "5.13-rc1", "5.15.0-125-generic", "6.0.19", "odd"] {
        warning("kernel", |facts| facts.release = release.to_owned());
    }
    warning("BTF", |facts| facts.btf = false);
}

#[test]
fn capabilities() {
    let bit = |capability: u32| 1_u64 << capability;
    let with = |user: u32, capabilities: u64| {
        missing("capabilities", |facts| {
            facts.user = user;
            facts.capabilities = capabilities;
        })
    };
    assert_eq!(with(1000, 0).remedy.as_deref(), Some("run it with sudo"));
    assert_eq!(with(1000, bit(39)).detail, "not root, no CAP_PERFMON");
    assert_eq!(with(0, bit(38)).detail, "root, but no CAP_BPF");
    let unknown = with(UNKNOWN_USER, 0);
    assert!(unknown.detail.starts_with("unknown: /proc/self/status"), "{unknown:?}");
    assert!(!unknown.remedy.unwrap_or_default().contains("sudo"), "it may well be root");
    let unread = missing("cgroup v2", |facts| {
        facts.cgroup.error = Some("cannot list: Cannot allocate memory".to_owned());
    });
    assert!(!unread.remedy.unwrap_or_default().contains("sudo"), "it is root");
    for enough in [bit(21), bit(38) | bit(39)] {
        assert_eq!(troubles(|facts| facts.capabilities = enough), []);
    }
    missing("capabilities", |facts| facts.initial_user_namespace = false);
}

#[test]
fn lockdown() {
    let with =
        |mode: &'static str| move |facts: &mut HostFacts| facts.lockdown = Some(mode.to_owned());
    missing("lockdown", with("confidentiality"));
    assert_eq!(troubles(with("integrity")), []);
    assert_eq!(troubles(with("none")), []);
}

#[test]
fn lockdown_without_securityfs() {
    let detail = |change: &dyn Fn(&mut HostFacts)| {
        let mut facts = fine();
        (facts.securityfs, facts.config) = (false, None);
        change(&mut facts);
        let found = evaluate(&facts).into_iter().find(|check| check.name == "lockdown");
        let found = found.expect("the check");
        (found.status, found.detail)
    };
    let (status, shown) = detail(&|_| {});
    assert_eq!(status, CheckStatus::Ok);
    assert!(shown.starts_with("assumed "), "{shown}");
    let (status, shown) =
        detail(&|facts| facts.command_line = "quiet lockdown=confidentiality".to_owned());
    assert_eq!(status, CheckStatus::Warning);
    assert!(shown.contains("command line"), "{shown}");
    let (status, shown) = detail(&|facts| facts.config = Some(config()));
    assert_eq!(
        (status, shown.as_str()),
        (CheckStatus::Ok, "not in force"),
        "a kernel without lockdown"
    );
}

#[test]
fn where_the_program_is_attached() {
    let hook = |release: &str, ids: Result<TracepointIds, String>, choice| {
        let facts = HostFacts { release: release.to_owned(), tracepoint_ids: ids, ..fine() };
        choose(&facts, choice).map_err(|error| error.to_string())
    };
    let none = || Err("tracefs is not mounted".to_owned());
    for release in ["6.1.0", "7.1.13"] {
        assert_eq!(hook(release, Ok(IDS), HookChoice::Auto), Ok(Hook::Raw), "{release}");
        assert_eq!(hook(release, Ok(IDS), HookChoice::Classic), Ok(Hook::Classic(IDS)));
    }
    for release in ["7.2.0-rc1", "7.3.4", "10.0", "odd"] {
        assert_eq!(hook(release, Ok(IDS), HookChoice::Auto), Ok(Hook::Classic(IDS)), "{release}");
        assert_eq!(hook(release, Ok(IDS), HookChoice::Raw), Ok(Hook::Raw));
        assert_eq!(hook(release, none(), HookChoice::Auto), Ok(Hook::Raw));
    }
    let error = hook("7.3.4", none(), HookChoice::Classic).expect_err("no number");
    assert!(error.contains("tracefs is not mounted") && error.contains("hint: "), "{error}");
}

#[test]
fn a_kernel_that_preempts_needs_tracefs() {
    warning("attach", |facts| {
        facts.release = "7.2.13".to_owned();
        facts.tracepoint_ids = Err("tracefs is not mounted".to_owned());
    });
    assert_eq!(
        troubles(|facts| facts.tracepoint_ids = Err("tracefs is not mounted".to_owned())),
        []
    );
    let mut facts = fine();
    let shown = |facts: &HostFacts| hook::check(facts).detail;
    assert!(shown(&facts).starts_with("raw tracepoints"), "{}", shown(&facts));
    facts.release = "7.2.13".to_owned();
    assert!(shown(&facts).starts_with("classic tracepoints"), "{}", shown(&facts));
}

#[test]
fn cgroups() {
    missing("cgroup v2", |facts| {
        facts.cgroup = HierarchyFacts { v1: true, ..HierarchyFacts::default() };
    });
    warning("cgroup v2", |facts| {
        facts.cgroup.v1 = true;
        facts.cgroup.occupied = Some(0);
    });
    warning("cgroup v2", |facts| facts.cgroup.host_root = false);
    assert_eq!(troubles(|facts| facts.cgroup.v1 = true), []);
    assert_eq!(troubles(|facts| facts.cgroup.occupied = Some(0)), []);
}

#[test]
fn whoever_names_targets_is_told_of_a_part() {
    let mut facts = fine();
    assert_eq!(hidden_targets(&facts), None);
    facts.cgroup.host_root = false;
    let warning = hidden_targets(&facts).expect("a part only");
    for part in ["warning:", "shows only a part", "hint:", "mount the host's /sys/fs/cgroup"] {
        assert!(warning.contains(part), "{warning}");
    }
    facts.cgroup.error = Some("cannot read".to_owned());
    assert_eq!(hidden_targets(&facts), None, "that is an error of its own");
}

#[test]
fn tracepoint_and_configuration() {
    let without = |option: &str| {
        let mut config = config();
        config.options.remove(option);
        Some(config)
    };
    missing("BPF", |facts| facts.config = without("BPF_SYSCALL"));
    missing("BPF", |facts| facts.config = without("BPF_EVENTS"));
    missing("tracepoint", |facts| {
        facts.tracepoint = Tracepoint::Unknown;
        facts.config = without("TRACEPOINTS");
    });
    missing("tracepoint", |facts| {
        facts.tracepoint = Tracepoint::Absent;
        facts.config = None;
    });
    assert_eq!(troubles(|facts| facts.tracepoint = Tracepoint::Unknown), []);
    assert_eq!(
        troubles(|facts| {
            facts.tracepoint = Tracepoint::Unknown;
            facts.config = None;
        }),
        []
    );
    warning("seccomp", |facts| {
        facts.seccomp_actions = None;
        facts.config = without("SECCOMP_FILTER");
    });
    warning("seccomp", |facts| {
        facts.seccomp_actions = None;
        facts.config = None;
    });
    assert_eq!(troubles(|facts| facts.seccomp_actions = None), []);
}

#[test]
fn calls_of_32_bit_programs() {
    let detail = |change: fn(&mut HostFacts)| {
        let mut facts = fine();
        change(&mut facts);
        let checks = evaluate(&facts);
        let found = checks.into_iter().find(|check| check.name == "32-bit calls");
        found.expect("the check").detail
    };
    assert!(detail(|_| {}).starts_with("possible"));
    assert!(
        detail(|facts| facts.command_line = "quiet ia32_emulation=0".to_owned()).contains("boot")
    );
    assert!(detail(|facts| facts.config = None).starts_with("unknown"));
}

#[test]
fn messages_name_the_missing_thing_and_the_remedy() {
    let mut facts = fine();
    facts.user = 1000;
    facts.capabilities = 0;
    let checks = evaluate(&facts);
    let error = required_for_tracing(&checks).expect_err("no capabilities");
    assert_eq!(
        error.to_string(),
        "capabilities: not root, neither CAP_BPF nor CAP_PERFMON: tracer cannot trace\n\nhint: run it with sudo"
    );
    let text = render(&checks);
    assert_eq!(text.lines().count(), checks.len() + 1);
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("capabilities") || line.contains("sudo"))
        .collect();
    assert!(lines[0].starts_with("missing  capabilities  not root"), "{text}");
    assert!(text.contains("              remedy: run it with sudo\n"), "{text}");
}

#[test]
fn facts_are_read_from_files() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let place = |path: &str, bytes: &[u8]| {
        let path = directory.path().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
        fs::write(path, bytes).expect("a file");
    };
    let unified = directory.path().join("sys/fs/cgroup/unified");
    place("proc/sys/kernel/osrelease", b"6.1.0-44-amd64\n");
    place("proc/sys/kernel/arch", b"x86_64\n");
    place("proc/self/status", b"Name:\tx\nUid:\t1000\t7\t1000\t1000\nCapEff:\t0000008000000000\n");
    place("proc/self/uid_map", b"         0       1000          1\n");
    place("proc/sys/kernel/unprivileged_bpf_disabled", b"1\n");
    place("proc/sys/kernel/seccomp/actions_avail", b"kill_process errno log allow\n");
    place("proc/cmdline", b"quiet \xff\n");
    place("sys/kernel/security/lockdown", b"none [integrity] confidentiality\n");
    place("sys/kernel/btf/vmlinux", b"\x9f\xeb");
    place("sys/kernel/debug/tracing/events/raw_syscalls/sys_enter/id", b"1\n");
    place("sys/kernel/debug/tracing/events/raw_syscalls/sys_exit/id", b"2\n");
    place("sys/kernel/debug/tracing/events/sched/sched_process_exit/id", b"3\n");
    place("sys/fs/cgroup/unified/cgroup.procs", b"1\n");
    place("sys/fs/cgroup/unified/web/cgroup.procs", b"2\n");
    let mount = format!("2 1 0:2 / {} rw - cgroup2 none rw\n", unified.display());
    place("proc/self/mountinfo", mount.as_bytes());
    let sources = FactSources {
        proc: directory.path().join("proc"),
        sys: directory.path().join("sys"),
        boot: directory.path().join("boot"),
        mount: false,
        count_cgroups: true,
    };

    let facts = gather(&sources);
    let expected = HostFacts {
        release: "6.1.0-44-amd64".to_owned(),
        machine: "x86_64".to_owned(),
        btf: true,
        tracepoint: Tracepoint::Present,
        tracepoint_ids: Ok(TracepointIds { enter: 1, exit: 2, task_exit: 3 }),
        config: None,
        cgroup: HierarchyFacts {
            mount_point: Some(unified),
            v1: false,
            occupied: Some(1),
            host_root: true,
            error: None,
        },
        user: 7,
        capabilities: 1 << 39,
        initial_user_namespace: false,
        lockdown: Some("integrity".to_owned()),
        securityfs: false,
        unprivileged_bpf_disabled: Some(1),
        seccomp_actions: Some(
            ["kill_process", "errno", "log", "allow"].map(str::to_owned).to_vec(),
        ),
        command_line: "quiet \u{fffd}".to_owned(),
    };
    assert_eq!(facts, expected);

    place("boot/config-6.1.0-44-amd64", CONFIG.as_bytes());
    let config = gather(&sources).config.expect("a configuration");
    assert!(config.has("BPF_EVENTS") && !config.has("IA32_EMULATION_DEFAULT_DISABLED"));
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(b"CONFIG_BPF_EVENTS=m\nCONFIG_X=y\n").expect("packed");
    place("proc/config.gz", &packed.finish().expect("packed"));
    let config = gather(&sources).config.expect("a configuration");
    assert!(
        config.has("BPF_EVENTS") && config.options.len() == 1 && config.path.ends_with("config.gz")
    );
}

#[test]
fn an_empty_host_is_evaluated_without_failing() {
    let nowhere = FactSources {
        proc: "/nonexistent".into(),
        sys: "/nonexistent".into(),
        boot: "/nonexistent".into(),
        mount: false,
        count_cgroups: true,
    };
    let checks = evaluate(&gather(&nowhere));
    assert!(!can_trace(&checks));
    assert!(!render(&checks).is_empty());
}

/// What it finds differs from host to host; that it finds something does not.
#[test]
fn this_host() {
    let facts = gather(&FactSources::default());
    assert!(!facts.release.is_empty() && !facts.machine.is_empty());
    eprint!("{}", render(&evaluate(&facts)));
}
