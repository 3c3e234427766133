//! What messages advise can be done: an option that is named is one of the command that says so, or
//! of the one that is named with it.

use std::collections::{BTreeMap, BTreeSet};

use clap::{Command, CommandFactory};
use tracer::cli::Cli;

use crate::sources::sources_of_the_program;

tests::trials! {
    no_message_names_an_option_that_the_command_does_not_have,
    the_options_of_a_text_are_found_with_their_command,
}

/// The recording, which is no subcommand.
const RECORD: &str = "tracer";

/// Who prints the texts of a file, or of a directory: the longest beginning counts. What is not
/// here names no option.
const PRINTED_BY: &[(&str, &[&str])] = &[
    ("bpf/", &[RECORD, "verify"]),
    ("cli/", &[RECORD]),
    ("cli/convert.rs", &["convert"]),
    ("cli/enforce.rs", &["enforce"]),
    ("cli/lint.rs", &["lint"]),
    ("cli/shell.rs", &["completions", "man-pages"]),
    ("cli/verify.rs", &["verify"]),
    ("cli/workbench.rs", &["diff"]),
    ("command/account.rs", &[RECORD, "verify"]),
    ("command/arguments.rs", &[RECORD, "profile"]),
    ("command/brought.rs", &["profile"]),
    ("command/capabilities.rs", &["enforce", "verify"]),
    ("command/check.rs", &["check"]),
    ("command/cluster.rs", &[RECORD, "verify"]),
    ("command/decisions/", &[RECORD, "profile", "lint", "diff", "explain", "review"]),
    ("command/derivation.rs", &[RECORD, "profile"]),
    ("command/derived.rs", &[RECORD, "profile"]),
    ("command/enforce.rs", &["enforce"]),
    ("command/events.rs", &[RECORD, "verify"]),
    ("command/excluded.rs", &[RECORD, "profile"]),
    ("command/filtered.rs", &[RECORD]),
    ("command/late.rs", &[RECORD, "profile"]),
    ("command/layout.rs", &[RECORD, "profile"]),
    ("command/lint.rs", &["lint"]),
    ("command/list.rs", &["list"]),
    ("command/outputs.rs", &[RECORD, "profile"]),
    ("command/privileges.rs", &["enforce", "verify"]),
    ("command/profile.rs", &["profile"]),
    ("command/profile_file.rs", &["enforce", "verify"]),
    ("command/next.rs", &[RECORD]),
    ("command/record.rs", &[RECORD]),
    ("command/refused.rs", &[RECORD, "profile"]),
    ("command/rescue.rs", &[RECORD]),
    ("command/session_config.rs", &[RECORD, "verify"]),
    ("command/sockets.rs", &[RECORD, "list", "verify"]),
    ("command/summary.rs", &[RECORD, "profile"]),
    ("command/targets.rs", &[RECORD, "verify"]),
    ("command/verify.rs", &["verify"]),
    ("command/verify_report.rs", &["verify"]),
    ("command/workbench/decode.rs", &["decode"]),
    ("command/workbench/diff.rs", &["diff"]),
    ("command/workbench/follow.rs", &["decode"]),
    ("command/workbench/logged.rs", &["decode"]),
    ("command/workbench/explain.rs", &["explain"]),
    ("command/workbench/report.rs", &["report"]),
    ("command/workbench/review/", &["review"]),
    ("workbench/decode/", &["decode"]),
    ("command/workbench/", &["convert", "diff", "explain"]),
    ("command/workbench/convert.rs", &["convert"]),
    ("workbench/convert/", &["convert"]),
    ("workbench/diff/", &["diff"]),
    ("workbench/explain/", &["explain"]),
    ("workbench/lint/", &["lint"]),
    ("live.rs", &[RECORD, "verify"]),
    ("output/", &[RECORD, "profile", "verify"]),
    // Where the kubelet looks for profiles is asked by these two only.
    ("output/error.rs", &[RECORD, "profile"]),
    ("output/installation.rs", &[RECORD, "profile"]),
    ("output/single.rs", &["convert", "report"]),
    ("output/stream.rs", &[RECORD, "verify"]),
    // Where a profile is placed; `verify` places what it amends.
    ("output/directory.rs", &[RECORD, "profile"]),
    ("output/destination.rs", &[RECORD, "profile"]),
    ("preflight/", &[RECORD, "verify"]),
    ("profile/", &["verify"]),
    ("recording/", &[RECORD, "profile", "verify"]),
    ("session", &[RECORD, "verify"]),
    ("target/", &[RECORD, "verify"]),
];

/// Options of other programs: of container engines, of the kubelet, and of auditd.
const FOREIGN: &[&str] = &[
    "--cap-add",
    "--cgroupns",
    "--namespace",
    "--patch-file",
    "--pid",
    "--raw",
    "--root-dir",
    "--security-opt",
    "--volume",
];

/// Said to those who typed the option.
const TYPED: &[(&str, &str)] = &[("command/layout.rs", "--all-containers")];

/// The options of each command, by its name.
fn options() -> BTreeMap<String, BTreeSet<String>> {
    let of = |command: &Command| {
        let long = command.get_arguments().filter_map(|argument| argument.get_long());
        long.map(|name| format!("--{name}")).collect::<BTreeSet<_>>()
    };
    let mut whole = Cli::command();
    whole.build();
    let below = whole.get_subcommands().map(|command| (command.get_name().to_owned(), of(command)));
    let mut found: BTreeMap<_, _> = below.collect();
    found.insert(RECORD.to_owned(), of(&whole));
    found
}

