//! The rules of the house that no compiler checks.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The most lines of a source file, its unit tests not counted.
const MOST_LINES: usize = 450;
/// The most lines of the program's `main.rs`.
const MOST_LINES_OF_MAIN: usize = 29;

/// Modules of plain data and judgement: no input or output, no clock, nothing of the kernel.
const PURE: &[&str] = &["audit", "profile", "recording", "syscalls", "text"];
/// What pure modules must not name.
const IMPURE: &[&str] = &[
    "std::env",
    "std::fs",
    "std::io::stderr",
    "std::io::stdin",
    "std::io::stdout",
    "std::net",
    "std::os::fd",
    "std::os::unix::fs",
    "std::os::unix::net",
    "std::os::unix::process",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
    "aya",
    "aya_log",
    "libc",
    "nix",
    "rustix",
    "tokio",
];
/// The only files that know `serde_json`: those of `recording::json` and `profile::oci`.
const KNOW_JSON: &[&str] =
    &["recording/json.rs", "profile/oci/amend.rs", "profile/oci/mod.rs", "profile/oci/write.rs"];
/// Modules that may read the environment: what was typed and who typed it.
const KNOW_ENVIRONMENT: &[&str] = &["command", "main", "cli"];
/// Folders whose code may be unsafe.
const MAY_BE_UNSAFE: &[&str] = &["tracer/src/kernel/", "tracer-ebpf/", "tests/fixtures/"];

/// One source file.
struct Source {
    /// Path below the workspace.
    path: String,
    /// Its lines without comments, up to its unit tests.
    code: String,
    /// All of it.
    text: String,
}

impl Source {
    /// The module of the program that it belongs to: the first part of its path below `tracer/src`. Files that hold
    /// nothing but unit tests belong to none.
    fn module(&self) -> Option<&str> {
        let below = self.path.strip_prefix("tracer/src/")?;
        if ["tests.rs", "testing.rs"].iter().any(|name| below.ends_with(name)) {
            return None;
        }
        Some(below.split('/').next()?.trim_end_matches(".rs"))
    }

    /// Every path that it names, with the groups of `use` taken apart and `self` and `super` resolved.
    fn named(&self) -> BTreeSet<String> {
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

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace's folder").to_owned()
}

/// Every file of the workspace that people write, by its path below it.
fn files() -> Vec<String> {
    let root = workspace();
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the folder can be listed") {
            let path = entry.expect("an entry of the folder").path();
            let name = path.file_name().expect("it has a name").to_string_lossy().into_owned();
            if fs::symlink_metadata(&path).is_ok_and(|data| data.is_dir()) {
                if !["target", ".git"].contains(&name.as_str()) {
                    folders.push(path);
                }
            } else if name != "Cargo.lock" {
                let below = path.strip_prefix(&root).expect("it is below");
                found.push(below.to_str().expect("paths are text").to_owned());
            }
        }
    }
    found.sort();
    found
}

