//! The README and the other documents: every page is named, every link leads somewhere, and the
//! tables of the README say what the program does.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use clap::{Command, CommandFactory};
use serde_json::Value;
use tests::temporary_directory;
use tests::typed::{pages, workspace};
use tracer::cli::Cli;
use tracer::recording::json::to_json;

use crate::program::tracer;
use crate::recordings::web_server;

tests::trials! {
    every_page_is_in_the_readme,
    every_link_leads_somewhere,
    the_table_of_exit_codes_is_that_of_the_help,
    every_reason_of_an_incomplete_result_is_in_the_readme,
}

fn text(page: &str) -> String {
    fs::read_to_string(workspace().join(page)).unwrap_or_else(|error| panic!("{page}: {error}"))
}

/// The part of the README below a heading.
fn section(heading: &str) -> String {
    let readme = text("README.md");
    let (_, rest) = readme.split_once(&format!("\n## {heading}\n")).expect("the heading is there");
    rest.split("\n## ").next().unwrap_or_default().to_owned()
}

/// The cells of the rows of a table, without its head.
fn rows(text: &str) -> Vec<Vec<String>> {
    let rows = text.lines().filter(|line| line.starts_with('|')).skip(2);
    let cells =
        |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    rows.map(cells).collect()
}

fn every_page_is_in_the_readme() {
    let readme = text("README.md");
    let missing: Vec<String> = pages()
        .into_iter()
        .filter(|page| page != "README.md" && !readme.contains(&format!("| [{page}]({page}) |")))
        .collect();
    assert!(missing.is_empty(), "no line of the README's list of pages: {missing:?}");
}

/// The targets of the links of a text.
fn links(text: &str) -> Vec<String> {
    let from = text.split("](").skip(1);
    let targets = from.filter_map(|rest| rest.split_once(')').map(|(target, _)| target));
    let local =
        targets.filter(|target| !target.contains("://") && !target.contains(char::is_whitespace));
    local.map(str::to_owned).collect()
}

/// The names by which headings are linked to, as public forges make them.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let anchor = |line: &str| {
        let kept = |letter: &char| letter.is_alphanumeric() || " -_".contains(*letter);
        let title = line.trim_start_matches('#').trim().to_lowercase();
        title.chars().filter(kept).collect::<String>().replace(' ', "-")
    };
    headings.map(anchor).collect()
}

fn every_link_leads_somewhere() {
    let mut broken = Vec::new();
    let mut count = 0;
    for page in pages() {
        let own = text(&page);
        let directory = workspace().join(&page);
        let directory = directory.parent().expect("a page is in a directory");
        for link in links(&own) {
            count += 1;
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let place = directory.join(file);
            let there = file.is_empty() || place.exists();
            let is_page = file.is_empty() || file.ends_with(".md");
            let linked = if file.is_empty() {
                own.clone()
            } else {
                fs::read_to_string(&place).unwrap_or_default()
            };
            if !there || (is_page && !anchor.is_empty() && !anchors(&linked).contains(anchor)) {
                broken.push(format!("{page}: {link}"));
            }
        }
    }
    assert!(count > 100, "the links are found: {count}");
    assert!(broken.is_empty(), "{broken:#?}");
}

/// The codes that the help of a command names; None when it names none.
fn codes(command: &Command) -> Option<BTreeSet<i32>> {
    let help = command.get_after_help()?.to_string();
    let (_, list) = help.split_once("Exit status:")?;
    let code = |part: &str| part.trim().split(' ').next()?.trim_end_matches(':').parse().ok();
    Some(list.split(['\n', ';']).filter_map(code).collect())
}

fn the_table_of_exit_codes_is_that_of_the_help() {
    let mut root = Cli::command();
    root.build();
    let commands = root.get_subcommands().filter(|command| !command.is_hide_set());
    let mut of_help: BTreeMap<String, Option<BTreeSet<i32>>> = commands
        .filter(|command| command.get_name() != "help")
        .map(|command| (command.get_name().to_owned(), codes(command)))
        .collect();
    of_help.insert("a recording".to_owned(), codes(&root));
    let section = section("Exit status");
    let mut found = BTreeSet::new();
    for row in rows(&section) {
        let written: BTreeSet<i32> = [0, 1, 3, 4, 5]
            .into_iter()
            .zip(&row[1..])
            .filter(|(_, cell)| !cell.is_empty())
            .map(|(code, _)| code)
            .collect();
        for name in row[0].split(", ").map(|name| name.trim_matches('`')) {
            let Some(codes) = of_help.get(name) else { panic!("no command {name}") };
            found.insert(name.to_owned());
            let Some(codes) = codes else { continue };
            let of_row = |code: &&i32| **code != 2 && **code < 125;
            let codes: BTreeSet<i32> = codes.iter().filter(of_row).copied().collect();
            assert_eq!(written, codes, "{name}");
        }
    }
    let commands: BTreeSet<String> = of_help.into_keys().collect();
    assert_eq!(found, commands, "each command has its row");
}

/// Every loss of the schema, in a recording of its own: `tracer profile` prints its reason.
fn every_reason_of_an_incomplete_result_is_in_the_readme() {
    let schema: Value = serde_json::from_str(&text("docs/recording.schema.json")).expect("JSON");
    let losses = schema["$defs"]["losses"]["properties"].as_object().expect("the losses");
    let section = section("It says incomplete");
    let mut unused: BTreeSet<String> =
        rows(&section).into_iter().map(|mut row| row.swap_remove(0)).collect();
    let beginnings = unused.clone();
    for loss in losses.keys() {
        let directory = temporary_directory();
        let mut recording: Value = serde_json::from_str(&to_json(&web_server())).expect("JSON");
        recording["losses"][loss] = 1.into();
        let path = directory.path().join("one.recording.json");
        fs::write(path, recording.to_string()).expect("written");
        let run = tracer(directory.path(), &["profile", "one.recording.json", "-o", "p.json"]);
        assert_eq!(run.code, Some(3), "{loss}: {}", run.stderr);
        let reason = run.stderr.lines().find_map(|line| line.strip_prefix("incomplete: "));
        let reason = reason.unwrap_or_else(|| panic!("{loss}: no reason in\n{}", run.stderr));
        let beginning = beginnings.iter().find(|beginning| reason.starts_with(beginning.as_str()));
        let beginning = beginning.unwrap_or_else(|| panic!("the README lacks {loss}: {reason}"));
        unused.remove(beginning);
    }
    assert!(unused.is_empty(), "nothing says this any more: {unused:?}");
}
