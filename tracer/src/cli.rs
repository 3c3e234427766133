//! What was typed: clap definitions, and what is said of what cannot be meant.

mod choice;
mod cluster;
mod convert;
mod decisions;
mod enforce;
mod lint;
mod mistyped;
mod new_privileges;
mod shell;
mod sockets;
mod values;
mod verify;
mod workbench;

use std::{ffi::OsString, path::PathBuf, time::Duration};

use clap::{Args, Parser};

pub use self::cluster::Cluster;
pub use self::convert::{ConditionalValue, Convert, ConvertTo, Style};
pub use self::decisions::{DecisionOptions, Review};
pub use self::enforce::Enforce;
pub use self::lint::{FailOn, FixLevel, Lint, LintFormat};
pub use self::mistyped::Mistyped;
pub use self::new_privileges::NewPrivileges;
pub use self::shell::{Completions, ManPages};
pub use self::sockets::Sockets;
pub use self::values::{
    Arguments, AttachValue, Color, DefaultActionValue, ErrnoValue, LiveView, RuntimeValue,
};
pub use self::verify::Verify;
pub use self::workbench::{Decode, DecodeAbi, Diff, DiffFailOn, Explain, Report};
use self::{
    choice::ChoiceParser,
    values::{COLOR_VARIABLE, parse_period, parse_time},
};

/// Learn the smallest seccomp profile that a workload still starts and runs under.
///
/// Watches the syscalls of a pod, a container, a cgroup, a process or a command from the kernel.
/// Writes a profile that Docker, Podman, containerd, CRI-O, runc and crun accept, and the
/// Kubernetes patch to use it.
#[derive(Debug, Parser)]
#[command(
    name = "tracer",
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = AFTER_HELP
)]
pub struct Cli {
    /// What to do instead of recording.
    #[command(subcommand)]
    pub subcommand: Option<Subcommand>,
    /// What to record.
    #[command(flatten)]
    pub record: Record,
    /// Colour what is incomplete, denied, or allowed beyond the defaults of container engines
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        value_enum,
        value_parser = ChoiceParser(Color::Auto),
        default_value_t = Color::Auto,
        env = COLOR_VARIABLE,
        hide_env_values = true
    )]
    pub color: Color,
}

