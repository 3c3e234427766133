//! Whether the calls that a filter denies are watched: whenever a target is under a filter, or may
//! start under one.
//!
//! A call that is denied is seen at the exit from the kernel only. A container's first process
//! makes its first calls under the filter within microseconds of its load, so that whoever waited
//! to see a filter would have missed some: the programs at the exit are attached before tracing
//! begins, or not at all.

use anyhow::Result;

use crate::{
    cli::Record,
    recording::{TargetKind, selection::Selection},
    session::Targets,
    target::{
        cgroup::{CgroupRoot, CgroupTree},
        listing::is_filtered,
    },
    text::escape,
};

/// Whether denied calls are watched, and what is to be said about it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct DenialWatch {
    /// They are.
    pub(super) watched: bool,
    /// Why, and at what price, when nobody asked for it.
    pub(super) note: Option<String>,
}

/// What it costs, against an empty program on the same tracepoint (`cargo xtask bench`, the rows
/// `--denied`).
const PRICE: &str = "tracer watches the calls that it denies as well, so that nothing is lost; a syscall then costs about 1.8 times as much in the target, and 1.4 times elsewhere (--no-denied turns this off)";

/// Decides it.
///
/// # Errors
/// The cgroups cannot be read.
pub(super) fn decide(typed: &Record, root: &CgroupRoot, targets: &Targets) -> Result<DenialWatch> {
    if typed.denied || typed.derivation.include_denied {
        return Ok(DenialWatch { watched: true, note: None });
    }
    if typed.no_denied || targets.selections.is_empty() {
        return Ok(DenialWatch::default());
    }
    let tree = root.tree()?;
    let awaited = typed.wait || typed.all_containers;
    Ok(note(&tree, &targets.selections, awaited).map_or_else(DenialWatch::default, |why| {
        DenialWatch { watched: true, note: Some(format!("{why}: {PRICE}")) }
    }))
}

/// Why they are to be watched; None when no target is known to be under a filter, nor awaited.
fn note(tree: &CgroupTree, selections: &[Selection], awaited: bool) -> Option<String> {
    let filtered = |selection: &Selection| is_filtered(tree, |path| selection.holds(path));
    let states: Vec<(&Selection, Option<bool>)> =
        selections.iter().map(|selection| (selection, filtered(selection))).collect();
    if let Some((selection, _)) = states.iter().find(|(_, state)| *state == Some(true)) {
        return Some(format!("{} is under a seccomp filter", escape(&selection.name)));
    }
    let may_be = |(selection, state): &&(&Selection, Option<bool>)| {
        let is_container = matches!(selection.kind, TargetKind::Container | TargetKind::Pod);
        awaited || (state.is_none() && is_container)
    };
    let (selection, _) = states.iter().find(may_be)?;
    Some(format!("{} may start under a seccomp filter, as containers do", escape(&selection.name)))
}
