//! Targets that do not exist yet: which new cgroup is one of them. Pure.

use super::grammar::{Meaning, TargetSpec};
use super::names;
use crate::recording::TargetKind;

/// A target that did not exist when tracing began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Awaited {
    /// As the user typed it.
    pub name: String,
    /// What it can mean.
    meanings: Vec<Meaning>,
}

impl Awaited {
    /// The target, when its cgroup will tell by its name that it is the one. Names of containers and pods do not.
    pub fn new(spec: &TargetSpec) -> Option<Self> {
        let meanings: Vec<Meaning> = spec
            .meanings
            .iter()
            .filter(|meaning| {
                matches!(
                    meaning,
                    Meaning::ContainerId { .. } | Meaning::PodUid(_) | Meaning::Unit(_)
                )
            })
            .cloned()
            .collect();
        (!meanings.is_empty()).then(|| Self { name: spec.text.clone(), meanings })
    }

    /// What kind of thing is awaited.
    pub fn kind(&self) -> TargetKind {
        match self.meanings.first() {
            Some(Meaning::PodUid(_)) => TargetKind::Pod,
            Some(Meaning::Unit(_)) => TargetKind::Unit,
            _ => TargetKind::Container,
        }
    }

    /// The target's cgroup, when this one is it or lies below it.
    pub fn find(&self, path: &str) -> Option<String> {
        let ends = path.match_indices('/').map(|(at, _)| at).skip(1).chain([path.len()]);
        ends.filter_map(|end| path.get(..end)).find(|above| self.is(above)).map(str::to_owned)
    }

    fn is(&self, path: &str) -> bool {
        let (parent, last) = names::leaf(path);
        self.meanings.iter().any(|meaning| match meaning {
            Meaning::ContainerId { scope, prefix } => names::container(parent, last)
                .is_some_and(|name| scope.admits(name.engine) && name.id.starts_with(prefix)),
            Meaning::PodUid(uid) => names::pod(last).as_ref() == Some(uid),
            Meaning::Unit(unit) => names::unit(last) == Some(unit),
            _ => false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    const UID: &str = "123e4567-e89b-12d3-a456-426614174000";

    fn awaited(text: &str) -> Awaited {
        Awaited::new(&text.parse().expect("a target")).expect("its cgroup tells")
    }

    #[test]
    fn the_uppermost_cgroup_of_that_name_is_the_target() {
        let container = format!("/system.slice/docker-{ID}.scope");
        for (text, path, found) in [
            (&ID[..12], format!("{container}/init"), Some(container.as_str())),
            (&ID[..12], format!("/docker/{ID}"), Some(&*format!("/docker/{ID}"))),
            ("docker:0123", format!("/libpod_parent/libpod-{ID}"), None),
            ("ffffffffffff", container.clone(), None),
            (UID, format!("/kubepods/pod{UID}/{ID}"), Some(&*format!("/kubepods/pod{UID}"))),
            (
                "web.service",
                "/system.slice/web.service/a".to_owned(),
                Some("/system.slice/web.service"),
            ),
            ("web.service", "/system.slice/other.service".to_owned(), None),
        ] {
            assert_eq!(awaited(text).find(&path).as_deref(), found, "{text} {path}");
        }
    }

    #[test]
    fn a_name_is_in_no_cgroup() {
        for text in ["docker:web", "shop/web", "pid:1", "/a"] {
            assert_eq!(Awaited::new(&text.parse().expect("a target")), None, "{text}");
        }
    }
}
