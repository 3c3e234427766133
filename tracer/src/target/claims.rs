//! Which cgroups carry the name of a container or a pod, and which of them has it rightfully. Pure.
//!
//! The name of a cgroup is chosen by whoever made it ([`territory`](super::territory)). Of several that carry one container's
//! id or one pod's UID, the one in the territory of the host, or of the runtime that told of it, is meant. A name that only
//! others carry is theirs when no runtime is known to tell otherwise: that is how a rootless container is found.

use std::collections::BTreeMap;

use super::inventory::Inventory;
use super::names::{self, PodUid};
use super::territory::{Home, Territory, tops};

/// What a cgroup's name carries.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Carried {
    /// The id of a container.
    Container(String),
    /// The UID of a pod.
    Pod(PodUid),
}

impl Carried {
    /// The id; of a UID the digits.
    pub fn text(&self) -> &str {
        match self {
            Self::Container(id) => id,
            Self::Pod(uid) => uid.digits(),
        }
    }
}

/// Whether a cgroup is what its name says, as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is.
    Rightful,
    /// Another one is.
    Outdone,
    /// It or another one may be; or its runtime cannot have made it there, and no other one is known.
    Contested,
}

/// How likely a cgroup is what its name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Likelihood {
    /// The runtime that told of it makes no containers there.
    No,
    /// Nobody told.
    Maybe,
    /// It is the host's, or where its runtime lives.
    Yes,
}

/// All cgroups that were seen to carry the name of a container or a pod, those that are gone among them.
#[derive(Clone, Debug, Default)]
pub struct Claims {
    by_name: BTreeMap<Carried, BTreeMap<String, Territory>>,
    /// Those with the names of units.
    units: BTreeMap<String, Territory>,
}

impl Claims {
    /// Takes in a cgroup and those above it; what is new of them. `territory` is asked for those.
    pub fn take(&mut self, path: &str, territory: impl Fn(&str) -> Territory) -> Vec<Carried> {
        let (mut new, mut above) = (Vec::new(), Vec::new());
        for top in tops(path) {
            for name in carried(top) {
                // Inside itself it is what is above.
                if above.contains(&name) {
                    continue;
                }
                let paths = self.by_name.entry(name.clone()).or_default();
                if !paths.contains_key(top) {
                    paths.insert(top.to_owned(), territory(top));
                    new.push(name.clone());
                }
                above.push(name);
            }
            if names::unit(names::leaf(top).1).is_some() && !self.units.contains_key(top) {
                self.units.insert(top.to_owned(), territory(top));
            }
        }
        new
    }

    /// The cgroups that carry a name.
    pub fn paths(&self, name: &Carried) -> impl Iterator<Item = &str> {
        self.by_name.get(name).into_iter().flatten().map(|(path, _)| path.as_str())
    }

    /// The names that more than the host's one cgroup carries.
    pub fn doubtful(&self) -> impl Iterator<Item = &Carried> {
        let is_doubtful = |paths: &BTreeMap<String, Territory>| {
            paths.len() > 1 || paths.values().any(|territory| !territory.is_hosts())
        };
        self.by_name.iter().filter(move |(_, paths)| is_doubtful(paths)).map(|(name, _)| name)
    }

    /// In whose territory a cgroup that carries a name is.
    pub fn territory(&self, path: &str) -> Option<&Territory> {
        carried(path).find_map(|name| self.by_name.get(&name)?.get(path))
    }

    /// A cgroup with the name of a unit is in the host's territory.
    pub fn is_hosts_unit(&self, path: &str) -> bool {
        self.units.get(path).is_none_or(Territory::is_hosts)
    }

    /// A cgroup with the name of a unit of a user's manager is not inside a container.
    pub fn is_users_unit(&self, path: &str) -> bool {
        self.units.get(path).is_none_or(|territory| territory.container.is_none())
    }

    /// Whether a cgroup is what its name says.
    pub fn standing(&self, path: &str, name: &Carried, inventory: &Inventory) -> Standing {
        let paths = self.by_name.get(name);
        let Some((paths, own)) = paths.and_then(|paths| Some((paths, paths.get(path)?))) else {
            return Standing::Rightful;
        };
        let homes = inventory.homes(name.text());
        let best = paths.values().map(|territory| likelihood(territory, homes)).max();
        if Some(likelihood(own, homes)) != best {
            return Standing::Outdone;
        }
        let is_best = |territory: &&Territory| Some(likelihood(territory, homes)) == best;
        let mut rivals = paths.iter().filter(|(other, territory)| {
            // A pod may have several cgroups, all made by the same one.
            let is_other = match name {
                Carried::Container(_) => other.as_str() != path,
                Carried::Pod(_) => *territory != own,
            };
            is_other && is_best(territory)
        });
        if best == Some(Likelihood::No) || rivals.next().is_some() {
            return Standing::Contested;
        }
        Standing::Rightful
    }
}

/// What a cgroup's name carries. The one-component form of a pod's container carries both.
pub fn carried(path: &str) -> impl Iterator<Item = Carried> {
    let (parent, last) = names::leaf(path);
    let container = names::container(parent, last).map(|name| name.id);
    // Told apart from a container's by nothing but its place.
    let id = container.or_else(|| names::podman_pod(parent, last).map(str::to_owned));
    id.map(Carried::Container).into_iter().chain(names::pod(last).map(Carried::Pod))
}

fn likelihood(territory: &Territory, homes: &[Home]) -> Likelihood {
    if territory.is_hosts() {
        return Likelihood::Yes;
    }
    let told: Vec<Option<bool>> = homes.iter().map(|home| home.may_make_in(territory)).collect();
    if told.contains(&Some(true)) {
        Likelihood::Yes
    } else if told.is_empty() || told.contains(&None) {
        Likelihood::Maybe
    } else {
        Likelihood::No
    }
}

#[cfg(test)]
#[path = "claims_tests.rs"]
mod tests;
