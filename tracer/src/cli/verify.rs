//! What was typed for `verify`.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use clap::Args;

use super::{
    cluster::Cluster,
    new_privileges::NewPrivileges,
    sockets::Sockets,
    values::{AttachValue, parse_time},
};

/// How `verify` ends.
pub(super) const AFTER_VERIFY: &str = "\
Exit status:
  0  PROFILE denied no call
  1  no filter is loaded on the target, or another one than PROFILE, or verify failed
  2  usage
  3  incomplete: calls may have been denied unseen
  4  PROFILE denied calls
When none of 1, 3 and 4 holds and COMMAND fails, tracer exits with COMMAND's status.";

/// Options of `verify`.
#[derive(Debug, Args)]
pub struct Verify {
    /// The profile, as a container runtime reads it
    #[arg(value_name = "PROFILE")]
    pub profile: PathBuf,
    /// Target: pod, container, unit, cgroup path or pid (repeatable)
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
    /// Wait for targets that do not exist yet, and keep watching across restarts. Shows why a
    /// container does not start
    #[arg(long, requires = "targets")]
    pub wait: bool,
    /// Write the profile, with the denied calls allowed, to FILE. When the profile denied a
    /// container runtime a call, allow all calls that this runtime needs
    #[arg(long, value_name = "FILE")]
    pub amend: Option<PathBuf>,
    /// List the denied calls of each container by themselves
    #[arg(long, requires = "targets")]
    pub per_container: bool,
    /// Write an event to FILE, as a line of JSON, for each call that is seen, or denied, for the
    /// first time
    #[arg(long, value_name = "FILE")]
    pub events: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long, conflicts_with = "command")]
    pub json: bool,
    /// Stop after this time (60s, 10m, 1h; a number alone is seconds)
    #[arg(long, value_name = "TIME", value_parser = parse_time, allow_hyphen_values = true)]
    pub duration: Option<Duration>,
    /// Stop when no new call was seen for this time
    #[arg(long, value_name = "TIME", value_parser = parse_time, allow_hyphen_values = true)]
    pub until_quiet: Option<Duration>,
    /// Run COMMAND as this user (a name or a number)
    #[arg(long, value_name = "USER", requires = "command")]
    pub user: Option<String>,
    /// Capabilities that decide the profile's conditions: docker (those of its containers), none,
    /// current (tracer's own bounding set), or names with commas (default: the target's own;
    /// current for COMMAND)
    #[arg(long, value_name = "CAPS")]
    pub caps: Option<String>,
    /// Whether COMMAND may gain privileges.
    #[command(flatten)]
    pub privileges: NewPrivileges,
    /// Do not exit with COMMAND's status when it fails
    #[arg(long, requires = "command")]
    pub ignore_status: bool,
    /// Do not count a missed start as incomplete
    #[arg(long)]
    pub accept_late_start: bool,
    /// Print the result only
    #[arg(long, short)]
    pub quiet: bool,
    /// Print more: every new call and every denied one as it happens, and the log of the kernel
    /// side
    #[arg(long, short, conflicts_with = "quiet")]
    pub verbose: bool,
    /// Do without the kernel's type information
    #[arg(long, hide = true)]
    pub no_btf: bool,
    /// Where the kernel program is attached
    #[arg(long, value_name = "HOOK", value_enum, default_value_t = AttachValue::Auto, hide = true)]
    pub attach: AttachValue,
    /// Command to run under the profile, in a cgroup of its own, and to watch
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}
