//! The page about containers that do not start lists the messages of the table.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fmt::Write as _;
use std::fs;

use tracer::profile::base::OciRuntime;
use tracer::workbench::startup_error::table::{Stage, rows};
use tracer::workbench::startup_error::{needed, reason, says_little};

use crate::sources::workspace;
use crate::startup_errors::said_in_docs;

tests::trials! {
    the_page_has_the_messages,
}

/// The page, and what surrounds the list that is made of the table.
const PAGE: &str = "docs/container-does-not-start.md";
const MARKS: [&str; 2] = ["<!-- messages: begin -->\n", "<!-- messages: end -->"];

/// A message without its error number.
fn without_errno(message: &str) -> &str {
    let ends = [": function not implemented", ": operation not permitted"];
    let lower = message.to_lowercase();
    let end = ends.into_iter().find(|end| lower.ends_with(end)).unwrap_or_default();
    &message[..message.len() - end.len()]
}

/// The list of the page, made of the table.
fn list() -> String {
    let mut calls: BTreeMap<(OciRuntime, &str), BTreeMap<&str, BTreeSet<Stage>>> = BTreeMap::new();
    for row in rows().iter().filter(|row| !row.message.is_empty()) {
        let reason = reason(row.message);
        let alone = "(the error number alone)";
        let shown = if says_little(reason) { alone } else { without_errno(reason) };
        let of = calls.entry((row.runtime, shown)).or_default();
        of.entry(row.call).or_default().extend(&row.stages);
    }
    let mut text = String::new();
    let mut heading = None;
    // What names one call first.
    let mut calls: Vec<_> = calls.into_iter().collect();
    calls.sort_by_key(|((runtime, message), of)| (*runtime, of.len() > 1, *message));
    for ((runtime, message), of) in calls {
        if heading != Some(runtime) {
            text += if heading.is_some() { "\n" } else { "" };
            let _ = write!(
                text,
                "### {}\n\n| Message | While it | Calls |\n|---|---|---|\n",
                runtime.name()
            );
            heading = Some(runtime);
        }
        let stages: BTreeSet<_> = of.values().flatten().map(|stage| stage.name()).collect();
        let stages: Vec<_> =
            Stage::ALL.into_iter().map(Stage::name).filter(|name| stages.contains(name)).collect();
        let named: Vec<_> = of.keys().map(|call| named(runtime, call)).collect();
        let message = message.replace("``", "`").replace('|', "\\|");
        let _ =
            writeln!(text, "| `` {message} `` | {} | {} |", stages.join(", "), named.join(", "));
    }
    text
}

fn named(runtime: OciRuntime, name: &str) -> String {
    let call = runtime.base_set().calls.iter().find(|call| call.name == name);
    format!("`{name}`{}", call.map(needed).unwrap_or_default())
}

fn the_page_has_the_messages() {
    let path = workspace().join(PAGE);
    let page = fs::read_to_string(&path).expect("the page can be read");
    let parts = page.split_once(MARKS[0]).and_then(|(before, rest)| {
        let (between, after) = rest.split_once(MARKS[1])?;
        Some((before, between, after))
    });
    let (before, between, after) = parts.expect("the page has a place for the list");
    let wanted = format!("\n{}\n{}\n", said_in_docs(), list());
    if env::var_os("BLESS").is_some() {
        let text = [before, MARKS[0], &wanted, MARKS[1], after].concat();
        fs::write(&path, text).expect("the page can be written");
    } else {
        assert_eq!(between, wanted, "BLESS=1 writes it anew");
    }
}
