//! What was typed for the commands that set up a shell and the manual.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

/// Options of `completions`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_COMPLETIONS)]
pub struct Completions {
    /// The shell
    #[arg(value_name = "SHELL", value_enum)]
    pub shell: Shell,
}

const AFTER_COMPLETIONS: &str = "\
Where shells look for it:
  bash  tracer completions bash > /etc/bash_completion.d/tracer
  zsh   tracer completions zsh > /usr/local/share/zsh/site-functions/_tracer
  fish  tracer completions fish > /etc/fish/completions/tracer.fish";

/// Options of `man-pages`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_MAN_PAGES)]
pub struct ManPages {
    /// Directory that the pages are written to
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
}

const AFTER_MAN_PAGES: &str = "\
man looks for pages in /usr/local/share/man/man8, among others.";
