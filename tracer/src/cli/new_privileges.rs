//! Whether a command may gain privileges.

use clap::Args;

/// Whether a command may gain privileges by what it executes.
#[derive(Clone, Copy, Debug, Args)]
pub struct NewPrivileges {
    /// Give set-user-ID programs and file capabilities no effect in COMMAND. This is the default,
    /// unless COMMAND's file has them and root runs tracer
    #[arg(long, requires = "command")]
    pub no_new_privs: bool,
    /// Let COMMAND gain privileges by the programs that it executes, as in a container. Needs root
    #[arg(long, requires = "command", conflicts_with = "no_new_privs")]
    pub allow_new_privs: bool,
}
