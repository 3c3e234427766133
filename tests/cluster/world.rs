//! What the tests share: the node, made when it is first asked for. It ends with this value.

use std::env;
use std::sync::{OnceLock, RwLock};

use serde_json::Value;
use tests::{Stop, kernel_tier};

use crate::node::{Made, Node};

/// The variable with the paths of the node's root file system and the programs of Kubernetes, in
/// JSON.
const VARIABLE: &str = "TRACER_TEST_CLUSTER";
/// Names the static tracer, which runs in any root file system.
const TRACER: &str = "TRACER_STATIC_BIN";

/// See the module.
#[derive(Default)]
pub struct World {
    node: OnceLock<Result<Node, String>>,
    /// Held for reading by tests that run side by side, and for writing by one that must be alone.
    pub usage: RwLock<()>,
}

impl World {
    /// The node, once it is ready.
    pub fn node(&self) -> Result<&Node, Stop> {
        kernel_tier().map_err(Stop::Skip)?;
        let made = made().map_err(Stop::Skip)?;
        let node = self.node.get_or_init(|| Node::start(&made));
        node.as_ref().map_err(|story| Stop::Fail(story.clone()))
    }
}

/// What `cargo xtask test` made, or why there is nothing.
fn made() -> Result<Made, String> {
    let needs = "needs the Kubernetes for tests: run `cargo xtask test cluster --install` once";
    let text = env::var(VARIABLE).map_err(|_| needs)?;
    let value: Value = serde_json::from_str(&text).expect("xtask writes JSON");
    let path = |name: &str| value[name].as_str().expect("xtask names it").into();
    let tracer = env::var_os(TRACER).ok_or("TRACER_STATIC_BIN names no tracer")?.into();
    Ok(Made { root: path("root"), programs: path("programs"), tracer })
}
