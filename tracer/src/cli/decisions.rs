//! What was typed about decisions.

use std::path::PathBuf;

use clap::Args;

/// Which decisions count.
#[derive(Debug, Args)]
pub struct DecisionOptions {
    /// Read decisions about syscalls from FILE, not from tracer.toml beside the profile or above it
    #[arg(long = "decisions", value_name = "FILE")]
    pub decisions_file: Option<PathBuf>,
    /// Read no tracer.toml
    #[arg(long, conflicts_with = "decisions_file")]
    pub no_decisions: bool,
}

/// Options of `review`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_REVIEW)]
pub struct Review {
    /// A profile or a recording; also a file of another tool that holds a profile
    #[arg(value_name = "PROFILE|RECORDING")]
    pub file: PathBuf,
    /// Read and write FILE, not tracer.toml beside the profile or above it
    #[arg(long = "decisions", value_name = "FILE")]
    pub decisions_file: Option<PathBuf>,
    /// The capabilities by which a profile's conditions are judged: docker (the default), none,
    /// current (tracer's own bounding set), or names with commas
    #[arg(long, value_name = "CAPS")]
    pub caps: Option<String>,
}

const AFTER_REVIEW: &str = "\
Answers, a line each:
  a REASON                   allow it
  a REASON until 2027-03-01  allow it, up to that day
  d REASON                   deny it; also with a last day
  s                          skip it: the next review asks again
  q                          quit
Each answer is written at once. The end of standard input quits as well.

Exit status:
  0  asked, or there was nothing to ask about
  1  a file cannot be read or written
  2  usage";
