//! The tests of this tier share one node.

use std::sync::{Arc, PoisonError};

use libtest_mimic::Trial;
use tests::{Stop, trial};

use crate::node::Node;
use crate::world::World;

/// Makes tests that share one node.
pub struct Cases(Arc<World>);

impl Cases {
    /// For the node of this world.
    pub fn new(world: &Arc<World>) -> Self {
        Self(Arc::clone(world))
    }

    /// A test. Skipping it is a failure in CI.
    pub fn trial(
        &self,
        name: &str,
        test: impl FnOnce(&Node) -> Result<(), Stop> + Send + 'static,
    ) -> Trial {
        let world = Arc::clone(&self.0);
        trial(name.to_owned(), move || {
            let node = world.node()?;
            let _shared = world.usage.read().unwrap_or_else(PoisonError::into_inner);
            test(node)
        })
    }

    /// A test during which no other one runs, on a node without pods.
    pub fn alone(
        &self,
        name: &str,
        test: impl FnOnce(&Node) -> Result<(), Stop> + Send + 'static,
    ) -> Trial {
        let world = Arc::clone(&self.0);
        trial(name.to_owned(), move || {
            let node = world.node()?;
            let _alone = world.usage.write().unwrap_or_else(PoisonError::into_inner);
            node.wait_until_empty()?;
            test(node)
        })
    }
}
