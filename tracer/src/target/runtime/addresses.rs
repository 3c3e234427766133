//! Where the container runtimes are asked.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::interface::UserDirectories;
use super::table::RUNTIMES;
use crate::target::cluster::Question;
use crate::target::report::RuntimeName;

/// Where the runtimes are asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// The sockets and directories of the host's runtimes.
    pub of_host: BTreeMap<RuntimeName, Vec<PathBuf>>,
    /// The engines that users run without root.
    pub users: Vec<UserEngines>,
    /// The API server of Kubernetes, when the user lets it be asked.
    pub cluster: Option<Question>,
    /// What was named and cannot be asked, for people.
    pub ignored: Vec<String>,
}

/// Where the engines of a user are asked, which may only report containers in that user's own tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserEngines {
    /// The user's number.
    pub user: u32,
    /// Their sockets and directories.
    pub addresses: Vec<(RuntimeName, PathBuf)>,
}

impl Addresses {
    /// Where a runtime of the host is asked.
    pub fn of(&self, name: RuntimeName) -> &[PathBuf] {
        self.of_host.get(&name).map_or(&[], Vec::as_slice)
    }
}

impl Default for Addresses {
    /// The usual places of a host.
    fn default() -> Self {
        let usual = RUNTIMES.iter().map(|runtime| {
            (runtime.name(), runtime.usual_addresses().iter().map(PathBuf::from).collect())
        });
        Self { of_host: usual.collect(), users: Vec::new(), cluster: None, ignored: Vec::new() }
    }
}

impl UserEngines {
    /// The usual places of a user's engines.
    pub fn usual(user: u32, directories: UserDirectories<'_>) -> Self {
        let addresses = RUNTIMES
            .iter()
            .filter_map(|runtime| Some((runtime.name(), runtime.address_of_user(directories)?)));
        Self { user, addresses: addresses.collect() }
    }
}
