//! Turns the facts of a host into checks. Pure.

use super::check::{PreflightCheck, ok, version};
use super::facts::{HierarchyFacts, HostFacts, KernelConfig, Tracepoint, UNKNOWN_USER};
use super::hook;
use crate::syscalls::HOST;

/// The oldest kernel that tracing works on: the first whose verifier knows the address of a function
/// as a constant (`BPF_PSEUDO_FUNC` in `include/uapi/linux/bpf.h`), which the kernel side holds also
/// where `bpf_loop` is missing. Atomic operations beyond addition are one release older.
pub const KERNEL_MIN: (u32, u32) = (5, 13);
/// The oldest kernel that tracing is tested on.
pub const KERNEL_TESTED: (u32, u32) = (6, 1);

/// Bits of the capabilities (include/uapi/linux/capability.h).
const CAP_SYS_ADMIN: u32 = 21;
const CAP_PERFMON: u32 = 38;
const CAP_BPF: u32 = 39;

const NO_TRACING: &str = "tracer cannot trace";
const CGROUP: &str = "cgroup v2";
const IN_A_CONTAINER: &str =
    "in a container, mount the host's /sys/fs/cgroup into it (read-only is enough)";

/// One check for each requirement, always the same ones in the same order.
pub fn evaluate(facts: &HostFacts) -> Vec<PreflightCheck> {
    vec![
        machine(facts),
        kernel(facts),
        bpf(facts),
        capabilities(facts),
        lockdown(facts),
        tracepoint(facts),
        hook::check(facts),
        cgroup(facts),
        btf(facts),
        seccomp(facts),
        compat(facts),
        unprivileged_bpf(facts),
    ]
}

fn machine(facts: &HostFacts) -> PreflightCheck {
    let check = ok("machine", true, &facts.machine);
    if facts.machine == HOST.machine {
        return check;
    }
    check.missing("only x86_64 is supported", "run tracer on an x86_64 host")
}

fn kernel(facts: &HostFacts) -> PreflightCheck {
    let check = ok("kernel", true, format!("Linux {}", facts.release));
    let boot = |(major, minor)| format!("boot a kernel of version {major}.{minor} or newer");
    match version(&facts.release) {
        Some(version) if version >= KERNEL_TESTED => check,
        Some(version) if version >= KERNEL_MIN => {
            let (major, minor) = KERNEL_TESTED;
            PreflightCheck {
                detail: format!("{}, tested from {major}.{minor} on", check.detail),
                ..check
            }
            .warning("tracing may fail, and was not tested", boot(KERNEL_TESTED))
        }
        Some(_) => check.missing("too old for tracing", boot(KERNEL_MIN)),
        None => check.warning("its version cannot be read", boot(KERNEL_TESTED)),
    }
}

fn bpf(facts: &HostFacts) -> PreflightCheck {
    let check = ok("BPF", true, "assumed available (the kernel configuration cannot be read)");
    let Some(config) = &facts.config else { return check };
    let detail = |text: &str| PreflightCheck {
        detail: format!("{text} in {}", source(config)),
        ..check.clone()
    };
    // BPF_EVENTS: programs on tracepoints. It needs PERF_EVENTS and one of KPROBE_EVENTS,
    // UPROBE_EVENTS.
    for option in ["BPF_SYSCALL", "BPF_EVENTS"] {
        if !config.has(option) {
            return detail(&format!("no CONFIG_{option}"))
                .missing(NO_TRACING, format!("boot a kernel with CONFIG_{option}=y"));
        }
    }
    detail("CONFIG_BPF_SYSCALL and CONFIG_BPF_EVENTS")
}

fn capabilities(facts: &HostFacts) -> PreflightCheck {
    let has = |capability: u32| facts.capabilities & (1 << capability) != 0;
    let check = |detail: &str| ok("capabilities", true, detail);
    let enough = has(CAP_SYS_ADMIN) || (has(CAP_BPF) && has(CAP_PERFMON));
    if enough && !facts.initial_user_namespace {
        return check("held in a user namespace only, where the kernel does not honour them")
            .missing(NO_TRACING, "run tracer on the host, outside rootless containers");
    }
    if enough {
        return check(match (has(CAP_SYS_ADMIN), has(CAP_BPF) && has(CAP_PERFMON)) {
            (_, true) => "CAP_BPF and CAP_PERFMON",
            _ => "CAP_SYS_ADMIN",
        });
    }
    let absent = match (has(CAP_BPF), has(CAP_PERFMON)) {
        (true, _) => "no CAP_PERFMON",
        (_, true) => "no CAP_BPF",
        _ => "neither CAP_BPF nor CAP_PERFMON",
    };
    if facts.user == 0 {
        let remedy =
            "grant CAP_BPF and CAP_PERFMON (in a container: --cap-add BPF --cap-add PERFMON)";
        return check(&format!("root, but {absent}")).missing(NO_TRACING, remedy);
    }
    if facts.user == UNKNOWN_USER {
        return check("unknown: /proc/self/status cannot be read").missing(
            NO_TRACING,
            "see why it cannot be read: cat /proc/self/status (out of memory?)",
        );
    }
    check(&format!("not root, {absent}")).missing(NO_TRACING, "run it with sudo")
}

