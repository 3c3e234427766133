//! The tests of this tier share one world.

use std::sync::Arc;

use libtest_mimic::Trial;
use tests::{Stop, trial};

use crate::world::World;

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
        trial(name, move || test(&world))
    }
}
