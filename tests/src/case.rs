//! One test of a tier that runs as root: its name, how long it took, and what came of it. A skip is
//! a third result beside pass and failure, with its reason.

use std::time::Instant;

use libtest_mimic::{Completion, Trial};

use crate::ci::is_ci;

/// Why a test ended early.
#[derive(Debug)]
pub enum Stop {
    /// Something that it needs is not here.
    Skip(String),
    /// Something that it had to do first failed.
    Fail(String),
}

impl From<String> for Stop {
    fn from(story: String) -> Self {
        Self::Fail(story)
    }
}

/// What a test function gives back: nothing where it cannot end early.
///
/// A test asserts what it judges, so that it panics when that is wrong. [`Stop::Fail`] is for what
/// had to work before there was anything to judge.
pub trait Ending {
    /// The same, in one form.
    fn ending(self) -> Result<(), Stop>;
}

impl Ending for () {
    fn ending(self) -> Result<(), Stop> {
        Ok(())
    }
}

impl Ending for Result<(), Stop> {
    fn ending(self) -> Self {
        self
    }
}

/// A test. Skipping it is a failure in CI.
pub fn trial<E: Ending>(name: String, test: impl FnOnce() -> E + Send + 'static) -> Trial {
    let label = name.clone();
    Trial::ignorable_test(name, move || {
        let started = Instant::now();
        let ending = test().ending();
        let seconds = started.elapsed().as_secs_f32();
        if seconds >= 1.0 {
            println!("{label}: {seconds:.1} s");
        }
        match ending {
            Ok(()) => Ok(Completion::Completed),
            Err(Stop::Fail(story)) => Err(story.into()),
            Err(Stop::Skip(reason)) if is_ci() => {
                Err(format!("no test may be skipped in CI: {reason}").into())
            }
            Err(Stop::Skip(reason)) => Ok(Completion::ignored_with(reason)),
        }
    })
}

/// The test that is a function of a module.
pub fn function_trial<E: Ending>(
    module: &str,
    function: &str,
    test: impl FnOnce() -> E + Send + 'static,
) -> Trial {
    // The name of the test program is left out, as libtest does.
    let module = module.split_once("::").map_or(module, |(_, below)| below);
    trial(format!("{module}::{function}"), test)
}

/// The test functions of a module, made by the function `trial` of the test program:
/// [`function_trial`], or one that adds to it. A function that is not listed is never called, which
/// the lints refuse.
#[expect(clippy::crate_in_macro_def, reason = "each test program has its own `trial`")]
#[macro_export]
macro_rules! trials {
    ($($test:ident),+ $(,)?) => {
        pub(crate) fn trials() -> Vec<libtest_mimic::Trial> {
            vec![$(crate::trial(module_path!(), stringify!($test), $test)),+]
        }
    };
}

/// The value, or the end of the test with the reason why it cannot run.
#[macro_export]
macro_rules! require {
    ($needed:expr) => {
        match $needed {
            Ok(value) => value,
            Err(reason) => return Err($crate::Stop::Skip(reason)),
        }
    };
}
