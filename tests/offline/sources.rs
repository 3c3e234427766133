//! What people write in this workspace: its files, and what each source file names.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

tests::trials! {
    the_scanner_sees_groups_nesting_and_relative_paths,
    the_whole_workspace_is_looked_at,
}

/// What no one writes, by its path below the workspace: a folder of the same name elsewhere is the project's.
const NOT_WRITTEN: &[&str] = &["target", ".git", "Cargo.lock"];

/// One source file.
pub struct Source {
    /// Path below the workspace.
    pub path: String,
    /// Its lines without comments, up to its unit tests.
    pub code: String,
    /// All of it.
    pub text: String,
}

impl Source {
    /// The module of the program that it belongs to: the first part of its path below `tracer/src`. Files that hold
    /// nothing but unit tests belong to none.
    pub fn module(&self) -> Option<&str> {
        let below = self.path.strip_prefix("tracer/src/")?;
        if ["tests.rs", "testing.rs"].iter().any(|name| below.ends_with(name)) {
            return None;
        }
        Some(below.split('/').next()?.trim_end_matches(".rs"))
    }

    /// Every path that it names, with the groups of `use` taken apart and `self` and `super` resolved.
    pub fn named(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut rest = String::new();
        let mut code = self.code.as_str();
        while let Some(start) = next_use(code) {
            rest.push_str(&code[..start]);
            let item = &code[start..];
            let end = item.find(';').unwrap_or(item.len());
            let tree: String = item[..end].split_whitespace().collect::<Vec<_>>().join(" ");
            let tree = tree.trim_start_matches("use ");
            found.extend(expand("", tree).into_iter().map(|path| self.resolve(&path)));
            code = &item[end..];
        }
        rest.push_str(code);
        let words = rest.split(|char: char| !(char.is_alphanumeric() || "_:".contains(char)));
        let paths = words.filter(|word| word.contains("::"));
        found.extend(paths.map(|path| self.resolve(path.trim_matches(':'))));
        found
    }

    /// The path with `crate`, `super` and `self` at its start replaced by the module that is meant.
    fn resolve(&self, path: &str) -> String {
        let Some(below) = self.path.split_once("/src/").map(|(_, below)| below) else {
            return path.to_owned();
        };
        let mut module: Vec<&str> = below.trim_end_matches(".rs").split('/').collect();
        if matches!(module.last(), Some(&("mod" | "lib" | "main"))) {
            module.pop();
        }
        let mut parts = path.split("::").peekable();
        match parts.peek() {
            Some(&"self") => {
                parts.next();
            }
            Some(&"super") => {
                while parts.next_if_eq(&"super").is_some() {
                    module.pop();
                }
            }
            _ => return path.to_owned(),
        }
        let whole: Vec<&str> = ["crate"].into_iter().chain(module).chain(parts).collect();
        whole.join("::")
    }
}

/// Where the next `use` item begins, at the start of a line.
fn next_use(code: &str) -> Option<usize> {
    let mut at = 0;
    for line in code.split_inclusive('\n') {
        let item = line.trim_start();
        let indented = line.len() - item.len();
        let plain = item.strip_prefix("pub ").or_else(|| item.strip_prefix("pub(crate) "));
        let item_start = item.len() - plain.unwrap_or(item).len();
        if plain.unwrap_or(item).starts_with("use ") {
            return Some(at + indented + item_start);
        }
        at += line.len();
    }
    None
}

/// `a::{b, c::{d, e}}` as `a::b`, `a::c::d`, `a::c::e`.
fn expand(prefix: &str, tree: &str) -> Vec<String> {
    let mut depth = 0;
    let parts = tree.split(|char| {
        match char {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        char == ',' && depth == 0
    });
    let parts = parts.map(str::trim).filter(|part| !part.is_empty());
    parts
        .flat_map(|part| match part.split_once('{') {
            Some((before, group)) => {
                let group = group.strip_suffix('}').unwrap_or(group);
                expand(&format!("{prefix}{before}"), group)
            }
            None => vec![format!("{prefix}{}", part.split(" as ").next().unwrap_or(part))],
        })
        .collect()
}

/// The workspace's folder.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace's folder").to_owned()
}

/// Every file of the workspace that people write, by its path below it.
pub fn files() -> Vec<String> {
    let root = workspace();
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the folder can be listed") {
            let path = entry.expect("an entry of the folder").path();
            let below = path.strip_prefix(&root).expect("it is below");
            let below = below.to_str().expect("paths are text").to_owned();
            if NOT_WRITTEN.contains(&below.as_str()) {
                continue;
            }
            if fs::symlink_metadata(&path).is_ok_and(|data| data.is_dir()) {
                folders.push(path);
            } else {
                found.push(below);
            }
        }
    }
    found.sort();
    found
}

/// Every source file of the workspace.
pub fn sources() -> Vec<Source> {
    let paths = files().into_iter().filter(|path| path.ends_with(".rs"));
    paths
        .map(|path| {
            let text = fs::read_to_string(workspace().join(&path)).expect("sources are text");
            let lines = text.lines().take_while(|line| *line != "#[cfg(test)]");
            let code = lines.filter(|line| !line.trim_start().starts_with("//"));
            let code = code.collect::<Vec<_>>().join("\n");
            Source { path, code, text }
        })
        .collect()
}

/// Those of the program, without files that hold nothing but unit tests.
pub fn sources_of_the_program() -> Vec<Source> {
    sources().into_iter().filter(|source| source.module().is_some()).collect()
}

fn the_scanner_sees_groups_nesting_and_relative_paths() {
    let code = "pub(crate) use std::{fs as files, time::{Duration, Instant}};
use super::{json, super::target::Target};
    use self::deep::Thing;
fn f() { std::env::var(crate::cli::X); }";
    let path = "tracer/src/recording/phases.rs".to_owned();
    let source = Source { path, code: code.to_owned(), text: String::new() };
    let expected = [
        "crate::cli::X",
        "crate::recording::json",
        "crate::recording::phases::deep::Thing",
        "crate::target::Target",
        "std::env::var",
        "std::fs",
        "std::time::Duration",
        "std::time::Instant",
    ];
    assert_eq!(source.named(), expected.map(str::to_owned).into());
}

fn the_whole_workspace_is_looked_at() {
    let files = files();
    for path in ["tracer/src/target/mod.rs", "tests/offline/tidy.rs", "Cargo.toml"] {
        assert!(files.iter().any(|file| file == path), "{path} is not looked at");
    }
    assert!(!files.iter().any(|file| file.starts_with("target/")), "what cargo builds is not ours");
}