fn sources() -> Vec<Source> {
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

fn sources_of_the_program() -> Vec<Source> {
    sources().into_iter().filter(|source| source.module().is_some()).collect()
}

/// Whether the path is the one named, or below it.
fn is_below(path: &str, above: &str) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Fails with every breach at once.
fn none(breaches: &[String]) {
    assert!(breaches.is_empty(), "{} breaches:\n{}", breaches.len(), breaches.join("\n"));
}

#[test]
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

#[test]
fn pure_modules_do_no_input_or_output_and_know_no_kernel() {
    let mut breaches = Vec::new();
    for source in sources_of_the_program() {
        let module = source.module().expect("it is the program's");
        if !PURE.contains(&module) {
            continue;
        }
        for path in source.named() {
            if IMPURE.iter().any(|impure| is_below(&path, impure)) {
                breaches.push(format!("{}: names {path}", source.path));
            }
            let ours = path.strip_prefix("crate::").and_then(|rest| rest.split("::").next());
            if let Some(ours) = ours
                && ours.starts_with(char::is_lowercase)
                && !PURE.contains(&ours)
            {
                breaches.push(format!("{}: names {path}, which is not pure", source.path));
            }
        }
    }
    none(&breaches);
}

#[test]
fn no_layer_names_one_above_it() {
    let mut breaches = Vec::new();
    for source in sources_of_the_program() {
        let module = source.module().expect("it is the program's");
        let forbidden: &[&str] = match module {
            "main" | "lib" | "command" => continue,
            "cli" => &["crate", "tracer"],
            "session" => &["crate::command", "crate::cli"],
            // Pure modules and edges.
            _ => &["crate::session", "crate::command", "crate::cli"],
        };
        for path in source.named() {
            if forbidden.iter().any(|above| is_below(&path, above)) {
                breaches.push(format!("{}: names {path}", source.path));
            }
        }
    }
    none(&breaches);
}

#[test]
fn only_the_kernel_module_knows_aya() {
    let mut breaches = Vec::new();
    for source in sources_of_the_program() {
        if source.module() != Some("kernel") {
            let named = source.named();
            let aya = named.iter().filter(|path| path.starts_with("aya"));
            breaches.extend(aya.map(|path| format!("{}: names {path}", source.path)));
        }
    }
    none(&breaches);
}

#[test]
fn only_two_modules_know_json_values() {
    let mut breaches = Vec::new();
    for source in sources_of_the_program() {
        let below = source.path.trim_start_matches("tracer/src/");
        if !KNOW_JSON.contains(&below) {
            let named = source.named();
            let json = named.iter().filter(|path| is_below(path, "serde_json"));
            breaches.extend(json.map(|path| format!("{}: names {path}", source.path)));
        }
    }
    none(&breaches);
}

#[test]
fn nothing_below_the_commands_reads_the_environment() {
    let mut breaches = Vec::new();
    for source in sources_of_the_program() {
        let module = source.module().expect("it is the program's");
        if KNOW_ENVIRONMENT.contains(&module) {
            continue;
        }
        for path in source.named() {
            if is_below(&path, "std::env") || path.starts_with("env::") {
                breaches.push(format!("{}: names {path}", source.path));
            }
        }
    }
    none(&breaches);
}

#[test]
fn source_files_are_short() {
    let mut breaches = Vec::new();
    for source in sources() {
        let tests = source.text.lines().take_while(|line| *line != "#[cfg(test)]");
        let lines = tests.count();
        if lines > MOST_LINES && !source.text.starts_with("//! Generated") {
            breaches.push(format!("{}: {lines} lines, {MOST_LINES} are enough", source.path));
        }
        if source.path == "tracer/src/main.rs" && lines > MOST_LINES_OF_MAIN {
            breaches
                .push(format!("{}: {lines} lines; what it does belongs elsewhere", source.path));
        }
    }
    none(&breaches);
}

#[test]
fn every_source_file_says_what_it_is() {
    let silent = sources().into_iter().filter(|source| {
        let mut lines = source.text.lines().filter(|line| !line.starts_with("#!"));
        !lines.next().is_some_and(|line| line.starts_with("//!"))
    });
    none(
        &silent
            .map(|source| format!("{}: does not begin with //!", source.path))
            .collect::<Vec<_>>(),
    );
}

#[test]
fn every_member_opts_in_to_the_lints() {
    let mut breaches = Vec::new();
    for path in files().into_iter().filter(|path| path.ends_with("Cargo.toml")) {
        let text = fs::read_to_string(workspace().join(&path)).expect("manifests are text");
        let opts_in = text.contains("[lints]\nworkspace = true");
        if !opts_in && !text.contains("[workspace]") {
            breaches.push(format!("{path}: lacks [lints] workspace = true"));
        }
    }
    none(&breaches);
}

#[test]
fn nothing_unfinished_is_left() {
    // Written apart, so that this file is not found.
    let marks =
        [("todo", "!("), ("unimplemented", "!("), ("dbg", "!("), ("FIX", "ME"), ("XX", "X")];
    let marks = marks.map(|(start, end)| format!("{start}{end}"));
    let mut breaches = Vec::new();
    for source in sources() {
        let lines = source.text.lines().enumerate();
        let marked =
            lines.filter(|(_, line)| marks.iter().any(|mark| line.contains(mark.as_str())));
        breaches.extend(marked.map(|(at, line)| format!("{}:{}: {line}", source.path, at + 1)));
    }
    none(&breaches);
}

#[test]
fn unsafe_code_lives_where_it_is_expected() {
    let forms = ["{", "fn ", "impl", "extern", "("].map(|next| format!("{} {next}", "unsafe"));
    let mut breaches = Vec::new();
    for source in sources() {
        if MAY_BE_UNSAFE.iter().any(|folder| source.path.starts_with(folder)) {
            continue;
        }
        for (at, line) in source.text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or(line);
            if forms.iter().any(|form| code.contains(form.as_str())) {
                breaches.push(format!("{}:{}: {line}", source.path, at + 1));
            }
        }
    }
    none(&breaches);
}

#[test]
fn no_path_of_a_build_machine_is_in_a_file() {
    // Written apart, so that this file is not found.
    let parts = [("/wo", "rk/"), ("/tmp/", "wt/"), ("/tmp/bash", "_jobs"), ("/fa", "rm/")];
    let mut breaches = Vec::new();
    for path in files() {
        let Ok(text) = fs::read_to_string(workspace().join(&path)) else {
            continue;
        };
        for (at, line) in text.lines().enumerate() {
            for (start, end) in parts {
                let machine = format!("{start}{end}");
                let own = line.match_indices(&machine).any(|(place, _)| {
                    let before = line[..place].chars().next_back();
                    !before.is_some_and(|char| char.is_alphanumeric() || "_.-".contains(char))
                });
                if own {
                    breaches.push(format!("{path}:{}: {line}", at + 1));
                }
            }
        }
    }
    none(&breaches);
}
