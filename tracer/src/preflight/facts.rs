//! What the kernel tells about itself and about this process.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::{
    bpf::{TracepointIds, syscall_tracepoints},
    target::{CgroupError, CgroupRoot},
};

/// No user has this id (`(uid_t) -1`, credentials(7)).
pub const UNKNOWN_USER: u32 = u32::MAX;

/// The longest file that is read: kernel configurations are some 300 KiB.
const LENGTH_MAX: u64 = 8 << 20;

/// Where to look; other places are for tests.
#[derive(Clone, Debug)]
pub struct FactSources {
    /// `/proc`
    pub proc: PathBuf,
    /// `/sys`
    pub sys: PathBuf,
    /// `/boot`
    pub boot: PathBuf,
    /// A file system that is not there may be mounted, where no other process sees it.
    pub mount: bool,
    /// The cgroups that hold processes are counted, which takes a walk over all of them.
    pub count_cgroups: bool,
}

impl Default for FactSources {
    fn default() -> Self {
        Self {
            proc: "/proc".into(),
            sys: "/sys".into(),
            boot: "/boot".into(),
            mount: true,
            count_cgroups: true,
        }
    }
}

/// What was found. What could not be read is absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostFacts {
    /// `6.12.9-amd64`
    pub release: String,
    /// `x86_64`
    pub machine: String,
    /// The kernel describes its own types.
    pub btf: bool,
    /// The tracepoint `raw_syscalls/sys_enter`.
    pub tracepoint: Tracepoint,
    /// The numbers of the classic tracepoints on system calls; or why they cannot be read.
    pub tracepoint_ids: Result<TracepointIds, String>,
    /// The kernel's build configuration.
    pub config: Option<KernelConfig>,
    /// Cgroup v2.
    pub cgroup: HierarchyFacts,
    /// Effective user id; [`UNKNOWN_USER`] when it could not be read.
    pub user: u32,
    /// Effective capabilities, one bit for each.
    pub capabilities: u64,
    /// This process is not in a user namespace of its own, where capabilities do not reach the
    /// kernel.
    pub initial_user_namespace: bool,
    /// The lockdown mode in force: `none`, `integrity`, `confidentiality`.
    pub lockdown: Option<String>,
    /// securityfs is mounted: where it tells no mode, there is no lockdown.
    pub securityfs: bool,
    /// The sysctl `kernel.unprivileged_bpf_disabled`.
    pub unprivileged_bpf_disabled: Option<u32>,
    /// The seccomp actions that the kernel knows.
    pub seccomp_actions: Option<Vec<String>>,
    /// The kernel's command line.
    pub command_line: String,
}

/// Is the tracepoint there?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tracepoint {
    /// It is listed.
    Present,
    /// The list can be read, and it is not in it.
    Absent,
    /// tracefs is not mounted or cannot be read.
    #[default]
    Unknown,
}

/// What is known about cgroup v2.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HierarchyFacts {
    /// Where it is mounted.
    pub mount_point: Option<PathBuf>,
    /// There are v1 hierarchies as well.
    pub v1: bool,
    /// How many v2 cgroups other than the root hold processes; None when they were not counted.
    pub occupied: Option<usize>,
    /// The mount point is the root of the hierarchy, not that of a container's cgroup namespace.
    pub host_root: bool,
    /// Why it could not be read.
    pub error: Option<String>,
}

/// The options that the kernel was built with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KernelConfig {
    /// Where it was read.
    pub path: PathBuf,
    /// The values of those of [`OPTIONS`] that are set, without `CONFIG_`.
    pub options: BTreeMap<String, String>,
}

/// The options that matter to tracer.
const OPTIONS: [&str; 9] = [
    "BPF_EVENTS",
    "BPF_SYSCALL",
    "HAVE_SYSCALL_TRACEPOINTS",
    "IA32_EMULATION",
    "IA32_EMULATION_DEFAULT_DISABLED",
    "LOCK_DOWN_KERNEL_FORCE_CONFIDENTIALITY",
    "SECCOMP_FILTER",
    "SECURITY_LOCKDOWN_LSM",
    "TRACEPOINTS",
];

impl KernelConfig {
    /// Is the option, one of [`OPTIONS`], built in, or built as a module?
    pub fn has(&self, option: &str) -> bool {
        debug_assert!(OPTIONS.contains(&option), "{option} is not read");
        self.options.get(option).is_some_and(|value| matches!(value.as_str(), "y" | "m"))
    }

    /// Reads lines such as `CONFIG_BPF=y`.
    pub fn parse(path: &Path, text: &str) -> Self {
        let options = text
            .lines()
            .filter_map(|line| line.strip_prefix("CONFIG_")?.split_once('='))
            .filter(|(name, _)| OPTIONS.contains(name))
            .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
            .collect();
        Self { path: path.to_owned(), options }
    }
}

