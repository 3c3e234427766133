//! Builds, runs, tests and packages tracer.
//!
//! One module for each subcommand, named after it; the others are what they share: [`workspace`]
//! (where things are, and how a child is made), [`environment`] (what a child may inherit),
//! [`toolchain`], [`linker`] and [`ebpf`] (the kernel side), [`command`] (running children),
//! [`root`] (what needs privileges), [`tools`] and [`system`] (what tests need from the machine),
//! [`releases`] and [`engines`] (programs of other releases of Debian), [`vm`] (other kernels),
//! [`cluster`] (Kubernetes).

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod alternatives;
mod bench;
mod build_ebpf;
#[path = "../../tests/src/ci.rs"]
mod ci;
mod cluster;
mod command;
mod dist;
#[cfg(test)]
mod documented;
mod ebpf;
mod elf;
mod engines;
mod environment;
mod linker;
mod picture;
mod program;
mod releases;
mod root;
mod run;
mod startup_errors;
mod system;
mod test;
mod toolchain;
mod tools;
mod vm;
mod workspace;

use workspace::Workspace;

/// Builds, runs, tests and packages tracer.
#[derive(Parser)]
#[command(bin_name = "cargo xtask", disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build the kernel side: the eBPF objects, of which there is one form, always optimised
    BuildEbpf,
    /// Build everything as you, then run tracer as root
    Run(run::Options),
    /// Check and test everything, or one tier
    Test(test::Options),
    /// Make what is handed out: the static binary, the files to run it in a container, an archive
    /// and a Debian package with both and the documents, and checksums
    Dist(dist::Options),
    /// Run tracer as root, and draw its terminal for the README
    Picture,
    /// Measure what tracing costs
    Bench(bench::Options),
    /// Run functions of several C libraries, and write the table of calls of which one stands for
    /// another
    Alternatives(alternatives::Options),
    /// Start containers with one call missing in the profile, and write the table of what runtimes
    /// say then
    StartupErrors(startup_errors::Options),
}

fn main() -> ExitCode {
    let Arguments { task } = Arguments::parse();
    match perform(task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn perform(task: Task) -> anyhow::Result<()> {
    let workspace = Workspace::open()?;
    match task {
        Task::BuildEbpf => build_ebpf::run(&workspace),
        Task::Run(options) => run::run(&workspace, &options),
        Task::Test(options) => test::run(&workspace, &options),
        Task::Dist(options) => dist::run(&workspace, &options),
        Task::Picture => picture::run(&workspace),
        Task::Bench(options) => bench::run(&workspace, &options),
        Task::Alternatives(options) => alternatives::run(&workspace, &options),
        Task::StartupErrors(options) => startup_errors::run(&workspace, &options),
    }
}
