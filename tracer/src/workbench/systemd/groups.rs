//! The groups of calls that `SystemCallFilter=` knows by a name with `@`.
//!
//! The table is `profiles/systemd/groups.tsv`; it is embedded, so that there is one truth.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use crate::syscalls::LONGEST;

const TABLE: &str = include_str!("../../../../profiles/systemd/groups.tsv");

/// The newest version of systemd that is in the table.
pub const VERSION: u32 = 257;

/// The members of a group as the table has them: calls, and other groups.
fn table() -> &'static BTreeMap<&'static str, Vec<&'static str>> {
    static PARSED: LazyLock<BTreeMap<&str, Vec<&str>>> = LazyLock::new(|| {
        let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for line in TABLE.lines().filter(|line| line.starts_with('@')) {
            let mut columns = line.split('\t');
            let (Some(group), Some(_), Some(members)) =
                (columns.next(), columns.next(), columns.next())
            else {
                continue;
            };
            groups.entry(group).or_default().extend(members.split(' '));
        }
        groups
    });
    &PARSED
}

/// The calls of a group, those of the groups in it as well; None for a name that is no group.
pub fn calls(group: &str) -> Option<&'static BTreeSet<&'static str>> {
    static CALLS: LazyLock<BTreeMap<&str, BTreeSet<&str>>> =
        LazyLock::new(|| table().iter().map(|(group, members)| (*group, whole(members))).collect());
    CALLS.get(group)
}

/// The calls among these members, and in the groups among them.
fn whole(members: &[&'static str]) -> BTreeSet<&'static str> {
    let mut open = members.to_vec();
    let (mut seen, mut calls) = (BTreeSet::new(), BTreeSet::new());
    while let Some(member) = open.pop() {
        match table().get(member) {
            Some(members) if seen.insert(member) => open.extend(members),
            Some(_) => {}
            None => {
                calls.insert(member);
            }
        }
    }
    calls
}

/// The known group that is most like a name.
pub fn closest(name: &str) -> Option<&'static str> {
    if name.len() > LONGEST {
        return None;
    }
    let likeness = |known: &str| strsim::normalized_damerau_levenshtein(name, known);
    let best = table().keys().map(|known| (likeness(known), *known));
    let best = best.max_by(|(one, _), (other, _)| one.total_cmp(other));
    best.filter(|(likeness, _)| *likeness > 0.6).map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::policy::is_name;

    #[test]
    fn every_line_has_its_columns_and_every_member_is_known() {
        for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
            let columns: Vec<&str> = line.split('\t').collect();
            assert_eq!(columns.len(), 3, "{line}");
            assert!(columns[0].starts_with('@'), "{line}");
            assert!(columns[1].parse::<u32>().is_ok_and(|version| version <= VERSION), "{line}");
        }
        for (group, members) in table() {
            let groups = members.iter().filter(|member| member.starts_with('@'));
            for member in groups {
                assert!(table().contains_key(member), "{group}: {member}");
            }
        }
    }

    #[test]
    fn groups_within_groups_count() {
        let of = |group| calls(group).unwrap_or_else(|| panic!("{group}"));
        assert!(of("@default").contains("execve") && of("@default").contains("seccomp"));
        assert!(of("@system-service").is_superset(of("@file-system")));
        assert!(!of("@system-service").contains("mount"));
        assert!(of("@mount").contains("umount2") && of("@known").contains("statx"));
        assert_eq!(calls("@nothing"), None);
        assert_eq!(closest("@filesystem"), Some("@file-system"));
        assert!(of("@basic-io").iter().filter(|call| is_name(call)).count() > 10);
    }
}
