//! What must hold before a version is handed out.

use anyhow::Result;

use super::VERSION;
use crate::{command, workspace::Workspace};

/// A section of the changelog.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Section<'text> {
    /// When the version was released, as the heading says.
    date: Option<&'text str>,
    /// The section without its heading.
    pub(super) text: &'text str,
}

/// Why this workspace cannot be released, one reason each.
pub(super) fn objections(workspace: &Workspace, changelog: &str) -> Result<Vec<String>> {
    let mut status = workspace.command("git");
    status.args(["status", "--porcelain"]).current_dir(workspace.root());
    let changes = objection_to_changes(&command::output(&mut status)?);
    Ok(objection_to_changelog(changelog, VERSION).into_iter().chain(changes).collect())
}

/// The section of a version: its heading is `## VERSION` or `## VERSION - DATE`.
pub(super) fn section<'text>(changelog: &'text str, version: &str) -> Option<Section<'text>> {
    let mut parts = changelog.split("\n## ");
    let (heading, text) = parts.find_map(|part| {
        let (heading, text) = part.split_once('\n')?;
        let (named, _) = heading.split_once(' ').unwrap_or((heading, ""));
        (named == version).then_some((heading, text))
    })?;
    let date = heading.split_once(" - ").map(|(_, date)| date.trim());
    Some(Section { date, text: text.trim() })
}

fn objection_to_changelog(changelog: &str, version: &str) -> Option<String> {
    match section(changelog, version) {
        None => Some(format!("CHANGELOG.md has no section \"## {version} - DATE\"")),
        Some(Section { date: None, .. }) => {
            Some(format!("the section of {version} in CHANGELOG.md has no date"))
        }
        Some(Section { text: "", .. }) => {
            Some(format!("the section of {version} in CHANGELOG.md is empty"))
        }
        Some(_) => None,
    }
}

/// `status` is what `git status --porcelain` prints: a line for each file, after two letters.
fn objection_to_changes(status: &str) -> Option<String> {
    let files: Vec<&str> = status.lines().filter_map(|line| line.get(3..)).collect();
    match files[..] {
        [] => None,
        [one] => Some(format!("{one} is not committed")),
        [first, ..] => Some(format!("{} files are not committed, {first} first", files.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANGELOG: &str = "# Changelog\n\n## Unreleased\n\n- later\n\n\
        ## 0.2.0 - 2026-11-30\n\n### Added\n\n- this\n\n## 0.1.0\n\n- that\n";

    #[test]
    fn a_section_ends_where_the_next_begins() {
        let expected = Section { date: Some("2026-11-30"), text: "### Added\n\n- this" };
        assert_eq!(section(CHANGELOG, "0.2.0"), Some(expected));
        assert_eq!(section(CHANGELOG, "0.1.0"), Some(Section { date: None, text: "- that" }));
        assert_eq!(section(CHANGELOG, "0.2"), None);
    }

    #[test]
    fn a_release_has_a_section_with_a_date_and_a_text() {
        assert_eq!(objection_to_changelog(CHANGELOG, "0.2.0"), None);
        let of = |version: &str| objection_to_changelog(CHANGELOG, version).unwrap_or_default();
        assert!(of("0.1.0").contains("no date"));
        assert!(of("0.3.0").contains("no section \"## 0.3.0 - DATE\""));
        let empty = objection_to_changelog("\n## 1.0.0 - 2026-01-01\n\n## 0.9.0\n- x\n", "1.0.0");
        assert!(empty.is_some_and(|objection| objection.contains("is empty")));
    }

    #[test]
    fn a_release_has_no_uncommitted_file() {
        assert_eq!(objection_to_changes(""), None);
        assert_eq!(objection_to_changes("?? new\n").as_deref(), Some("new is not committed"));
        let two = objection_to_changes(" M README.md\nA  other\n");
        assert_eq!(two.as_deref(), Some("2 files are not committed, README.md first"));
    }
}
