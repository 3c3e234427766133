//! What was typed: clap definitions, and what is said of what cannot be meant.

mod cluster;
mod mistyped;
mod values;

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{Args, Parser, Subcommand};

pub use self::cluster::Cluster;
pub use self::mistyped::Mistyped;
pub use self::values::{Arguments, Attach, DefaultAction, Errno, Runtime};
use self::values::{parse_period, parse_socket, parse_time};

/// Learn the seccomp profile that a workload starts and runs under, from the kernel.
///
/// Watches the system calls of a pod, a container, a cgroup, a process or a command, and writes a profile that Docker,
/// Podman, containerd, CRI-O, runc and crun accept, and the Kubernetes patch to use it.
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
    pub action: Option<Action>,
    /// What to record.
    #[command(flatten)]
    pub record: Record,
}

impl Cli {
    /// Reads a command line, the program's name first.
    ///
    /// # Errors
    /// It cannot be understood, or asks for help.
    pub fn read(words: impl Iterator<Item = OsString>) -> Result<Self, Mistyped> {
        let words: Vec<OsString> = words.collect();
        Self::try_parse_from(&words).map_err(|error| Mistyped::new(error, &words))
    }
}

const AFTER_HELP: &str = "\
Targets: a cgroup path (/system.slice/nginx.service), a unit of the system, NAMESPACE/POD, NAMESPACE/POD/CONTAINER, the pods of a workload \
(NAMESPACE/deployment/NAME, or statefulset, daemonset, replicaset, job, cronjob) or those whose names begin alike (NAMESPACE/web-*, NAMESPACE/*), also with \
-l LABELS, a pod's UID, a container's \
name, its id (also as docker://ID, containerd://ID, cri-o://ID) or as many digits of that as tell it from others, pid:N. \
A prefix (path: pid: pod: docker: podman: cri: unit:) forces the kind; unit:user@1000/NAME is a unit of that user's manager, \
podman:user@1000/NAME a container that the user runs without root.

Exit status: 0 written and complete; 1 failed, no profile was written; 2 usage; 3 written, but incomplete. When COMMAND fails, \
the files are written and its status is tracer's, 128+N for signal N.";

const AFTER_ENFORCE: &str = "\
Exit status: the command's own; 127 the command was not found; 126 it cannot be executed; 125 the profile cannot be used; \
2 usage. With --check: 0 it can be used.";

const AFTER_VERIFY: &str = "\
Exit status: 0 PROFILE denied nothing; 4 it denied calls; 3 incomplete: calls may have been denied unseen; 1 no filter is \
loaded on the target, or another one than PROFILE, or verify failed; 2 usage. When none of these holds and COMMAND fails, its \
status is tracer's.";

/// What tracer can do besides recording.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Tell whether this host can trace and enforce.
    Check(Check),
    /// List what can be traced here: pods, containers and units
    ///
    /// Reads the cgroups, and asks the container runtimes for names.
    List(List),
    /// Run a command under a profile
    ///
    /// Sets no_new_privs, loads the profile into the kernel and executes the command in place of tracer: needs no root. What
    /// the profile means is what runc makes of it. With --check nothing is run: the profile is read and judged.
    #[command(after_help = AFTER_ENFORCE)]
    Enforce(Enforce),
    /// Watch a workload run under a profile, and name every call that is denied
    ///
    /// Says of each denied call how it was refused, to which command, in which phase, how often, what came next, and what to do.
    /// A command is run under the profile, in a cgroup of its own; any other target must run under it already, or be started
    /// under it with --wait.
    #[command(after_help = AFTER_VERIFY)]
    Verify(Box<Verify>),
    /// Derive a profile again, from one recording or from many
    Profile(Rederive),
    /// Make a cgroup, print its path, and remove it when standard input ends.
    #[command(name = "internal-keep", hide = true)]
    Keep,
}

