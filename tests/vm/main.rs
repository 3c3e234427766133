//! Tests in virtual machines: what the tracer promises holds on other kernels as well.
//!
//! One machine runs several checks of one kernel, see [`tests::virtual_machine`]; each check is a
//! test here. What they do is in the program of `tests/guest`, which the machine starts as its
//! first process.

mod archive;
mod image;
mod kernels;
mod machine;
mod table;

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Trial};
use tests::{Stop, trial};

use crate::kernels::Kernel;
use crate::machine::Machine;
use crate::table::Table;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    let kernels = match kernels::given() {
        Ok(kernels) => kernels,
        Err(reason) => {
            let nothing = trial("machines".into(), || Err(Stop::Skip(reason)));
            return libtest_mimic::run(&arguments, vec![nothing]).exit_code();
        }
    };
    let table = Arc::new(Table::default());
    let mut trials = Vec::new();
    for kernel in &kernels {
        trials.extend(of_kernel(kernel, &table, &arguments));
    }
    // A test waits for its machine; how many machines run at once is decided there.
    arguments.test_threads = Some(trials.len().max(1));
    let conclusion = libtest_mimic::run(&arguments, trials);
    print!("{table}");
    conclusion.exit_code()
}

/// The tests of a kernel, those of one machine sharing it.
fn of_kernel(kernel: &Kernel, table: &Arc<Table>, arguments: &Arguments) -> Vec<Trial> {
    let mut trials = Vec::new();
    for setup in machine::SETUPS {
        let checks = kernel.checks(setup);
        let name = |check: &str| format!("{}::{check}", kernel.series);
        let wanted = checks.iter().filter(|check| is_wanted(&name(check), arguments));
        let wanted: Vec<&str> = wanted.copied().collect();
        let machine = Arc::new(Machine::new(kernel, setup, wanted, table));
        for check in checks {
            let machine = Arc::clone(&machine);
            trials.push(trial(name(check), move || machine.outcome(check)));
        }
    }
    trials
}

/// Whether libtest-mimic will run the test of that name.
fn is_wanted(name: &str, arguments: &Arguments) -> bool {
    let matches = |filter: &String| {
        if arguments.exact { name == filter } else { name.contains(filter.as_str()) }
    };
    arguments.filter.as_ref().is_none_or(matches) && !arguments.skip.iter().any(matches)
}
