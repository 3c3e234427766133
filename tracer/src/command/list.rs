//! `tracer list`: what can be traced here.

use std::path::Path;

use anyhow::{Context, Result};
use comfy_table::{Table, presets::NOTHING};

use super::{exit::Exit, sockets, targets};
use crate::{
    cli::List,
    json,
    message::{print, print_err},
    recording::TargetKind,
    target::{
        cgroup::CgroupRoot,
        listing::{Traceable, traceables},
        not_found::failures,
    },
    text::escape,
};

/// Digits of a container's id that are shown: as many as `docker ps` shows, and more where others
/// begin with the same ones.
const ID_SHOWN: usize = 12;

/// Prints the pods, containers and units that hold processes.
///
/// # Errors
/// The cgroups cannot be read, or nothing can be printed.
pub fn run(options: &List) -> Result<Exit> {
    let root = CgroupRoot::find(Path::new("/proc"))?;
    let addresses = sockets::addresses(&options.sockets)?;
    sockets::warn_of_ignored(&addresses);
    let inventory = targets::ask_all(&addresses, options.verbose)?;
    let tree = root.tree().context("the cgroups of this host could not be read")?;
    let found = traceables(&tree, &inventory);
    let text = if options.json { json::pretty(&found) } else { table(&found, options.no_trunc) };
    print(&text).context("the standard output could not be written")?;
    if found.is_empty() && !options.json {
        print_err(
            "no cgroup of cgroup v2 that a container runtime, Kubernetes or systemd made holds a process\n\nhint: `tracer check` reports whether this host's workloads are in cgroup v2; the path of any cgroup works as a target",
        );
    }
    for failure in failures(&inventory) {
        print_err(&format!("warning: {failure}"));
    }
    let nameless = found.iter().filter(|one| one.is_nameless()).count();
    if nameless > 0 {
        print_err(&format!(
            "containers that no runtime reported: {nameless}; their ids are shown\n\nhint: pass --docker-host, --podman-host or --cri-endpoint; -v lists the runtimes that were asked; an id works as a target, too"
        ));
    }
    Ok(Exit::Complete)
}

fn kind(kind: TargetKind) -> &'static str {
    match kind {
        TargetKind::Path => "cgroup",
        TargetKind::Process => "process",
        TargetKind::Pod => "pod",
        TargetKind::Container => "container",
        TargetKind::Unit => "unit",
        TargetKind::Command => "command",
    }
}

/// A line for each; nothing when there is none. `whole`: ids are not cut.
fn table(found: &[Traceable], whole: bool) -> String {
    if found.is_empty() {
        return String::new();
    }
    let ids: Vec<&str> = found.iter().filter_map(|one| one.id.as_deref()).collect();
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(["KIND", "NAME", "RUNTIME", "PROCESSES", "SECCOMP", "CGROUP"]);
    for one in found {
        let name = match &one.id {
            Some(id) if *id == one.name && !whole => escape(unique(id, &ids)),
            _ => escape(&one.name),
        };
        table.add_row([
            kind(one.kind).to_owned(),
            name.into(),
            one.runtime.clone().unwrap_or_default(),
            one.processes.to_string(),
            one.seccomp.to_string(),
            escape(&one.cgroup).into(),
        ]);
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim().to_owned()).collect();
    lines.join("\n") + "\n"
}

/// The first digits of an id, as many as no other one begins with.
fn unique<'a>(id: &'a str, all: &[&str]) -> &'a str {
    let common = |other: &&str| {
        let pairs = id.bytes().zip(other.bytes());
        pairs.take_while(|(one, other)| one == other).count()
    };
    let others = all.iter().filter(|other| **other != id);
    let needed = others.map(|other| common(other) + 1).max().unwrap_or_default();
    id.get(..needed.max(ID_SHOWN)).unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::{grammar::TargetSpec, listing::Seccomp};

    fn container(id: &str) -> Traceable {
        Traceable {
            kind: TargetKind::Container,
            name: id.to_owned(),
            id: Some(id.to_owned()),
            container: None,
            pod: None,
            pod_uid: None,
            runtime: None,
            cgroup: format!("/{id}").into(),
            processes: 1,
            seccomp: Seccomp::Unconfined,
        }
    }

    fn names(found: &[Traceable], whole: bool) -> Vec<String> {
        let table = table(found, whole);
        let name = |line: &str| line.split_whitespace().nth(1).unwrap_or_default().to_owned();
        table.lines().skip(1).map(name).collect()
    }

    #[test]
    fn an_id_is_cut_to_what_is_unique_and_a_target() {
        let ids = ["0123456789012".to_owned() + &"a".repeat(51), "f".repeat(64)];
        let found: Vec<Traceable> = ids.iter().map(|id| container(id)).collect();
        assert_eq!(names(&found, false), ["012345678901", "ffffffffffff"]);
        assert_eq!(names(&found, true), ids);
        let alike = "0123456789012".to_owned() + &"b".repeat(51);
        let ids = [ids[0].clone(), ids[1].clone(), alike];
        let found: Vec<Traceable> = ids.iter().map(|id| container(id)).collect();
        let shown = names(&found, false);
        assert_eq!(shown, ["0123456789012a", "ffffffffffff", "0123456789012b"]);
        for name in shown {
            assert_eq!(ids.iter().filter(|id| id.starts_with(&name)).count(), 1, "{name}");
            assert!(name.parse::<TargetSpec>().is_ok(), "{name} is a target");
        }
    }

    #[test]
    fn the_name_of_a_container_is_never_cut() {
        let named = Traceable { name: "a-name-longer-than-an-id".to_owned(), ..container("7") };
        assert_eq!(names(&[named], false), ["a-name-longer-than-an-id"]);
    }
}