const AFTER_HELP: &str = "\
Targets:
  NAMESPACE/POD                a pod; a pod's UID does as well
  NAMESPACE/POD/CONTAINER      a container of a pod
  NAMESPACE/deployment/NAME    the pods of a workload (also statefulset, daemonset, replicaset, job,
                               cronjob)
  NAMESPACE/web-*              the pods whose names begin so; NAMESPACE/* all of the namespace
  NAME                         a container of Docker or Podman
  ID                           a container by its id (also docker://ID, containerd://ID, cri-o://ID)
                               or enough of its first digits to be unique
  podman:user@1000/NAME        a container that this user runs without root
  nginx.service                a unit of the system
  unit:user@1000/NAME          a unit of this user's manager
  /system.slice/nginx.service  a cgroup by its path
  pid:N                        the cgroup of a process
A prefix (path: pid: pod: docker: podman: cri: unit:) forces the kind. -l LABELS selects some of several pods.

Exit status:
  0  written and complete
  1  failed, no profile was written
  2  usage
  3  written, but incomplete
When COMMAND fails, tracer writes the files and exits with COMMAND's status, 128+N for signal N.";

/// What tracer can do besides recording.
#[derive(Debug, clap::Subcommand)]
pub enum Subcommand {
    /// Check whether this host can trace and enforce
    Check(Check),
    /// List what can be traced here: pods, containers and units
    ///
    /// Reads the cgroups, and asks the container runtimes for names.
    List(List),
    /// Run a command under a profile
    ///
    /// Sets no_new_privs (unless COMMAND needs privileges and root runs tracer), loads the profile
    /// into the kernel and executes the command in place of tracer. Needs no root. Reads the
    /// profile as runc does. With --check, reads and judges the profile and runs nothing.
    #[command(after_help = enforce::AFTER_ENFORCE)]
    Enforce(Enforce),
    /// Watch a workload run under a profile, and name every call that the profile denies
    ///
    /// Lists for each denied call the answer, the command, the phase, the count, what came next,
    /// and the remedy. Runs a command under the profile, in a cgroup of its own. Any other target
    /// must run under the profile already, or start under it with --wait.
    #[command(after_help = verify::AFTER_VERIFY)]
    Verify(Box<Verify>),
    /// Derive a profile again, from one recording or from many
    Profile(Rederive),
    /// Find what is wrong with profiles, for whom, and correct it
    ///
    /// Names every fault with its line, what each consumer makes of it, and what to write. Says
    /// whether containers start under the profile, today and after an update of the runtime.
    /// docs/lint.md explains each rule.
    Lint(Lint),
    /// Compare two profiles or two recordings, or show what a profile would have denied to
    /// recordings
    Diff(Diff),
    /// Explain a profile or a recording: what is allowed, how risky it is, and why
    Explain(Explain),
    /// Decide about the syscalls of a profile, one after the other
    ///
    /// Asks about those that the defaults of container engines refuse, then about those with which
    /// much harm can be done: what each does, who made it, and the risk. Writes the answers to
    /// tracer.toml; docs/decisions.md describes it.
    Review(Review),
    /// Write a profile in the form that another tool takes
    ///
    /// Reads and writes the forms of Docker, Podman, OCI runtimes, Kubernetes, the Security
    /// Profiles Operator and systemd. Reads recordings as well. The same syscalls pass with the
    /// same arguments. What a form cannot say is an error that names the rule; every other
    /// difference is shown.
    Convert(Convert),
    /// Write what recordings show: a page for a browser, or Markdown for a pull request
    Report(Report),
    /// Name the syscalls in a pasted log, in numbers, or in the output of strace
    ///
    /// Reads the kernel's audit records, as dmesg, journald, syslog and audit.log have them, lists
    /// of numbers, and what strace prints, in any mixture. Names each syscall by its ABI, counts
    /// it, and says when the log lacks records.
    Decode(Decode),
    /// Print the script that lets a shell complete commands and options
    Completions(Completions),
    /// Write the manual: a page for tracer and one for each of its commands
    ManPages(ManPages),
    /// Make a cgroup, print its path, and remove it when standard input ends.
    #[command(name = "internal-cgroup-guard", hide = true)]
    CgroupGuard,
}

/// Options of a recording.
#[derive(Debug, Args)]
pub struct Record {
    /// Target: pod, container, unit, cgroup path or pid (repeatable)
    #[arg(long = "cgroup", value_name = "TARGET", required_unless_present_any = ["command", "all_containers"])]
    pub targets: Vec<String>,
    /// Watch every container, also those that start later, and write a profile for each
    #[arg(long, conflicts_with = "targets")]
    pub all_containers: bool,
    /// Write the profile to FILE, and the recording and the Kubernetes patch beside it. `-` prints
    /// the profile alone; a directory (DIR/) gets a profile for each target
    #[arg(long, short, value_name = "FILE", default_value = "profile.json")]
    pub out: PathBuf,
    /// Stop after this time (60s, 10m, 1h; a number alone is seconds)
    #[arg(long, value_name = "TIME", value_parser = parse_time, allow_hyphen_values = true)]
    pub duration: Option<Duration>,
    /// Stop when no new call was seen for this time
    #[arg(long, value_name = "TIME", value_parser = parse_time, allow_hyphen_values = true)]
    pub until_quiet: Option<Duration>,
    /// Write the files as they would be now at this interval (at least 1s). SIGUSR1 does it once
    #[arg(long, value_name = "TIME", value_parser = parse_period, allow_hyphen_values = true)]
    pub snapshot_every: Option<Duration>,
    /// Merge with the recording that the files hold, when it is of the same targets and images.
    /// Otherwise keep that recording under a number (NAME.recording.json.1). For a tracer that is
    /// started repeatedly
    #[arg(long)]
    pub merge: bool,
    /// When the recording has ended by itself and the files are written, wait for a signal before
    /// exiting, so that a supervisor does not start tracer again
    #[arg(long, conflicts_with = "command")]
    pub stay: bool,
    /// Where names are asked for.
    #[command(flatten)]
    pub sockets: Sockets,
    /// Which pods are meant.
    #[command(flatten)]
    pub cluster: Cluster,
    /// Wait for targets that do not exist yet, and keep recording across restarts
    #[arg(long, requires = "targets")]
    pub wait: bool,
    /// Run COMMAND as this user (a name or a number)
    #[arg(long, value_name = "USER", requires = "command")]
    pub user: Option<String>,
    /// How the profile is derived.
    #[command(flatten)]
    pub derivation: DerivationOptions,
    /// Watch the calls that a filter denies the target as well. Each call then costs more. Implied
    /// when the target is under a filter, and by --wait and --all-containers
    #[arg(long)]
    pub denied: bool,
    /// Never watch denied calls. Cheaper, but the calls that a filter denies are missing
    #[arg(long, conflicts_with_all = ["denied", "include_denied"])]
    pub no_denied: bool,
    /// Do not count calls
    #[arg(long)]
    pub no_counts: bool,
    /// Exit with 0 or 3 when COMMAND fails, not with its status
    #[arg(long, requires = "command")]
    pub ignore_status: bool,
    /// Write COMMAND's arguments to the recording. They may hold secrets
    #[arg(long, requires = "command")]
    pub keep_arguments: bool,
    /// Write an event to FILE, as a line of JSON, for each call that is seen for the first time
    #[arg(long, value_name = "FILE")]
    pub events: Option<PathBuf>,
    /// What to show while recording. A command has the terminal for itself: without a status line
    #[arg(
        long,
        value_name = "WHAT",
        value_enum,
        value_parser = ChoiceParser(LiveView::Syscalls),
        default_value_t = LiveView::Syscalls,
        env = "TRACER_LIVE",
        hide_env_values = true
    )]
    pub live: LiveView,
    /// Do without the kernel's type information
    #[arg(long, hide = true)]
    pub no_btf: bool,
    /// Where the kernel program is attached
    #[arg(long, value_name = "HOOK", value_enum, default_value_t = AttachValue::Auto, hide = true)]
    pub attach: AttachValue,
    /// Command to run in a cgroup of its own and to record
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

/// Options of a derivation, of what was just recorded or of recordings.
#[derive(Debug, Args)]
pub struct DerivationOptions {
    /// Error of a call that is not allowed
    #[arg(long, value_name = "ERRNO", value_enum, ignore_case = true, default_value_t = ErrnoValue::Enosys)]
    pub errno: ErrnoValue,
    /// Action for a call that is not allowed
    #[arg(long, value_name = "ACTION", value_enum, ignore_case = true, default_value_t = DefaultActionValue::Errno)]
    pub default_action: DefaultActionValue,
    /// Add the calls this runtime needs to start a container
    #[arg(
        long,
        value_enum,
        value_parser = ChoiceParser(RuntimeValue::Any),
        default_value_t = RuntimeValue::Any,
        env = "TRACER_RUNTIME",
        hide_env_values = true
    )]
    pub runtime: RuntimeValue,
    /// Limits of the arguments of calls
    #[arg(long, value_name = "HOW", value_enum, default_value_t = Arguments::Default)]
    pub arguments: Arguments,
    /// Allow 32-bit programs too: list x86_64, x86 and x32 in the profile, whatever was seen
    #[arg(long)]
    pub all_arches: bool,
    /// Allow this call as well (repeatable, or several with commas)
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub include: Vec<String>,
    /// Do not allow this call, though it was seen (repeatable, or several with commas)
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub exclude: Vec<String>,
    /// Which decisions count.
    #[command(flatten)]
    pub decisions: DecisionOptions,
    /// Allow the forms of each seen call that other C libraries and kernels use
    #[arg(long)]
    pub alternatives: bool,
    /// Allow the calls of rarely taken paths: aborts, shortage of memory, the system log
    #[arg(long)]
    pub error_paths: bool,
    /// Allow the calls that a filter denied while they were recorded (implies --denied while
    /// recording)
    #[arg(long)]
    pub include_denied: bool,
    /// Write a profile for each container as well, with the Kubernetes patch for that container
    #[arg(long)]
    pub per_container: bool,
    /// Do not count a missed start as incomplete
    #[arg(long)]
    pub accept_late_start: bool,
    /// Also write the profile to DIR/seccomp/NAME, where the kubelet of this node finds it, and use
    /// that name in the patch
    #[arg(long, value_name = "NAME")]
    pub install_localhost: Option<String>,
    /// Root directory of the kubelet (default: /var/lib/kubelet)
    #[arg(long, value_name = "DIR", requires = "install_localhost")]
    pub kubelet_root: Option<PathBuf>,
    /// Print errors only
    #[arg(long, short)]
    pub quiet: bool,
    /// Print more: reasons for added calls, and all of the summary; while recording also the calls
    /// that set containers up, new values of arguments, and the log of the kernel side
    #[arg(long, short, conflicts_with = "quiet")]
    pub verbose: bool,
}

/// Options of `profile`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP_PROFILE)]
pub struct Rederive {
    /// Recordings: the files NAME.recording.json that tracer writes beside a profile. `-` reads one
    /// from standard input
    #[arg(value_name = "RECORDING", required = true)]
    pub recordings: Vec<PathBuf>,
    /// Write the profile to FILE, and the merged recording and the Kubernetes patch beside it. `-`
    /// prints the profile alone; a directory (DIR/) gets a profile for each target
    #[arg(long, short, value_name = "FILE")]
    pub out: PathBuf,
    /// Leave out the calls that the workload made in fewer than N recordings, with a warning that
    /// names them. What the runtime or a base set needs stays
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub min_runs: Option<u32>,
    /// How the profile is derived.
    #[command(flatten)]
    pub derivation: DerivationOptions,
}

const AFTER_HELP_PROFILE: &str = "\
Merging with a recording that saw the start repairs a late start of the same cgroup, container or pod. \
Nothing repairs other losses.

Exit status:
  0  written and complete
  1  failed, no profile was written
  2  usage
  3  written, but incomplete";

/// Options of `check`.
#[derive(Debug, Args)]
pub struct Check {
    /// Check as well whether the kubelet of this node finds the profile NAME in DIR/seccomp.
    /// Without its profile, the kubelet does not create a container
    #[arg(long, value_name = "NAME")]
    pub localhost: Option<String>,
    /// Root directory of the kubelet (default: /var/lib/kubelet)
    #[arg(long, value_name = "DIR", requires = "localhost")]
    pub kubelet_root: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Options of `list`.
#[derive(Debug, Args)]
pub struct List {
    /// Where names are asked for.
    #[command(flatten)]
    pub sockets: Sockets,
    /// Show the ids of containers whole, not only the first digits that make each unique
    #[arg(long)]
    pub no_trunc: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// List the runtimes that were asked for names
    #[arg(long, short)]
    pub verbose: bool,
}