/// Gathers the facts. What cannot be read is left out: `evaluate` decides what follows.
pub fn gather(sources: &FactSources) -> HostFacts {
    let FactSources { proc, sys, boot, mount, count_cgroups } = sources;
    let line = |path: PathBuf| text(&path).map(|text| text.trim().to_owned());
    let status = text(&proc.join("self/status")).unwrap_or_default();
    let release = line(proc.join("sys/kernel/osrelease")).unwrap_or_default();
    HostFacts {
        machine: line(proc.join("sys/kernel/arch")).unwrap_or_else(machine),
        btf: sys.join("kernel/btf/vmlinux").is_file(),
        tracepoint: tracepoint(sys),
        tracepoint_ids: syscall_tracepoints(sys, *mount).map_err(|error| error.to_string()),
        config: config(proc, boot, &release),
        cgroup: cgroup(proc, *count_cgroups),
        user: user(&status).unwrap_or(UNKNOWN_USER),
        capabilities: capabilities(&status).unwrap_or(0),
        initial_user_namespace: line(proc.join("self/uid_map"))
            .is_none_or(|map| is_whole_range(&map)),
        lockdown: line(sys.join("kernel/security/lockdown")).and_then(|line| lockdown(&line)),
        securityfs: sys.join("kernel/security/lsm").exists(),
        unprivileged_bpf_disabled: line(proc.join("sys/kernel/unprivileged_bpf_disabled"))
            .and_then(|value| value.parse().ok()),
        seccomp_actions: line(proc.join("sys/kernel/seccomp/actions_avail"))
            .map(|line| line.split_whitespace().map(str::to_owned).collect()),
        command_line: line(proc.join("cmdline")).unwrap_or_default(),
        release,
    }
}

/// Kernels before 6.1 have no `/proc/sys/kernel/arch`.
fn machine() -> String {
    rustix::system::uname().machine().to_string_lossy().into_owned()
}

fn cgroup(proc: &Path, count: bool) -> HierarchyFacts {
    let root = match CgroupRoot::find(proc) {
        Ok(root) => root,
        Err(error) => {
            let v1 = matches!(error, CgroupError::NotMounted { v1: true });
            return HierarchyFacts {
                v1,
                error: Some(first_line(&error)),
                ..HierarchyFacts::default()
            };
        }
    };
    let mut facts = HierarchyFacts {
        mount_point: Some(root.mount_point().to_owned()),
        v1: root.has_v1(),
        ..HierarchyFacts::default()
    };
    // The root of the hierarchy has no parent and no cgroup.events: only other cgroups have.
    facts.host_root = !root.mount_point().join("cgroup.events").exists();
    match count.then(|| root.tree()) {
        Some(Ok(tree)) => {
            let others = tree.nodes.iter().filter(|node| node.path != "/" && node.occupied);
            facts.occupied = Some(others.count());
        }
        Some(Err(error)) => facts.error = Some(first_line(&error)),
        None => {}
    }
    facts
}

fn first_line(error: &CgroupError) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

/// tracefs is mounted in one of two places; the older one is below debugfs.
fn tracepoint(sys: &Path) -> Tracepoint {
    for tracing in ["kernel/tracing", "kernel/debug/tracing"] {
        let events = sys.join(tracing).join("events");
        if fs::read_dir(&events).is_ok() {
            let there = events.join("raw_syscalls/sys_enter").is_dir();
            return if there { Tracepoint::Present } else { Tracepoint::Absent };
        }
    }
    Tracepoint::Unknown
}

fn config(proc: &Path, boot: &Path, release: &str) -> Option<KernelConfig> {
    let packed = proc.join("config.gz");
    if let Ok(text) = unpack(&packed) {
        return Some(KernelConfig::parse(&packed, &text));
    }
    let plain = boot.join(format!("config-{release}"));
    text(&plain).map(|text| KernelConfig::parse(&plain, &text))
}

fn unpack(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    flate2::read::GzDecoder::new(File::open(path)?).take(LENGTH_MAX).read_to_string(&mut text)?;
    Ok(text)
}

fn text(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(LENGTH_MAX).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// `CapEff: 000001ffffffffff` (`proc_pid_status(5)`).
fn capabilities(status: &str) -> Option<u64> {
    let value = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(value.trim(), 16).ok()
}

/// `Uid: real effective saved file-system`
fn user(status: &str) -> Option<u32> {
    let values = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    values.split_whitespace().nth(1)?.parse().ok()
}

/// The map of the initial user namespace is the whole range onto itself (`user_namespaces(7)`).
fn is_whole_range(map: &str) -> bool {
    map.split_whitespace().eq(["0", "0", "4294967295"])
}

/// `none [integrity] confidentiality`: the one in brackets is in force.
fn lockdown(line: &str) -> Option<String> {
    line.split_whitespace()
        .find_map(|mode| mode.strip_prefix('[')?.strip_suffix(']'))
        .map(str::to_owned)
}
