//! `cargo xtask run`

use std::ffi::OsString;

use anyhow::Result;

use crate::{ebpf, program, root, workspace::Workspace};

/// What `cargo xtask run` is given.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Build tracer optimised
    #[arg(long)]
    release: bool,
    /// What tracer is given; a second `--` is tracer's own
    #[arg(last = true, value_name = "ARGUMENT")]
    arguments: Vec<OsString>,
}

/// Builds both sides as the caller, then becomes tracer as root, in the caller's directory.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    ebpf::build(workspace)?;
    let tracer = program::tracer(workspace, options.release)?;
    let mut command = root::command(workspace, tracer, [])?;
    Err(root::become_program(command.args(&options.arguments)))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    #[test]
    fn the_second_separator_reaches_tracer() -> Result<()> {
        let words = ["xtask", "--release", "--", "--out", "p.json", "--", "ls", "-l", "/"];
        let Line { options } = Line::try_parse_from(words)?;
        assert!(options.release);
        assert_eq!(options.arguments, ["--out", "p.json", "--", "ls", "-l", "/"]);
        Ok(())
    }

    #[test]
    fn a_separator_alone_reaches_tracer() -> Result<()> {
        let Line { options } = Line::try_parse_from(["xtask", "--", "--", "--release"])?;
        assert!(!options.release);
        assert_eq!(options.arguments, ["--", "--release"]);
        Ok(())
    }
}
