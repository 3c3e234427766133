//! The rules of the house that no compiler checks.

use std::fs;

use crate::sources::{files, sources, sources_of_the_program, workspace};

tests::trials! {
    pure_modules_do_no_input_or_output_and_know_no_kernel,
    no_layer_names_one_above_it,
    only_the_bpf_module_knows_aya,
    few_modules_know_json,
    nothing_below_the_commands_reads_the_environment,
    source_files_are_short,
    every_source_file_says_what_it_is,
    every_member_opts_in_to_the_lints,
    no_mark_of_unfinished_work_is_left,
    no_test_is_dropped_silently,
    unsafe_is_allowed_where_it_is_expected,
    no_path_of_this_machine_is_in_a_file,
    comments_are_wrapped,
    one_file_of_the_kernel_side_names_the_architecture,
}

/// The most lines of a source file, its unit tests not counted.
const MOST_LINES: usize = 400;
/// The most lines of the program's `main.rs`.
const MOST_LINES_OF_MAIN: usize = 29;

/// Modules of plain data and judgement: no input or output, no clock, nothing of the kernel.
const PURE: &[&str] = &[
    "audit",
    "cgroup_name",
    "cgroup_path",
    "encoding",
    "json",
    "profile",
    "recording",
    "syscalls",
    "text",
    "workbench",
];
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
/// The only files that know `serde_json`: the one that prints, those of `recording::json` and
/// `profile::oci`, the one that reads the API server's answers, and the one that reads Podman's
/// files.
const KNOW_JSON: &[&str] = &[
    "json.rs",
    "recording/json.rs",
    "profile/oci/amend.rs",
    "profile/oci/encode.rs",
    "profile/oci/mod.rs",
    "profile/oci/write.rs",
    "target/cluster/objects.rs",
    "target/runtime/storage.rs",
];
/// Test programs that list their tests themselves (`harness = false`).
const LIST_THEIR_TESTS: &[&str] = &[
    "tests/cluster/",
    "tests/fuzz/",
    "tests/kernel/",
    "tests/offline/",
    "tests/runtimes/",
    "tests/vm/",
];
/// Modules that may read the environment: what was typed and who typed it.
const KNOW_ENVIRONMENT: &[&str] = &["command", "main", "cli"];
/// Files that may make an exception from the lint against unsafe code, for themselves and what is
/// below them.
const MAY_BE_UNSAFE: &[&str] = &[
    "tracer/src/bpf/mod.rs",
    "tracer/src/sys/mod.rs",
    "tracer-ebpf/src/empty.rs",
    "tracer-ebpf/src/main.rs",
];
/// What is particular to an architecture, on the kernel side.
const ARCHITECTURES: &[&str] = &["tracer-ebpf/src/x86.rs"];
/// The most columns of a comment.
const MOST_COLUMNS: usize = 100;
/// How many lines of comments are still longer, by member. A number here may only fall.
const LONGER: &[(&str, usize)] =
    &[("tracer/", 60), ("tracer-ebpf/", 0), ("xtask/", 0), ("tests/", 0)];

/// Whether the path is the one named, or below it.
fn is_below(path: &str, above: &str) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Fails with every breach at once.
fn none(breaches: &[String]) {
    assert!(breaches.is_empty(), "{} breaches:\n{}", breaches.len(), breaches.join("\n"));
}

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
        let own = format!("crate::{module}");
        for path in source.named().into_iter().filter(|path| !is_below(path, &own)) {
            if forbidden.iter().any(|above| is_below(&path, above)) {
                breaches.push(format!("{}: names {path}", source.path));
            }
        }
    }
    none(&breaches);
}

fn only_the_bpf_module_knows_aya() {
    let mut breaches = Vec::new();
    for source in sources_of_the_program() {
        if source.module() != Some("bpf") {
            let named = source.named();
            let aya = named.iter().filter(|path| path.starts_with("aya"));
            breaches.extend(aya.map(|path| format!("{}: names {path}", source.path)));
        }
    }
    none(&breaches);
}

