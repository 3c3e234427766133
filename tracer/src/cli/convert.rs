//! What was typed for `convert`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::DecisionOptions;

/// Options of `convert`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_CONVERT)]
pub struct Convert {
    /// A profile, a recording, a `SeccompProfile`, an OCI config.json, what `docker inspect`
    /// prints, a unit of systemd, docker-default, containerd-default or podman-default; `-` reads
    /// standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The form to write
    #[arg(long, value_name = "FORM", value_enum)]
    pub to: ConvertTo,
    /// Write to FILE, and keep what was there as FILE.old; without it, print. `--to kubernetes`
    /// needs it: NAME.json gets the patch NAME.kubernetes.yaml beside it
    #[arg(long, short, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// The style of the result
    #[arg(long, value_name = "STYLE", value_enum, default_value_t = Style::Same)]
    pub style: Style,
    /// What becomes of syscalls that pass for some arguments alone, where the form looks at none
    /// (systemd)
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = ConditionalValue::Error)]
    pub conditional: ConditionalValue,
    /// The name of the `SeccompProfile` (default: the name of the file)
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Which decisions count for the profile of a recording.
    #[command(flatten)]
    pub decisions: DecisionOptions,
    /// The capabilities by which a profile's conditions are decided in forms that have none: docker
    /// (the default), none, current (tracer's own bounding set), or names with commas
    #[arg(long, value_name = "CAPS")]
    pub caps: Option<String>,
}

/// A form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ConvertTo {
    /// Docker's JSON, with its conditions on capabilities
    Docker,
    /// A part of an OCI config.json: linux.seccomp
    Oci,
    /// Podman's and CRI-O's JSON, with errors by name as well
    Podman,
    /// A `SeccompProfile` of the Security Profiles Operator
    Spo,
    /// A drop-in for a unit of systemd
    Systemd,
    /// A policy for lxc.seccomp.profile
    Lxc,
    /// A Localhost profile, and the patch that `kubectl patch` takes
    Kubernetes,
}

impl ConvertTo {
    /// What is typed for it.
    pub fn name(self) -> String {
        let value = self.to_possible_value();
        value.map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// What the result is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Style {
    /// Keep the style of the profile
    Same,
    /// Everything passes but what Docker's default denies and what is dangerous, unless the profile
    /// allows it
    Denylist,
}

/// What becomes of a syscall that passes for some arguments alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ConditionalValue {
    /// An error
    Error,
    /// It passes with all arguments
    Allow,
    /// It is refused with all arguments
    Deny,
}

const AFTER_CONVERT: &str = "\
Of a recording, converts the profile that `tracer profile` derives from it without options, by the
decisions of the tracer.toml beside it or above it; for systemd without what container runtimes
need. docs/convert.md says what each form cannot say.

Exit status:
  0  written
  1  the file cannot be read, or the form cannot say what is in it
  2  usage
  3  written, of an incomplete recording";
