//! What of eBPF is loaded in the kernel: in all, and by one process.

use std::collections::BTreeSet;
use std::fs;

use aya::maps::loaded_maps;
use aya::programs::{loaded_links, loaded_programs};

/// Ids of eBPF objects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Programs.
    pub programs: BTreeSet<u32>,
    /// Maps.
    pub maps: BTreeSet<u32>,
    /// Links.
    pub links: BTreeSet<u32>,
}

impl Loaded {
    /// What both have.
    pub fn common(&self, other: &Self) -> Self {
        Self {
            programs: &self.programs & &other.programs,
            maps: &self.maps & &other.maps,
            links: &self.links & &other.links,
        }
    }
}

/// Everything that is loaded now.
pub fn loaded() -> Loaded {
    Loaded {
        programs: loaded_programs().flatten().map(|program| program.id()).collect(),
        maps: loaded_maps().flatten().map(|map| map.id()).collect(),
        links: loaded_links().flatten().map(|link| link.id()).collect(),
    }
}

/// What the open descriptors of a process hold.
pub fn loaded_by(process: i32) -> Loaded {
    let mut held = Loaded::default();
    let descriptors = fs::read_dir(format!("/proc/{process}/fdinfo"))
        .unwrap_or_else(|error| panic!("cannot list the descriptors of {process}: {error}"));
    for descriptor in descriptors.flatten() {
        // It may be closed by now.
        let text = fs::read_to_string(descriptor.path()).unwrap_or_default();
        let field = |name: &str| {
            let value = text.lines().find_map(|line| line.strip_prefix(name))?;
            value.trim().parse().ok()
        };
        match (field("link_id:"), field("prog_id:"), field("map_id:")) {
            (Some(link), _, _) => held.links.insert(link),
            (None, Some(program), _) => held.programs.insert(program),
            (None, None, Some(map)) => held.maps.insert(map),
            (None, None, None) => continue,
        };
    }
    held
}