/// The texts of a source file.
fn literals(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut chars = code.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            // A character, or a lifetime.
            '\'' => {
                let escaped = chars.next_if_eq(&'\\').is_some();
                let one = chars.next();
                if escaped || one.is_some() && chars.peek() == Some(&'\'') {
                    chars.by_ref().find(|char| *char == '\'');
                }
            }
            '"' => {
                let mut text = String::new();
                while let Some(char) = chars.next().filter(|char| *char != '"') {
                    match char {
                        '\\' => match chars.next() {
                            Some('n') => text.push('\n'),
                            // The line goes on in the next one.
                            Some('\n') => while chars.next_if(|char| *char == ' ').is_some() {},
                            other => text.extend(other),
                        },
                        char => text.push(char),
                    }
                }
                found.push(text);
            }
            _ => {}
        }
    }
    found
}

/// The options that a text names, each with the command that it says it is one of: `tracer COMMAND`
/// before it in the same clause and the same quotes, or what is to be recorded.
fn named(text: &str, commands: &BTreeSet<&str>) -> Vec<(String, Option<String>)> {
    let is_of_a_name = |char: char| char.is_ascii_lowercase() || char == '-';
    let is_word = |char: char| !(char.is_alphanumeric() || char == '-');
    let mut found = Vec::new();
    for clause in text.split(['\n', ';']) {
        for (at, _) in clause.match_indices("--") {
            let before = &clause[..at];
            let name: String =
                clause[at..].chars().take_while(|char| is_of_a_name(*char)).collect();
            if name.len() <= 3 || before.ends_with(|char: char| !is_word(char)) {
                continue;
            }
            let quotes: Vec<&str> = before.split('`').collect();
            let quoted = quotes.len().is_multiple_of(2);
            let reach = quotes.iter().enumerate().filter(|(place, _)| match quoted {
                true => place + 1 == quotes.len(),
                false => place.is_multiple_of(2),
            });
            let words: Vec<&str> = reach
                .flat_map(|(_, part)| part.split(is_word))
                .filter(|word| !word.is_empty())
                .collect();
            let command = words.windows(2).rev().find_map(|pair| match pair {
                ["tracer", word] if commands.contains(word) => Some((*word).to_owned()),
                _ => None,
            });
            let recorded = || words.contains(&"record").then(|| RECORD.to_owned());
            found.push((name, command.or_else(recorded)));
        }
    }
    found
}

fn printed_by(path: &str) -> Option<&'static [&'static str]> {
    let known = PRINTED_BY.iter().filter(|(beginning, _)| path.starts_with(beginning));
    known.max_by_key(|(beginning, _)| beginning.len()).map(|(_, commands)| *commands)
}

fn no_message_names_an_option_that_the_command_does_not_have() {
    let options = options();
    let commands: BTreeSet<&str> = options.keys().map(String::as_str).collect();
    let (mut breaches, mut looked_at) = (Vec::new(), 0);
    for source in sources_of_the_program() {
        let path = source.path.trim_start_matches("tracer/src/");
        if path == "cli.rs" {
            continue;
        }
        for text in literals(&source.code) {
            for (option, command) in named(&text, &commands) {
                looked_at += 1;
                if FOREIGN.contains(&option.as_str()) || TYPED.contains(&(path, option.as_str())) {
                    continue;
                }
                let commands: Vec<&str> = match (&command, printed_by(path)) {
                    (Some(command), _) => vec![command.as_str()],
                    (None, Some(commands)) => commands.to_vec(),
                    (None, None) => {
                        breaches.push(format!("{path}: who says {text:?}?"));
                        continue;
                    }
                };
                for command in commands {
                    if !options.get(command).is_some_and(|known| known.contains(&option)) {
                        breaches.push(format!("{path}: {command} has no {option}: {text:?}"));
                    }
                }
            }
        }
    }
    assert!(looked_at > 40, "the texts are found: {looked_at}");
    assert!(breaches.is_empty(), "{} breaches:\n{}", breaches.len(), breaches.join("\n"));
}

fn the_options_of_a_text_are_found_with_their_command() {
    let code = "let a = \"hint: --wait awaits it\"; let b = '\"'; let c = \"x \\\n   --out\"; fn d<'a>() {}";
    assert_eq!(literals(code), ["hint: --wait awaits it", "x --out"]);
    let commands = BTreeSet::from(["profile", "list"]);
    let named = |text| named(text, &commands);
    let option = |name: &str, command: Option<&str>| (name.to_owned(), command.map(str::to_owned));
    assert_eq!(named("hint: --wait awaits it"), [option("--wait", None)]);
    assert_eq!(
        named("`tracer profile A --out B` reads it (--quiet)"),
        [option("--out", Some("profile")), option("--quiet", None)]
    );
    assert_eq!(
        named("run tracer on --it, tracer list --json; --so"),
        [option("--it", None), option("--json", Some("list")), option("--so", None),]
    );
    assert_eq!(named("lost\nrecord again (--denied)"), [option("--denied", Some(RECORD))]);
    assert_eq!(named("a---b, a -- b"), []);
}
