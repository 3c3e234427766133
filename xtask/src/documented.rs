//! What the documents say to type after `cargo xtask` is understood.

use std::{fs, path::Path};

use clap::Parser as _;

use crate::Arguments;

/// Documents besides those of `docs`.
const PAGES: [&str; 4] = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "profiles/README.md"];

/// What is typed after `cargo xtask` in a document: in lines that are indented, and in code spans.
fn typed(text: &str) -> Vec<&str> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("    "));
    let spans = text.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
    let typed = lines.chain(spans).filter_map(|line| line.strip_prefix("cargo xtask "));
    let typed = typed.map(|line| line.split("  #").next().unwrap_or_default().trim());
    typed.filter(|line| !is_form(line)).collect()
}

/// A word of it stands for what is typed there.
fn is_form(line: &str) -> bool {
    let stands_for = |word: &str| word.bytes().all(|byte| byte.is_ascii_uppercase());
    line.contains('[') || line.split(' ').any(stands_for)
}

#[test]
fn every_line_is_understood() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let docs = fs::read_dir(root.join("docs")).expect("the documents are there");
    let docs = docs.map(|entry| entry.expect("an entry").path());
    let docs = docs.filter(|path| path.extension().is_some_and(|kind| kind == "md"));
    let mut count = 0;
    for page in PAGES.map(|page| root.join(page)).into_iter().chain(docs) {
        let text = fs::read_to_string(&page).expect("a document is text");
        for line in typed(&text) {
            count += 1;
            let words = ["cargo xtask"].into_iter().chain(line.split(' '));
            if let Err(error) = Arguments::try_parse_from(words) {
                panic!("{}: cargo xtask {line}: {error}", page.display());
            }
        }
    }
    assert!(count > 20, "the lines are found: {count}");
}
