//! What was typed for the commands that ask files.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::DecisionOptions;

/// Options of `diff`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_DIFF)]
pub struct Diff {
    /// A profile, a recording, docker-default, containerd-default or podman-default; `-` reads
    /// standard input
    #[arg(value_name = "A")]
    pub before: PathBuf,
    /// What it is compared with; several recordings when A is a profile
    #[arg(value_name = "B", required = true)]
    pub after: Vec<PathBuf>,
    /// Exit with 5 when they differ, or when the profile would have denied something to a recording
    #[arg(long)]
    pub exit_code: bool,
    /// Exit with 5 when B allows, or made, what A does not; several with commas
    #[arg(long, value_name = "WHAT", value_enum, value_delimiter = ',')]
    pub fail_on: Vec<DiffFailOn>,
    /// Which decisions count: what they say of a difference makes it no failure.
    #[command(flatten)]
    pub decisions: DecisionOptions,
    /// The capabilities by which a profile's conditions are judged: docker (the default), none,
    /// current (tracer's own bounding set), or names with commas
    #[arg(long, value_name = "CAPS")]
    pub caps: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// A difference that is a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DiffFailOn {
    /// Anything that is added
    Added,
    /// Something added that Docker's default or RuntimeDefault refuse
    BeyondDefault,
    /// Something added that can do much harm
    Dangerous,
}

const AFTER_DIFF: &str = "\
Compares by effect, for each ABI and all values of arguments, never by text. With a profile and
recordings: which recorded syscalls the profile would have denied, and to whom first.

Exit status:
  0  printed
  1  a file cannot be read
  2  usage
  5  printed, and --exit-code or --fail-on found a difference";

/// Options of `explain`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_EXPLAIN)]
pub struct Explain {
    /// A profile, a recording, docker-default, containerd-default or podman-default; `-` reads
    /// standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// A syscall, by its name or its number on x86_64; without it, the whole file
    #[arg(value_name = "SYSCALL")]
    pub syscall: Option<String>,
    /// Which decisions are shown, and count for the profile of a recording.
    #[command(flatten)]
    pub decisions: DecisionOptions,
    /// The capabilities by which a profile's conditions are judged: docker (the default), none,
    /// current (tracer's own bounding set), or names with commas
    #[arg(long, value_name = "CAPS")]
    pub caps: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

const AFTER_EXPLAIN: &str = "\
Of a profile, uses the recording NAME.recording.json beside NAME.json, if there is one. Of a
recording, explains the profile that `tracer profile` derives from it without options, by the
decisions of the tracer.toml beside it or above it. The rule of the grade is in docs/explain.md.

Exit status:
  0  printed
  1  the file cannot be read
  2  usage";

/// Options of `decode`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_DECODE)]
pub struct Decode {
    /// A text; without it, or with `-`, standard input
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Read the kernel's audit records as they are made, and print each one on seccomp, until
    /// Ctrl-C or SIGTERM; needs `CAP_AUDIT_READ`
    #[arg(long, conflicts_with = "file")]
    pub follow: bool,
    /// Keep what the command NAME made, and leave out the rest (repeatable)
    #[arg(long = "command", value_name = "NAME")]
    pub commands: Vec<String>,
    /// Also write a recording of the syscalls to FILE, for `tracer profile`; it is incomplete, for
    /// a log holds only what a filter logs or refuses
    #[arg(long, value_name = "FILE")]
    pub recording: Option<PathBuf>,
    /// Say of each syscall whether this profile allows it: a file, docker-default,
    /// containerd-default or podman-default
    #[arg(long, value_name = "PROFILE")]
    pub profile: Option<PathBuf>,
    /// The capabilities by which the profile's conditions are judged: docker (the default), none,
    /// current (tracer's own bounding set), or names with commas
    #[arg(long, value_name = "CAPS", requires = "profile")]
    pub caps: Option<String>,
    /// The ABI of numbers and names that stand without one
    #[arg(long, value_name = "ABI", value_enum, default_value_t = DecodeAbi::X86_64)]
    pub abi: DecodeAbi,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// An ABI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DecodeAbi {
    /// 64-bit programs
    #[value(name = "x86_64")]
    X86_64,
    /// 32-bit programs
    I386,
    /// 64-bit programs with 32-bit pointers
    X32,
}

const AFTER_DECODE: &str = "\
docs/decode.md lists the lines that are recognised, with examples.

Exit status:
  0  printed
  1  a file cannot be read, or no line names a syscall
  2  usage
  3  printed, but the log lacks records, or a record cannot be read";

/// Options of `report`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_REPORT)]
pub struct Report {
    /// Recordings: the files NAME.recording.json that tracer writes beside a profile. `-` reads one
    /// from standard input
    #[arg(value_name = "RECORDING", required = true)]
    pub recordings: Vec<PathBuf>,
    /// Write the report to FILE: a page for a browser when its name ends in .html, Markdown when it
    /// ends in .md. `-` prints Markdown
    #[arg(long, short, value_name = "FILE")]
    pub out: PathBuf,
    /// Which decisions count for the profile.
    #[command(flatten)]
    pub decisions: DecisionOptions,
}

const AFTER_REPORT: &str = "\
Makes one report of several recordings. Its profile is the one that `tracer profile` derives from
them without options, by the decisions of the tracer.toml beside the first recording or above it.
The page loads nothing from anywhere.

Exit status:
  0  written, also when a recording is incomplete: the report says so
  1  a recording cannot be read, or the report cannot be written
  2  usage";
