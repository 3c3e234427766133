//! What people write in this workspace: its files, and what each source file names.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

tests::trials! {
    the_scanner_sees_groups_nesting_and_relative_paths,
    only_unit_tests_are_left_out,
    the_whole_workspace_is_looked_at,
}

/// What no one writes, by its path below the workspace: a directory of the same name elsewhere is
/// the project's.
const NOT_WRITTEN: &[&str] = &["target", ".git", "Cargo.lock"];

/// One source file.
pub struct Source {
    /// Path below the workspace.
    pub path: String,
    /// All of it.
    pub text: String,
    /// Its lines without comments and without unit tests.
    pub code: String,
    /// How many lines it has without its unit tests.
    pub lines: usize,
    /// The files of its unit tests, by their paths below the workspace.
    pub tests: Vec<String>,
}

/// A name that a `use` item brings in.
pub struct Import {
    /// The path, with `self` and `super` resolved.
    pub path: String,
    /// The name that it has here.
    pub name: String,
    /// Others may name it here as well.
    pub is_reexport: bool,
}

/// What a source file names.
pub struct Items {
    /// The names that its `use` items bring in.
    pub imports: Vec<Import>,
    /// Other paths, with `self` and `super` resolved.
    pub inline: BTreeSet<String>,
}

impl Source {
    /// A file with this text.
    pub fn new(path: String, text: String) -> Self {
        let (kept, tests) = without_tests(&path, &text);
        let code = kept.iter().filter(|line| !line.trim_start().starts_with("//"));
        let code = code.copied().collect::<Vec<_>>().join("\n");
        let lines = kept.len();
        Self { path, text, code, lines, tests }
    }

    /// The module of the program that it belongs to: the first part of its path below `tracer/src`.
    pub fn module(&self) -> Option<&str> {
        let below = self.path.strip_prefix("tracer/src/")?;
        Some(below.split('/').next()?.trim_end_matches(".rs"))
    }

    /// Every path that it names, with the groups of `use` taken apart, and `self`, `super` and the
    /// names that `use` items bring in resolved.
    pub fn named(&self) -> BTreeSet<String> {
        let Items { imports, inline } = self.items();
        let known: BTreeMap<&str, &str> =
            imports.iter().map(|import| (import.name.as_str(), import.path.as_str())).collect();
        let whole = |path: &String| {
            let (first, rest) = path.split_once("::")?;
            known.get(first).map(|module| format!("{module}::{rest}"))
        };
        let inline = inline.iter().map(|path| whole(path).unwrap_or_else(|| path.clone()));
        imports.iter().map(|import| import.path.clone()).chain(inline).collect()
    }

    /// The same, with `use` items and other paths apart.
    pub fn items(&self) -> Items {
        let (mut imports, mut rest) = (Vec::new(), String::new());
        let mut code = self.code.as_str();
        while let Some((start, is_reexport)) = next_use(code) {
            rest.push_str(&code[..start]);
            let item = &code[start..];
            let end = item.find(';').unwrap_or(item.len());
            let tree: String = item[..end].split_whitespace().collect::<Vec<_>>().join(" ");
            for path in expand("", tree.trim_start_matches("use ")) {
                let (path, alias) = path.split_once(" as ").unwrap_or((&path, ""));
                let path = self.resolve(path.strip_suffix("::self").unwrap_or(path));
                let last = path.rsplit("::").next().unwrap_or_default();
                let name = if alias.is_empty() { last } else { alias }.to_owned();
                imports.push(Import { path, name, is_reexport });
            }
            code = &item[end..];
        }
        rest.push_str(code);
        let words = rest.split(|char: char| !(char.is_alphanumeric() || "_:".contains(char)));
        let paths = words.filter(|word| word.contains("::"));
        let inline = paths.map(|path| self.resolve(path.trim_matches(':'))).collect();
        Items { imports, inline }
    }

    /// Its module, as `crate::` and the path below it; None when it is in no `src` directory.
    pub fn module_path(&self) -> Option<String> {
        let (_, below) = self.path.split_once("/src/")?;
        let mut module: Vec<&str> = below.trim_end_matches(".rs").split('/').collect();
        if matches!(module.last(), Some(&("mod" | "lib" | "main"))) {
            module.pop();
        }
        Some(["crate"].into_iter().chain(module).collect::<Vec<_>>().join("::"))
    }

    /// The path with `crate`, `super` and `self` at its start replaced by the module that is meant.
    fn resolve(&self, path: &str) -> String {
        let Some(module) = self.module_path() else {
            return path.to_owned();
        };
        let mut module: Vec<&str> = module.split("::").collect();
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
        module.extend(parts);
        module.join("::")
    }
}

/// The lines of a source file without the items that are compiled for unit tests alone, and the
/// files of such modules. Rustfmt ends an item at the indentation at which it begins.
fn without_tests<'text>(path: &str, text: &'text str) -> (Vec<&'text str>, Vec<String>) {
    let (mut kept, mut files) = (Vec::new(), Vec::new());
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let item = line.trim_start();
        if item != "#[cfg(test)]" {
            kept.push(line);
            continue;
        }
        let indentation = &line[..line.len() - item.len()];
        let end = format!("{indentation}}}");
        let mut named = None;
        for line in lines.by_ref() {
            let item = line.trim();
            named =
                item.strip_prefix("#[path = \"").and_then(|rest| rest.split('"').next()).or(named);
            if let Some(module) = item.strip_suffix(';').and_then(|item| item.split("mod ").nth(1))
            {
                files.push(file_of_module(path, module, named));
            }
            let is_nested = line.len() - line.trim_start().len() > indentation.len();
            if item.ends_with(';') && !is_nested || line == end {
                break;
            }
        }
    }
    (kept, files)
}

