//! Tests that need neither root nor a kernel.

mod answers;
mod architectures;
mod arguments;
mod deployment;
mod exclusion;
mod filter;
mod help;
mod hints;
mod observed;
mod profile;
mod profile_reading;
mod real_profiles;
mod recording_schema;
mod recordings;
mod rederive;
mod sources;
mod tidy;

use std::process::ExitCode;

use libtest_mimic::Arguments;
use tests::function_trial as trial;

fn main() -> ExitCode {
    let modules = [
        answers::trials(),
        architectures::trials(),
        arguments::trials(),
        deployment::trials(),
        exclusion::trials(),
        filter::trials(),
        help::trials(),
        hints::trials(),
        observed::trials(),
        profile::trials(),
        profile_reading::trials(),
        real_profiles::trials(),
        recording_schema::trials(),
        rederive::trials(),
        sources::trials(),
        tidy::trials(),
    ];
    let trials = modules.into_iter().flatten().collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