/// Options of a recording.
#[derive(Debug, Args)]
pub struct Record {
    /// What to watch; may be given several times
    #[arg(long = "cgroup", value_name = "TARGET", required_unless_present_any = ["command", "all_containers"])]
    pub targets: Vec<String>,
    /// Watch every container, those that are started later as well, and write a profile for each
    #[arg(long, conflicts_with = "targets")]
    pub all_containers: bool,
    /// Where the profile goes; the recording and the Kubernetes patch go beside it. `-` prints the profile alone; a folder
    /// (DIR/) gets a profile for each target
    #[arg(long, short, value_name = "FILE", default_value = "profile.json")]
    pub out: PathBuf,
    /// Stop after this time (60s, 10m, 1h; a number alone is seconds)
    #[arg(long, value_name = "TIME", value_parser = parse_time, allow_hyphen_values = true)]
    pub duration: Option<Duration>,
    /// Stop when no new call was seen for this time, counted from the last one
    #[arg(long, value_name = "TIME", value_parser = parse_time, allow_hyphen_values = true)]
    pub until_quiet: Option<Duration>,
    /// Write the files as they would be now, again and again after this time, as SIGUSR1 asks for once (at least 1s)
    #[arg(long, value_name = "TIME", value_parser = parse_period, allow_hyphen_values = true)]
    pub snapshot_every: Option<Duration>,
    /// Merge with what the files hold already when it is of the same targets and images; when it is not, keep it under a number
    /// (NAME.recording.json.1). For a tracer that is started again and again
    #[arg(long)]
    pub merge: bool,
    /// When the recording has ended by itself and the files are written, wait for a signal before ending: what starts programs
    /// again when they end has nothing to do then
    #[arg(long, conflicts_with = "command")]
    pub stay: bool,
    /// Where names are asked for.
    #[command(flatten)]
    pub sockets: Sockets,
    /// Which pods are meant.
    #[command(flatten)]
    pub cluster: Cluster,
    /// Await targets that do not exist yet, and go on when they end
    #[arg(long, requires = "targets")]
    pub wait: bool,
    /// Run COMMAND as this user (a name or a number)
    #[arg(long, value_name = "USER", requires = "command")]
    pub user: Option<String>,
    /// How the profile is derived.
    #[command(flatten)]
    pub derivation: Derivation,
    /// Also watch the calls that a filter denies the target: each call then costs more. Implied when the target is under a
    /// filter or is awaited
    #[arg(long)]
    pub denied: bool,
    /// Do not watch them, whatever filter the target is under: that is cheaper, and what the filter denies is missing
    #[arg(long, conflicts_with_all = ["denied", "include_denied"])]
    pub no_denied: bool,
    /// Do not count calls
    #[arg(long)]
    pub no_counts: bool,
    /// Exit with 0 or 3 though COMMAND failed, not with its status
    #[arg(long, requires = "command")]
    pub ignore_status: bool,
    /// Write COMMAND's arguments to the recording: they may hold secrets
    #[arg(long, requires = "command")]
    pub keep_arguments: bool,
    /// Write an event for each call that is seen for the first time: JSON lines
    #[arg(long, value_name = "FILE")]
    pub events: Option<PathBuf>,
    /// Do without the kernel's type information
    #[arg(long, hide = true)]
    pub no_btf: bool,
    /// Where the kernel program is attached
    #[arg(long, value_name = "HOOK", value_enum, default_value_t = Attach::Auto, hide = true)]
    pub attach: Attach,
    /// Run this command in a cgroup of its own and record it
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

/// Where container runtimes are asked for the names of their containers.
#[derive(Debug, Args)]
pub struct Sockets {
    /// Where Docker is asked for the names of containers; else where `DOCKER_HOST` says
    #[arg(long, value_name = "unix://PATH", value_parser = parse_socket)]
    pub docker_host: Option<PathBuf>,
    /// Where Podman is asked for the names of containers; else where `CONTAINER_HOST` says
    #[arg(long, value_name = "unix://PATH", value_parser = parse_socket)]
    pub podman_host: Option<PathBuf>,
    /// Where the container runtime of Kubernetes is asked for the names of pods, in place of the usual sockets; may be given
    /// several times; else where `CONTAINER_RUNTIME_ENDPOINT` says
    #[arg(long, value_name = "unix://PATH", value_parser = parse_socket)]
    pub cri_endpoint: Vec<PathBuf>,
}

/// Options of a derivation, of what was just recorded or of recordings.
#[derive(Debug, Args)]
pub struct Derivation {
    /// What a call that is not allowed returns
    #[arg(long, value_name = "ERRNO", value_enum, ignore_case = true, default_value_t = Errno::Enosys)]
    pub errno: Errno,
    /// What happens to a call that is not allowed
    #[arg(long, value_name = "ACTION", value_enum, ignore_case = true, default_value_t = DefaultAction::Errno)]
    pub default_action: DefaultAction,
    /// Whose calls to add: those the runtime makes after the filter is loaded
    #[arg(long, value_enum, default_value_t = Runtime::Any)]
    pub runtime: Runtime,
    /// How the profile looks at the arguments of calls
    #[arg(long, value_name = "HOW", value_enum, default_value_t = Arguments::Default)]
    pub arguments: Arguments,
    /// List x86_64, x86 and x32 in the profile, whatever was seen
    #[arg(long)]
    pub all_arches: bool,
    /// Allow this call as well; several with commas, or by giving it again
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub include: Vec<String>,
    /// Do not allow this call, though it was seen; several with commas, or by giving it again
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub exclude: Vec<String>,
    /// Allow the other forms of each seen call, which other C libraries and kernels use
    #[arg(long)]
    pub alternatives: bool,
    /// Allow the calls of rarely taken paths: aborts, shortage of memory, the system log
    #[arg(long)]
    pub error_paths: bool,
    /// Allow the calls that a filter denied while they were recorded (implies --denied while recording)
    #[arg(long)]
    pub include_denied: bool,
    /// Write a profile for each container as well, with the Kubernetes patch for that container
    #[arg(long)]
    pub per_container: bool,
    /// Call the result complete though the start was not seen
    #[arg(long)]
    pub accept_late_start: bool,
    /// Also write the profile where the kubelet of this node finds it, as DIR/seccomp/NAME, and name it so to pods
    #[arg(long, value_name = "NAME")]
    pub install_localhost: Option<String>,
    /// The kubelet's root folder, when it is not /var/lib/kubelet
    #[arg(long, value_name = "DIR", requires = "install_localhost")]
    pub kubelet_root: Option<PathBuf>,
    /// Print errors only
    #[arg(long, short)]
    pub quiet: bool,
    /// Print more: reasons for added calls, and what the kernel side logs while recording
    #[arg(long, short, conflicts_with = "quiet")]
    pub verbose: bool,
}

/// Options of `profile`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP_PROFILE)]
pub struct Rederive {
    /// Recordings: the files NAME.recording.json that tracer writes beside a profile; `-` reads one from standard input
    #[arg(value_name = "RECORDING", required = true)]
    pub recordings: Vec<PathBuf>,
    /// Where the profile goes; the merged recording and the Kubernetes patch go beside it. `-` prints the profile alone; a
    /// folder (DIR/) gets a profile for each target
    #[arg(long, short, value_name = "FILE")]
    pub out: PathBuf,
    /// How the profile is derived.
    #[command(flatten)]
    pub derivation: Derivation,
}

const AFTER_HELP_PROFILE: &str = "\
A recording that began late is complete when another one holds a start of the same cgroup, container or pod. Other losses \
stay losses.

Exit status: 0 written and complete; 1 failed, no profile was written; 2 usage; 3 written, but incomplete.";

/// Options of `check`.
#[derive(Debug, Args)]
pub struct Check {
    /// Tell as well whether the kubelet of this node finds the profile NAME, in DIR/seccomp: a container whose profile is missing
    /// there is not created
    #[arg(long, value_name = "NAME")]
    pub localhost: Option<String>,
    /// The kubelet's root folder, when it is not /var/lib/kubelet
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
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Tell who was asked for names
    #[arg(long, short)]
    pub verbose: bool,
}

/// Options of `verify`.
#[derive(Debug, Args)]
pub struct Verify {
    /// The profile, as a container runtime reads it
    #[arg(value_name = "PROFILE")]
    pub profile: PathBuf,
    /// What to watch; may be given several times
    #[arg(
        long = "cgroup",
        value_name = "TARGET",
        required_unless_present = "command",
        conflicts_with = "command"
    )]
    pub targets: Vec<String>,
    /// Where names are asked for.
    #[command(flatten)]
    pub sockets: Sockets,
    /// Which pods are meant.
    #[command(flatten)]
    pub cluster: Cluster,
    /// Await targets that do not exist yet, and go on when they end: for a container that does not start
    #[arg(long, requires = "targets")]
    pub wait: bool,
    /// Write the profile with the denied calls allowed. When a container runtime was denied one, all that this runtime needs are
    /// allowed as well
    #[arg(long, value_name = "FILE")]
    pub amend: Option<PathBuf>,
    /// Tell the denied calls of each container by themselves
    #[arg(long, requires = "targets")]
    pub per_container: bool,
    /// Write an event for each call that is seen, or denied, for the first time: JSON lines
    #[arg(long, value_name = "FILE")]
    pub events: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long, conflicts_with = "command")]
    pub json: bool,
    /// Stop after this time (60s, 10m, 1h; a number alone is seconds)
    #[arg(long, value_name = "TIME", value_parser = parse_time, allow_hyphen_values = true)]
    pub duration: Option<Duration>,
    /// Stop when no new call was seen for this time, counted from the last one
    #[arg(long, value_name = "TIME", value_parser = parse_time, allow_hyphen_values = true)]
    pub until_quiet: Option<Duration>,
    /// Run COMMAND as this user (a name or a number)
    #[arg(long, value_name = "USER", requires = "command")]
    pub user: Option<String>,
    /// By which capabilities the profile's conditions are judged: docker (what its containers have), none, current
    /// (tracer's own bounding set), or names with commas; by default the target's own, and current for COMMAND
    #[arg(long, value_name = "CAPS")]
    pub caps: Option<String>,
    /// Whether COMMAND may gain privileges.
    #[command(flatten)]
    pub privileges: NewPrivileges,
    /// Do not exit with COMMAND's status when it fails
    #[arg(long, requires = "command")]
    pub ignore_status: bool,
    /// Call the result complete though the start was not seen
    #[arg(long)]
    pub accept_late_start: bool,
    /// Print the result only
    #[arg(long, short)]
    pub quiet: bool,
    /// Print more: every new call and every denied one as it happens, and what the kernel side logs
    #[arg(long, short, conflicts_with = "quiet")]
    pub verbose: bool,
    /// Do without the kernel's type information
    #[arg(long, hide = true)]
    pub no_btf: bool,
    /// Where the kernel program is attached
    #[arg(long, value_name = "HOOK", value_enum, default_value_t = Attach::Auto, hide = true)]
    pub attach: Attach,
    /// Run this command under the profile, in a cgroup of its own, and watch it
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