/// The file of a module that a source file declares: the one that its attribute names, or the usual
/// one.
fn file_of_module(path: &str, module: &str, named: Option<&str>) -> String {
    let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
    match (named, name.trim_end_matches(".rs")) {
        (Some(named), _) => format!("{directory}/{named}"),
        (None, "mod" | "lib" | "main") => format!("{directory}/{module}.rs"),
        (None, own) => format!("{directory}/{own}/{module}.rs"),
    }
}

/// Where the next `use` item begins, at the start of a line, and whether it is a re-export.
fn next_use(code: &str) -> Option<(usize, bool)> {
    let mut at = 0;
    for line in code.split_inclusive('\n') {
        let item = line.trim_start();
        let is_public = item.starts_with("pub ") || item.starts_with("pub(");
        let plain =
            if is_public { item.split_once(' ').map_or(item, |(_, rest)| rest) } else { item };
        if plain.starts_with("use ") {
            return Some((at + line.len() - plain.len(), is_public));
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
            None => vec![format!("{prefix}{part}")],
        })
        .collect()
}

/// The workspace's directory.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace's directory").to_owned()
}

/// Every file of the workspace that people write, by its path below it.
pub fn files() -> Vec<String> {
    let root = workspace();
    let mut found = Vec::new();
    let mut directories = vec![root.clone()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).expect("the directory can be listed") {
            let path = entry.expect("an entry of the directory").path();
            let below = path.strip_prefix(&root).expect("it is below");
            let below = below.to_str().expect("paths are text").to_owned();
            if NOT_WRITTEN.contains(&below.as_str()) {
                continue;
            }
            if fs::symlink_metadata(&path).is_ok_and(|data| data.is_dir()) {
                directories.push(path);
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
            Source::new(path, text)
        })
        .collect()
}

/// Those of the program, without files that hold nothing but unit tests.
pub fn sources_of_the_program() -> Vec<Source> {
    let sources = sources();
    let tests: BTreeSet<String> =
        sources.iter().flat_map(|source| source.tests.iter().cloned()).collect();
    let program = sources.into_iter().filter(|source| source.module().is_some());
    program.filter(|source| !tests.contains(&source.path)).collect()
}

fn the_scanner_sees_groups_nesting_and_relative_paths() {
    let code = "pub(crate) use std::{fs as files, time::{Duration, Instant}};
use super::{json, super::target::Target};
    use self::deep::Thing;
fn f() { std::env::var(crate::cli::X); files::read(json::X); }";
    let path = "tracer/src/recording/phases.rs".to_owned();
    let source = Source::new(path, code.to_owned());
    let expected = [
        "crate::cli::X",
        "crate::recording::json",
        "crate::recording::json::X",
        "crate::recording::phases::deep::Thing",
        "crate::target::Target",
        "std::env::var",
        "std::fs",
        "std::fs::read",
        "std::time::Duration",
        "std::time::Instant",
    ];
    assert_eq!(source.named(), expected.map(str::to_owned).into());
}

fn only_unit_tests_are_left_out() {
    let text = "mod a;
TEST
mod testing;
mod b;
TEST
#[path = \"b_tests.rs\"]
mod tests;
impl A {
    TEST
    fn f() {
        g();
    }
    fn h() {}
}
TEST
mod more {
    fn i() {}
}
fn j() {}
";
    // Not as it stands there: this file is looked at as well.
    let text = text.replace("TEST", "#[cfg(test)]");
    let source = Source::new("tracer/src/target/mod.rs".to_owned(), text);
    assert_eq!(source.code, "mod a;\nmod b;\nimpl A {\n    fn h() {}\n}\nfn j() {}");
    assert_eq!(source.tests, ["tracer/src/target/testing.rs", "tracer/src/target/b_tests.rs"]);
    assert_eq!(file_of_module("a/src/b.rs", "tests", None), "a/src/b/tests.rs");
}

fn the_whole_workspace_is_looked_at() {
    let files = files();
    let sources = sources();
    for path in [
        "tracer/build.rs",
        "tracer/src/target/mod.rs",
        "tracer-ebpf/src/main.rs",
        "xtask/src/main.rs",
        "tests/build.rs",
        "tests/fixtures/ground_truth.rs",
        "tests/offline/tidy.rs",
    ] {
        assert!(sources.iter().any(|source| source.path == path), "{path} is not looked at");
    }
    assert!(files.iter().any(|file| file == "Cargo.toml"), "manifests are looked at");
    let members = ["tracer/", "tracer-ebpf/", "xtask/", "tests/"];
    let others = files.iter().filter(|file| file.ends_with(".rs"));
    let others: Vec<_> =
        others.filter(|file| !members.iter().any(|member| file.starts_with(member))).collect();
    assert!(others.is_empty(), "of no member: {others:?}");
    let tested = sources.iter().flat_map(|source| &source.tests);
    let missing: Vec<_> =
        tested.filter(|test| !test.contains("..") && !files.contains(test)).collect();
    assert!(missing.is_empty(), "files of unit tests that are not there: {missing:?}");
    assert!(!files.iter().any(|file| file.starts_with("target/")), "what cargo builds is not ours");
}
