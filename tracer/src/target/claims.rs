//! Keeps the cgroups that carry the name of a container or a pod, and decides which of them has it
//! rightfully. Pure.
//!
//! Whoever makes a cgroup chooses its name ([`territory`](super::territory)). When several cgroups
//! carry one container's id or one pod's UID, the one in the territory of the host, or of the
//! runtime that reported it, is meant. Cgroups elsewhere have a name rightfully when no runtime is
//! known that contradicts: that is how a rootless container is found.

use std::collections::BTreeMap;

use super::inventory::Inventory;
use super::names::{self, Carried, carried};
use super::territory::{Home, Territory};
use crate::cgroup_path::{CgroupPath, leaf, levels};

/// Whether a cgroup is what its name says, as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is.
    Rightful,
    /// Another one is.
    Outdone,
    /// It or another one may be; or its runtime cannot have made it there, and no other cgroup of
    /// that name is known.
    Contested,
}

/// How likely a cgroup is what its name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Likelihood {
    /// The runtime that reported it makes no containers there.
    No,
    /// No runtime reported it.
    Maybe,
    /// It is the host's, or where its runtime lives.
    Yes,
}

/// All cgroups that were seen to carry the name of a container or a pod, those that are gone among
/// them.
#[derive(Clone, Debug, Default)]
pub struct Claims {
    by_name: BTreeMap<Carried, BTreeMap<CgroupPath, Territory>>,
    /// Those with the names of units.
    units: BTreeMap<CgroupPath, Territory>,
}

impl Claims {
    /// Adds a cgroup and those above it. Returns the names that these carry as new ones;
    /// `territory` is asked for those only.
    pub fn add(&mut self, path: &str, territory: impl Fn(&str) -> Territory) -> Vec<Carried> {
        let (mut new, mut above) = (Vec::new(), Vec::new());
        for top in levels(path) {
            for name in carried(top) {
                // Inside itself, the name means the cgroup above.
                if above.contains(&name) {
                    continue;
                }
                let paths = self.by_name.entry(name.clone()).or_default();
                if !paths.contains_key(top) {
                    paths.insert(top.into(), territory(top));
                    new.push(name.clone());
                }
                above.push(name);
            }
            if names::unit(leaf(top)).is_some() && !self.units.contains_key(top) {
                self.units.insert(top.into(), territory(top));
            }
        }
        new
    }

    /// The cgroups that carry a name.
    pub fn paths(&self, name: &Carried) -> impl Iterator<Item = &CgroupPath> {
        self.by_name.get(name).into_iter().flatten().map(|(path, _)| path)
    }

    /// The names that more than the host's one cgroup carries.
    pub fn doubtful(&self) -> impl Iterator<Item = &Carried> {
        let is_doubtful = |paths: &BTreeMap<CgroupPath, Territory>| {
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
        let homes = inventory.homes(name);
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

fn likelihood(territory: &Territory, homes: &[Home]) -> Likelihood {
    if territory.is_hosts() {
        return Likelihood::Yes;
    }
    let possible: Vec<Option<bool>> =
        homes.iter().map(|home| home.may_make_in(territory)).collect();
    if possible.contains(&Some(true)) {
        Likelihood::Yes
    } else if possible.is_empty() || possible.contains(&None) {
        Likelihood::Maybe
    } else {
        Likelihood::No
    }
}

#[cfg(test)]
#[path = "claims_tests.rs"]
mod tests;