/// Whether a command may gain privileges by what it executes.
#[derive(Clone, Copy, Debug, Args)]
pub struct NewPrivileges {
    /// Let set-user-ID programs and file capabilities have no effect in COMMAND. By default it is so unless COMMAND's file
    /// has them and root runs tracer
    #[arg(long, requires = "command")]
    pub no_new_privs: bool,
    /// Let COMMAND gain privileges by what it executes, as in a container: needs root
    #[arg(long, requires = "command", conflicts_with = "no_new_privs")]
    pub allow_new_privs: bool,
}

/// Options of `enforce`.
#[derive(Debug, Args)]
pub struct Enforce {
    /// The profile, as a container runtime reads it
    #[arg(value_name = "PROFILE", required_unless_present = "named")]
    positional: Option<PathBuf>,
    /// The same
    #[arg(id = "named", long = "profile", value_name = "FILE", conflicts_with = "positional")]
    named: Option<PathBuf>,
    /// Read and judge the profile, tell what it means here, and run nothing
    #[arg(long)]
    pub check: bool,
    /// By which capabilities the profile's conditions are judged: docker (what its containers have), none, current
    /// (tracer's own bounding set: the default), or names with commas. COMMAND keeps what it has
    #[arg(long, value_name = "CAPS")]
    pub caps: Option<String>,
    /// Whether it may gain privileges.
    #[command(flatten)]
    pub privileges: NewPrivileges,
    /// The command to run
    #[arg(last = true, required_unless_present = "check", value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

impl Enforce {
    /// The profile, however it was given.
    pub fn profile(&self) -> &Path {
        self.positional.as_deref().or(self.named.as_deref()).unwrap_or(Path::new(""))
    }
}