/// `confidentiality` forbids what reads kernel memory: `LOCKDOWN_BPF_READ_KERNEL`
/// (include/linux/security.h).
fn lockdown(facts: &HostFacts) -> PreflightCheck {
    const FORBIDDEN: &str = "BPF programs may not read kernel memory";
    const BOOT: &str = "boot with lockdown=integrity or without lockdown";
    let check = |detail: &str| ok("lockdown", true, detail);
    let has = |option: &str| facts.config.as_ref().map(|config| config.has(option));
    let mut words = facts.command_line.split_whitespace().rev();
    let asked = words.find_map(|word| word.strip_prefix("lockdown="));
    match facts.lockdown.as_deref() {
        Some("confidentiality") => return check("confidentiality").missing(FORBIDDEN, BOOT),
        Some(mode) => return check(mode),
        None if facts.securityfs || has("SECURITY_LOCKDOWN_LSM") == Some(false) => {
            return check("not in force");
        }
        None => {}
    }
    let forced = has("LOCK_DOWN_KERNEL_FORCE_CONFIDENTIALITY") == Some(true);
    if asked == Some("confidentiality") || forced {
        let why = if forced {
            "the kernel is built with it"
        } else {
            "the kernel's command line asks for it"
        };
        return check(&format!("most likely confidentiality: {why}; securityfs is not mounted"))
            .warning(FORBIDDEN, BOOT);
    }
    check("assumed off (securityfs is not mounted, and nothing asks for it)")
}

fn tracepoint(facts: &HostFacts) -> PreflightCheck {
    let check = |detail: String| ok("tracepoint", true, detail);
    let absent = |detail: String| {
        let remedy = "boot a kernel with CONFIG_TRACEPOINTS=y and CONFIG_FTRACE_SYSCALLS=y";
        check(detail).missing("the tracepoint is missing", remedy)
    };
    match (facts.tracepoint, &facts.config) {
        (Tracepoint::Present, _) => check("raw_syscalls/sys_enter".to_owned()),
        // A raw tracepoint works without the events in tracefs, so that the configuration decides
        // where it is known.
        (_, Some(config)) => match missing_option(config) {
            Some(option) => absent(format!("no CONFIG_{option} in {}", source(config))),
            None => check(format!("raw_syscalls/sys_enter, by {}", source(config))),
        },
        (Tracepoint::Absent, None) => {
            absent("tracefs does not list raw_syscalls/sys_enter".to_owned())
        }
        (Tracepoint::Unknown, None) => {
            check("assumed available (tracefs cannot be read)".to_owned())
        }
    }
}

fn missing_option(config: &KernelConfig) -> Option<&'static str> {
    ["TRACEPOINTS", "HAVE_SYSCALL_TRACEPOINTS"].into_iter().find(|option| !config.has(option))
}

fn cgroup(facts: &HostFacts) -> PreflightCheck {
    let cgroup = &facts.cgroup;
    let check = |detail: String| ok(CGROUP, true, detail);
    let boot = "boot with systemd.unified_cgroup_hierarchy=1";
    let Some(mount_point) = &cgroup.mount_point else {
        let detail = cgroup.error.as_deref().unwrap_or("not mounted");
        return check(detail.to_owned())
            .missing("tracer cannot distinguish targets", format!("{boot}; {IN_A_CONTAINER}"));
    };
    let place = mount_point.display();
    if let Some(error) = &cgroup.error {
        return check(format!("at {place}, but: {error}")).missing(
            "targets cannot be found",
            match facts.user {
                0 | UNKNOWN_USER => "see why it cannot be read (out of memory?)",
                _ => "run it with sudo",
            },
        );
    }
    if let Some(part) = part_of_hierarchy(cgroup) {
        return part;
    }
    match (cgroup.v1, cgroup.occupied) {
        (false, None) => check(format!("at {place}")),
        (true, None) => check(format!("at {place}, beside cgroup v1")),
        (false, Some(count)) => check(format!("at {place}, cgroups with processes: {count}")),
        (true, Some(0)) => check(format!("at {place}, beside cgroup v1; no cgroup in it holds processes")).warning(
            "tracer cannot distinguish workloads that are only in cgroup v1 (runc, Docker and Podman use both)",
            boot,
        ),
        (true, Some(count)) => {
            check(format!("at {place}, beside cgroup v1; cgroups with processes: {count}"))
        }
    }
}

