//! One test: its name, how long it took, and why it did not run.

use std::env;
use std::sync::Arc;
use std::time::Instant;

use libtest_mimic::{Completion, Trial};

use crate::world::World;

/// Why a test ended early.
#[derive(Debug)]
pub enum Stop {
    /// Something that it needs is not here.
    Skip(String),
    /// It failed.
    Fail(String),
}

impl From<String> for Stop {
    fn from(story: String) -> Self {
        Self::Fail(story)
    }
}

/// Makes tests that share one world.
pub struct Cases(Arc<World>);

impl Cases {
    /// For this world.
    pub fn new(world: &Arc<World>) -> Self {
        Self(Arc::clone(world))
    }

    /// A test. Skipping it is a failure in CI.
    pub fn trial(
        &self,
        name: String,
        test: impl FnOnce(&World) -> Result<(), Stop> + Send + 'static,
    ) -> Trial {
        let world = Arc::clone(&self.0);
        let label = name.clone();
        Trial::ignorable_test(name, move || {
            let started = Instant::now();
            let outcome = test(&world);
            println!("{label}: {:.1} s", started.elapsed().as_secs_f32());
            match outcome {
                Ok(()) => Ok(Completion::Completed),
                Err(Stop::Fail(story)) => Err(story.into()),
                Err(Stop::Skip(reason)) if env::var_os("CI").is_some() => {
                    Err(format!("no test may be skipped in CI: {reason}").into())
                }
                Err(Stop::Skip(reason)) => Ok(Completion::ignored_with(reason)),
            }
        })
    }
}
