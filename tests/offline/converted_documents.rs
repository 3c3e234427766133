//! Files that `tracer convert` is given: hostile ones, and those of docs/convert.md.

use std::fs;
use std::path::Path;

use clap::Parser;
use tests::temporary_directory;
use tracer::cli::{Cli, Subcommand};
use tracer::command::workbench::convert::{Converted, converted};
use tracer::workbench::document::Document;

tests::trials! {
    hostile_files_are_refused_in_time,
    every_truncated_file_is_refused_or_is_shorter,
    the_page_shows_what_is_written,
}

fn error(text: &[u8]) -> String {
    match Document::read(text) {
        Ok(document) => panic!("{document:?}"),
        Err(error) => error.to_string(),
    }
}

const RESOURCE: &str = "apiVersion: security-profiles-operator.x-k8s.io/v1\nkind: SeccompProfile\n";

fn hostile_files_are_refused_in_time() {
    let resource = |rest: &str| error(format!("{RESOURCE}{rest}").as_bytes());
    let bomb: String = (1..40).fold("a0: &a0 [x]\n".to_owned(), |text, level| {
        let below = format!("*a{}", level - 1);
        format!("{text}a{level}: &a{level} [{below}, {below}, {below}]\n")
    });
    assert!(resource(&format!("spec:\n  x: 1\n{bomb}")).contains("anchors and aliases"));
    assert!(resource(&format!("spec: {}", "[".repeat(100_000))).contains("not YAML"));
    let nested = "- ".repeat(5_000);
    assert!(resource(&format!("spec:\n{nested}x\n")).contains("deeply"));
    assert!(resource("spec: 5\n").contains("an object"), "{}", resource("spec: 5\n"));
    assert!(resource("spec:\n  defaultAction: [x]\n").contains("text"));
    assert!(resource("spec:\n  defaultAction: SCMP_ACT_ALLOW\n  syscalls: x\n").contains("a list"));
    assert!(resource("spec:\n").contains("SeccompProfile"));
    assert!(error(b"[Service]\nExecStart=/bin/true\n").contains("without SystemCallFilter="));
    assert!(error(b"[Service]\nSystemCallFilter=@\n").contains("is no group"));
    assert!(error(b"[Service]\nSystemCallFilter=~a:\x1b[1m\n").contains("no error number"));
    assert!(!error(b"[Service]\nSystemCallFilter=~a:\x1b[1m\n").contains('\x1b'));
    assert!(error(b"[Service]\nSystemCallFilter=\xff\n").contains("not UTF-8"));
    for faulty in
        ["{\"linux\":{\"seccomp\":[]}}", "{\"linux\":{\"seccomp\":null}}", "[]", "{}", "1"]
    {
        assert!(!error(faulty.as_bytes()).is_empty(), "{faulty}");
    }
    // Long lines, many lines, and lines that never end.
    let long = format!("[Service]\nSystemCallFilter={}\n", "read @known ".repeat(80_000));
    let many = format!("[Service]\n{}", "SystemCallFilter=read ~write\n".repeat(30_000));
    let endless = format!("[Service]\nSystemCallFilter=read \\\n{}", "write \\\n".repeat(100_000));
    for text in [long, many, endless] {
        assert!(Document::read(text.as_bytes()).is_ok(), "{}", &text[..60]);
        assert!(error(text.repeat(2).as_bytes()).contains("no unit of systemd has"));
    }
}

fn every_truncated_file_is_refused_or_is_shorter() {
    let unit = "[Service]\nSystemCallFilter=@system-service\nSystemCallFilter=~@mount:EPERM\nSystemCallErrorNumber=ENOSYS\n";
    let resource = format!(
        "{RESOURCE}spec:\n  defaultAction: SCMP_ACT_ERRNO\n  syscalls:\n  - action: SCMP_ACT_ALLOW\n    names: [read]\n"
    );
    for text in [unit, &resource] {
        for end in 0..text.len() {
            if let Err(error) = Document::read(&text.as_bytes()[..end]) {
                assert!(!error.to_string().is_empty(), "{end}");
            }
        }
    }
}

/// The commands of the page, each with the lines that it shows.
fn shown(page: &str) -> Vec<(String, Vec<String>)> {
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    let mut open = false;
    for line in page.lines() {
        match line.strip_prefix("    ") {
            Some(line) if line.starts_with("$ tracer convert ") => {
                found.push((line[2..].to_owned(), Vec::new()));
                open = true;
            }
            Some(line) if open => {
                if let Some((_, lines)) = found.last_mut() {
                    lines.push(line.to_owned());
                }
            }
            _ => open &= line.is_empty(),
        }
    }
    found
}

/// What a person sees: notes and the text, or the error.
fn seen(words: &str, directory: &Path) -> String {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../");
    let words = words.split(' ').map(|word| match word {
        "nginx.service" => directory.join(word).to_str().expect("text").to_owned(),
        word if word.starts_with("profiles/") => format!("{root}{word}"),
        word => word.to_owned(),
    });
    let cli = Cli::try_parse_from(words).expect("it can be understood");
    let Some(Subcommand::Convert(options)) = cli.subcommand else { panic!("another command") };
    let text = match converted(&options) {
        Ok(Converted { text, notes, .. }) => {
            let notes: Vec<String> = notes.iter().map(|note| format!("{note}\n")).collect();
            format!("{}{text}", notes.concat())
        }
        Err(error) => format!("error: {error:#}\n"),
    };
    text.replace(root, "").replace(&format!("{}/", directory.display()), "")
}

fn the_page_shows_what_is_written() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/convert.md");
    let page = fs::read_to_string(page).expect("the page can be read");
    let directory = temporary_directory();
    let unit = "[Service]\nExecStart=/usr/sbin/nginx\nSystemCallFilter=@system-service\nSystemCallFilter=~@privileged\nSystemCallErrorNumber=EPERM\nSystemCallArchitectures=native\n";
    fs::write(directory.path().join("nginx.service"), unit).expect("a file can be written");
    for line in unit.lines() {
        assert!(page.contains(line), "the page shows the unit: {line}");
    }
    let shown = shown(&page);
    assert!(shown.len() >= 5, "the commands are found");
    for (command, lines) in shown {
        let seen = seen(&command, directory.path());
        let mut rest: Vec<&str> = seen.lines().map(str::trim_end).collect();
        for line in lines.iter().map(|line| line.trim_end()) {
            // Long lines are folded, and what is left out is marked.
            if line.ends_with("...") || line.is_empty() {
                continue;
            }
            let place = rest.iter().position(|other| *other == line);
            let place = place.unwrap_or_else(|| panic!("{command}\nshows: {line}\nof:\n{seen}"));
            rest.drain(..=place);
        }
    }
}