fn few_modules_know_json() {
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

fn nothing_below_the_commands_reads_the_environment() {
    let mut breaches = Vec::new();
    for source in sources_of_the_program() {
        let module = source.module().expect("it is the program's");
        if KNOW_ENVIRONMENT.contains(&module) {
            continue;
        }
        for path in source.named() {
            if is_below(&path, "std::env") {
                breaches.push(format!("{}: names {path}", source.path));
            }
        }
    }
    none(&breaches);
}

fn source_files_are_short() {
    let mut breaches = Vec::new();
    for source in sources() {
        let lines = source.lines;
        if lines > MOST_LINES {
            breaches.push(format!("{}: {lines} lines, {MOST_LINES} are enough", source.path));
        }
        if source.path == "tracer/src/main.rs" && lines > MOST_LINES_OF_MAIN {
            breaches
                .push(format!("{}: {lines} lines; what it does belongs elsewhere", source.path));
        }
    }
    none(&breaches);
}

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

/// Another architecture is another file.
fn one_file_of_the_kernel_side_names_the_architecture() {
    let mut breaches = Vec::new();
    for source in sources() {
        let beside = source.path.starts_with("tracer-ebpf/")
            && !ARCHITECTURES.contains(&source.path.as_str())
            && source.path != "tracer-ebpf/src/lib.rs";
        let names = |line: &str| {
            let line = line.to_lowercase();
            ["x86", "i386", "x32", "amd64"].iter().any(|name| line.contains(name))
        };
        if beside && let Some(line) = source.text.lines().find(|line| names(line)) {
            breaches.push(format!("{}: {line}", source.path));
        }
    }
    none(&breaches);
}

/// Clippy refuses the macros; comments are read here.
fn no_mark_of_unfinished_work_is_left() {
    // Written apart, so that this file is not found.
    let marks = [("TO", "DO"), ("FIX", "ME"), ("XX", "X")];
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

/// The lint is an error everywhere else. A fixture is no part of a crate that the lint sees.
fn unsafe_is_allowed_where_it_is_expected() {
    // Written apart, so that this file is not found.
    let lint = format!("unsafe_{}", "code");
    let mut breaches = Vec::new();
    for source in sources() {
        if source.code.contains(&lint) && !MAY_BE_UNSAFE.contains(&source.path.as_str()) {
            breaches.push(format!("{}: names the lint {lint}", source.path));
        }
    }
    none(&breaches);
}

/// Messages and documents are for every machine: none names the directory of the one who wrote
/// them.
fn no_path_of_this_machine_is_in_a_file() {
    let here = workspace().canonicalize().expect("the workspace is there");
    // A path such as /src stands for many things.
    if here.components().count() < 3 {
        return;
    }
    let here = here.to_str().expect("paths are text");
    let mut breaches = Vec::new();
    for path in files() {
        let Ok(text) = fs::read_to_string(workspace().join(&path)) else {
            continue;
        };
        let lines = text.lines().enumerate().filter(|(_, line)| line.contains(here));
        breaches.extend(lines.map(|(at, line)| format!("{path}:{}: {line}", at + 1)));
    }
    none(&breaches);
}

/// A table and an address stay on one line.
fn comments_are_wrapped() {
    let sources = sources();
    for &(member, most) in LONGER {
        let of_member = sources.iter().filter(|source| source.path.starts_with(member));
        let long: Vec<(usize, &str)> = of_member
            .map(|source| {
                let long = source.text.lines().filter(|line| is_long_comment(line));
                (long.count(), source.path.as_str())
            })
            .filter(|(count, _)| *count > 0)
            .collect();
        let all: usize = long.iter().map(|(count, _)| count).sum();
        assert!(
            all <= most,
            "{all} lines of comments have more than {MOST_COLUMNS} columns, {most} at most: {long:?}"
        );
    }
}

fn is_long_comment(line: &str) -> bool {
    let Some(text) = line.trim_start().strip_prefix("//") else { return false };
    let text = text.trim_start_matches(['/', '!']).trim_start();
    line.chars().count() > MOST_COLUMNS && !text.starts_with('|') && !text.contains("://")
}

/// The compiler leaves out what carries the attribute where the program has a main function of its
/// own.
fn no_test_is_dropped_silently() {
    // Written apart, so that this file is not found.
    let attribute = format!("#[{}]", "test");
    let mut breaches = Vec::new();
    for source in sources() {
        if LIST_THEIR_TESTS.iter().any(|directory| source.path.starts_with(directory))
            && source.text.lines().any(|line| line.trim() == attribute)
        {
            breaches.push(format!("{}: {attribute}; list it in trials! instead", source.path));
        }
    }
    none(&breaches);
}
