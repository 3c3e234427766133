//! Tests on the running kernel: the real program, real eBPF, real processes.

mod argument_room;
mod arguments;
mod attach;
mod bad_input;
mod capabilities;
mod cgroups;
mod command_status;
mod container;
mod crowds;
mod denied;
mod denied_arguments;
mod denied_values;
mod departures;
mod enforce;
mod filtered;
mod followed;
mod ground_truth;
mod handover;
mod harness;
mod hostile_names;
mod install_localhost;
mod interrupted;
mod late_start;
mod libraries;
mod life;
mod list;
mod logged;
mod losses;
mod main_job;
mod many;
mod merging;
mod outlived;
mod output_files;
mod own_filters;
mod phases;
mod pipeline;
mod pods;
mod privileges;
mod ready_profiles;
mod refusals;
mod restarts;
mod rootless;
mod sandboxes;
mod snapshots;
mod staying;
mod strace;
mod strangers;
mod terminal;
mod typed;
mod unfinished;
mod units;
mod verify;
mod waiting;
mod whose;
mod workloads_asked;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use tests::{Ending, Stop, function_trial, kernel_tier};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    libtest_mimic::run(&arguments, trials()).exit_code()
}

fn trials() -> Vec<Trial> {
    let modules = [
        argument_room::trials(),
        arguments::trials(),
        attach::trials(),
        bad_input::trials(),
        capabilities::trials(),
        cgroups::trials(),
        command_status::trials(),
        container::trials(),
        crowds::trials(),
        denied::trials(),
        denied_arguments::trials(),
        denied_values::trials(),
        departures::trials(),
        enforce::trials(),
        filtered::trials(),
        followed::trials(),
        ground_truth::trials(),
        handover::trials(),
        harness::trials(),
        hostile_names::trials(),
        install_localhost::trials(),
        interrupted::trials(),
        late_start::trials(),
        libraries::trials(),
        life::trials(),
        list::trials(),
        logged::trials(),
        losses::trials(),
        main_job::trials(),
        many::trials(),
        merging::trials(),
        outlived::trials(),
        output_files::trials(),
        own_filters::trials(),
        phases::trials(),
        pipeline::trials(),
        pods::trials(),
        privileges::trials(),
        ready_profiles::trials(),
        refusals::trials(),
        restarts::trials(),
        rootless::trials(),
        sandboxes::trials(),
        snapshots::trials(),
        staying::trials(),
        strace::trials(),
        strangers::trials(),
        terminal::trials(),
        typed::trials(),
        unfinished::trials(),
        units::trials(),
        verify::trials(),
        waiting::trials(),
        whose::trials(),
        workloads_asked::trials(),
    ];
    modules.into_iter().flatten().collect()
}

/// A test of this tier: skipped without root and the tracer under test.
fn trial<E: Ending>(
    module: &str,
    function: &str,
    test: impl FnOnce() -> E + Send + 'static,
) -> Trial {
    function_trial(module, function, move || {
        kernel_tier().map_err(Stop::Skip)?;
        test().ending()
    })
}
