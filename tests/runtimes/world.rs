//! What the tests share: the root file system, namespaces, and one engine of each kind. Made when first asked for; all
//! of it ends with this value.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use tests::{Cgroup, kernel_tier, tool};

use crate::bundle::{self, Runtime, Start};
use crate::engine::Engine;
use crate::namespace::{Namespace, Place};
use crate::root::Root;

/// A kind of engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// runc by itself.
    Runc,
    /// crun by itself.
    Crun,
}

/// See the module.
#[derive(Default)]
pub struct World {
    runc: OnceLock<Result<Runtime, String>>,
    crun: OnceLock<Result<Runtime, String>>,
    host: OnceLock<Arc<Namespace>>,
    private: OnceLock<Arc<Namespace>>,
    version_2: OnceLock<Arc<Namespace>>,
    root: OnceLock<Result<Root, String>>,
}

impl Kind {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Runc => "runc",
            Self::Crun => "crun",
        }
    }
}

impl World {
    /// The root file system.
    pub fn root(&self) -> Result<&Root, String> {
        self.root.get_or_init(Root::new).as_ref().map_err(Clone::clone)
    }

    /// A namespace that everybody shares.
    fn namespace(&self, place: Place) -> Arc<Namespace> {
        let cell = match place {
            Place::Host => &self.host,
            Place::Private => &self.private,
            Place::Version2 => &self.version_2,
        };
        Arc::clone(cell.get_or_init(|| Arc::new(Namespace::new(place))))
    }

    /// An engine, or why there is none.
    pub fn engine(&self, kind: Kind) -> Result<&dyn Engine, String> {
        kernel_tier()?;
        match kind {
            Kind::Runc | Kind::Crun => self.runtime(kind).map(|runtime| runtime as &dyn Engine),
        }
    }

    /// A low-level runtime, or why there is none.
    pub fn runtime(&self, kind: Kind) -> Result<&Runtime, String> {
        kernel_tier()?;
        let (cell, place) = match kind {
            Kind::Runc => (&self.runc, Place::Host),
            Kind::Crun => (&self.crun, Place::Version2),
        };
        let made = cell.get_or_init(|| self.make_runtime(tool(kind.name())?, place));
        made.as_ref().map_err(Clone::clone)
    }

    fn make_runtime(&self, program: PathBuf, place: Place) -> Result<Runtime, String> {
        let root = self.root()?.path().to_owned();
        let namespace = self.namespace(place);
        let runtime = Runtime { program, namespace, root, start: Start::Run };
        let above = Cgroup::new("probe");
        bundle::probe(&runtime, above.name())?;
        Ok(runtime)
    }
}
