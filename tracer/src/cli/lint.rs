//! Options of `lint`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::DecisionOptions;

const AFTER_HELP: &str = "\
Exit status: 0 nothing is as bad as --fail-on says; 4 something is; 1 a file could not be read or written; 2 usage.";

/// Options of `lint`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct Lint {
    /// Profiles; `-` is the standard input. Also files that hold one: an OCI config.json, a
    /// `SeccompProfile` in JSON, what `crictl inspect` prints
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Who reads the profile: docker, podman, containerd, crio, runc, crun, each with its version
    /// after a comma if you like (runc,1.3.6), and libseccomp with its version; by default all six
    #[arg(long = "for", value_name = "CONSUMER[,VERSION]", value_delimiter = ',')]
    pub audience: Vec<String>,
    /// Correct the files, and keep the old ones as FILE.old. Safe corrections do not change the
    /// meaning for any consumer that reads the profile today. `all` also writes what is probably
    /// meant: review these corrections
    #[arg(long, value_name = "EXTENT", value_enum, num_args = 0..=1, require_equals = true, default_missing_value = "safe")]
    pub fix: Option<FixLevel>,
    /// Which decisions are judged with the profiles.
    #[command(flatten)]
    pub decisions: DecisionOptions,
    /// How the findings are written
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = LintFormat::Text)]
    format: LintFormat,
    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// Exit with 4 when a finding is as bad as that
    #[arg(long, value_name = "SEVERITY", value_enum, default_value_t = FailOn::Error)]
    pub fail_on: FailOn,
}

impl Lint {
    /// How the findings are written.
    pub fn format(&self) -> LintFormat {
        if self.json { LintFormat::Json } else { self.format }
    }
}

/// Which corrections are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FixLevel {
    /// Corrections that change the meaning for no consumer that reads the profile today
    Safe,
    /// Also corrections that write what is probably meant
    All,
}

/// How findings are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LintFormat {
    /// For people
    Text,
    /// Every finding by itself
    Json,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// Workflow commands of GitHub
    Github,
}

/// Which findings make the exit status 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// Warnings and errors
    Warning,
    /// Errors
    Error,
}