/// The warning that the hierarchy is seen in part only; none when it is seen whole, or not at all.
pub(super) fn part_of_hierarchy(cgroup: &HierarchyFacts) -> Option<PreflightCheck> {
    let place =
        cgroup.mount_point.as_ref().filter(|_| cgroup.error.is_none() && !cgroup.host_root)?;
    let detail = format!("at {}, which shows only a part of it", place.display());
    let remedy = format!("run tracer on the host; {IN_A_CONTAINER}");
    Some(ok(CGROUP, true, detail).warning("targets outside that part cannot be found", remedy))
}

fn btf(facts: &HostFacts) -> PreflightCheck {
    if facts.btf {
        return ok("BTF", false, "/sys/kernel/btf/vmlinux");
    }
    ok("BTF", false, "no /sys/kernel/btf/vmlinux").warning(
        "command names decide which calls are the runtime's set-up, and 32-bit calls count as lost",
        "boot a kernel with CONFIG_DEBUG_INFO_BTF=y",
    )
}

/// Enforcement, not tracing: a host without it can still learn profiles for others.
fn seccomp(facts: &HostFacts) -> PreflightCheck {
    let check = |detail: String| ok("seccomp", false, detail);
    let absent = |detail: String| {
        check(detail).warning(
            "profiles can be learned but not enforced here",
            "boot a kernel with CONFIG_SECCOMP_FILTER=y",
        )
    };
    match (&facts.seccomp_actions, &facts.config) {
        (Some(actions), _) if actions.iter().any(|action| action == "log") => {
            check(format!("actions {}", actions.join(" ")))
        }
        (Some(actions), _) => check(format!("actions {}", actions.join(" ")))
            .warning("denied calls cannot be logged", "boot a kernel of version 4.14 or newer"),
        (None, Some(config)) if config.has("SECCOMP_FILTER") => {
            check(format!("CONFIG_SECCOMP_FILTER in {}", source(config)))
        }
        (None, Some(config)) => absent(format!("no CONFIG_SECCOMP_FILTER in {}", source(config))),
        (None, None) => absent("no /proc/sys/kernel/seccomp/actions_avail".to_owned()),
    }
}

/// Information: which other ABIs programs can use here. The boot parameter exists since 6.7
/// (Documentation/admin-guide/kernel-parameters.txt, `ia32_emulation`).
fn compat(facts: &HostFacts) -> PreflightCheck {
    let check = |detail: &str| ok("32-bit calls", false, detail);
    let parameter = facts
        .command_line
        .split_whitespace()
        .rev()
        .find_map(|word| word.strip_prefix("ia32_emulation="));
    let option = |name: &str| facts.config.as_ref().map(|config| config.has(name));
    match (option("IA32_EMULATION"), parameter) {
        (Some(false), _) => check("the kernel has none"),
        (_, Some("0" | "off" | "n" | "no" | "false")) => check("switched off at boot"),
        (Some(true), None) if option("IA32_EMULATION_DEFAULT_DISABLED") == Some(true) => {
            check("switched off by default")
        }
        (Some(true), _) => check("possible, and traced with their own numbers"),
        (None, _) => check("unknown; traced with their own numbers when they occur"),
    }
}

/// Information: it bears on users other than root only.
fn unprivileged_bpf(facts: &HostFacts) -> PreflightCheck {
    let detail = match facts.unprivileged_bpf_disabled {
        Some(0) => "allowed to every user",
        Some(_) => "allowed to privileged users only",
        None => "unknown",
    };
    ok("use of BPF", false, format!("{detail} (tracer needs the capabilities either way)"))
}

fn source(config: &KernelConfig) -> String {
    config.path.display().to_string()
}
