//! The rules of the house that no compiler checks.

use std::fs;

use crate::sources::{files, sources, sources_of_the_program, workspace};

tests::trials! {
    pure_modules_do_no_input_or_output_and_know_no_kernel,
    no_layer_names_one_above_it,
    only_the_kernel_module_knows_aya,
    few_modules_know_json,
    nothing_below_the_commands_reads_the_environment,
    source_files_are_short,
    every_source_file_says_what_it_is,
    every_member_opts_in_to_the_lints,
    nothing_unfinished_is_left,
    no_test_is_dropped_silently,
    unsafe_code_lives_where_it_is_expected,
    no_path_of_a_build_machine_is_in_a_file,
}

/// The most lines of a source file, its unit tests not counted.
const MOST_LINES: usize = 450;
/// The most lines of the program's `main.rs`.
const MOST_LINES_OF_MAIN: usize = 29;

/// Modules of plain data and judgement: no input or output, no clock, nothing of the kernel.
const PURE: &[&str] = &["audit", "encoding", "profile", "recording", "syscalls", "text"];
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
/// The only files that know `serde_json`: those of `recording::json` and `profile::oci`, the one that reads the API
/// server's answers, and the one that reads Podman's files.
const KNOW_JSON: &[&str] = &[
    "recording/json.rs",
    "profile/oci/amend.rs",
    "profile/oci/mod.rs",
    "profile/oci/write.rs",
    "target/cluster/objects.rs",
    "target/runtime/storage.rs",
];
/// Test programs that list their tests themselves (`harness = false`).
const LIST_THEIR_TESTS: &[&str] =
    &["tests/cluster/", "tests/kernel/", "tests/offline/", "tests/runtimes/", "tests/vm/"];
/// Modules that may read the environment: what was typed and who typed it.
const KNOW_ENVIRONMENT: &[&str] = &["command", "main", "cli"];
/// Folders whose code may be unsafe.
const MAY_BE_UNSAFE: &[&str] = &["tracer/src/kernel/", "tracer-ebpf/", "tests/fixtures/"];

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
            if is_below(&path, "std::env") || path.starts_with("env::") {
                breaches.push(format!("{}: names {path}", source.path));
            }
        }
    }
    none(&breaches);
}

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

/// The compiler leaves out what carries the attribute where the program has a main function of its own.
fn no_test_is_dropped_silently() {
    // Written apart, so that this file is not found.
    let attribute = format!("#[{}]", "test");
    let mut breaches = Vec::new();
    for source in sources() {
        if LIST_THEIR_TESTS.iter().any(|folder| source.path.starts_with(folder))
            && source.text.lines().any(|line| line.trim() == attribute)
        {
            breaches.push(format!("{}: {attribute}; list it in trials! instead", source.path));
        }
    }
    none(&breaches);
}
