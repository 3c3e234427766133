//! Tests that need neither root nor a kernel.

mod answers;
mod architectures;
mod argument_grid;
mod arguments;
mod bad_decisions;
mod bad_input;
mod circles;
mod closing;
mod completions;
mod converted;
mod converted_documents;
mod converted_lxc;
mod corpus;
mod decided;
mod decoded;
mod decoded_commands;
mod decoded_recordings;
mod dependencies;
mod deployment;
mod differences;
mod exclusion;
mod explained;
mod filter;
mod filter_profiles;
mod golden;
mod help;
mod hints;
mod lint;
mod lint_reports;
mod lint_rules;
mod observed;
mod output_schemas;
mod profile;
mod profile_meaning;
mod profile_reading;
mod program;
mod read_me;
mod real_profiles;
mod recording_schema;
mod recordings;
mod rederive;
mod rederive_refused;
mod report;
mod report_browser;
mod reviewed;
mod sources;
mod startup_errors;
mod startup_page;
mod terminal;
mod tidy;
mod type_names;
mod typed;
mod workflow;
mod written_files;

use std::process::ExitCode;

use libtest_mimic::Arguments;
use tests::function_trial as trial;

fn main() -> ExitCode {
    if let Some(code) = program::as_tracer() {
        return code;
    }
    let modules = [
        answers::trials(),
        architectures::trials(),
        arguments::trials(),
        bad_input::trials(),
        circles::trials(),
        closing::trials(),
        completions::trials(),
        decided::trials(),
        decoded::trials(),
        decoded_commands::trials(),
        decoded_recordings::trials(),
        converted::trials(),
        converted_documents::trials(),
        converted_lxc::trials(),
        corpus::trials(),
        dependencies::trials(),
        deployment::trials(),
        differences::trials(),
        exclusion::trials(),
        explained::trials(),
        filter::trials(),
        help::trials(),
        hints::trials(),
        lint::trials(),
        lint_reports::trials(),
        lint_rules::trials(),
        observed::trials(),
        output_schemas::trials(),
        profile::trials(),
        profile_meaning::trials(),
        profile_reading::trials(),
        read_me::trials(),
        real_profiles::trials(),
        recording_schema::trials(),
        rederive::trials(),
        rederive_refused::trials(),
        report::trials(),
        report_browser::trials(),
        reviewed::trials(),
        sources::trials(),
        startup_errors::trials(),
        startup_page::trials(),
        terminal::trials(),
        tidy::trials(),
        type_names::trials(),
        typed::trials(),
        workflow::trials(),
        written_files::trials(),
    ];
    let trials = modules.into_iter().flatten().collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
