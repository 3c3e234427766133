//! `cargo xtask bench`

use std::ffi::OsString;

use anyhow::Result;

use crate::{ebpf, environment::Purpose, program, root, workspace::Workspace};

/// What `cargo xtask bench` is given.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// What the benchmark is given
    #[arg(last = true, value_name = "ARGUMENT")]
    arguments: Vec<OsString>,
}

/// Builds what is measured, optimised, then becomes the benchmark as root.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let objects = ebpf::build(workspace)?;
    let tracer = program::tracer(workspace, true)?;
    let mut build = workspace.cargo(Purpose::Host);
    build.args(["build", "--locked", "--release", "--package=tests", "--bin=bench"]);
    let programs = program::build("benchmark", &mut build)?;
    let variables = [("TRACER_BIN", tracer.into()), ("TRACER_EMPTY_OBJECT", objects.empty.into())];
    let mut command = root::command(workspace, program::find(&programs, "bench")?, variables)?;
    Err(root::become_program(command.args(&options.arguments)))
}
