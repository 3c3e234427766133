//! One name, one type: a reader who meets a public name knows what it means.

use std::collections::BTreeMap;

use crate::sources::{Source, sources_of_the_program};

tests::trials! {
    public_types_are_seen_whatever_their_visibility,
    a_name_of_two_public_types_is_a_breach,
    no_two_public_types_of_the_program_bear_one_name,
}

/// What declares a type.
const KEYWORDS: &[&str] = &["enum", "struct", "trait", "type", "union"];

/// The name of the type that a line declares for others than its own module.
fn public_type(line: &str) -> Option<&str> {
    let rest = line.trim_start().strip_prefix("pub")?;
    let rest = match rest.strip_prefix('(') {
        Some(visibility) => visibility.split_once(')')?.1,
        None => rest,
    };
    let rest = rest.strip_prefix(' ')?;
    let (keyword, rest) = rest.strip_prefix("unsafe ").unwrap_or(rest).split_once(' ')?;
    let name = rest.split(|char: char| !(char.is_alphanumeric() || char == '_')).next()?;
    KEYWORDS.contains(&keyword).then_some(name)
}

/// The names that several public types of these files bear, with where they do.
fn shared_names(sources: &[Source]) -> Vec<String> {
    let mut declared: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for source in sources {
        for name in source.code.lines().filter_map(public_type) {
            declared.entry(name).or_default().push(&source.path);
        }
    }
    let shared = declared.into_iter().filter(|(_, paths)| paths.len() > 1);
    shared.map(|(name, paths)| format!("{name}: {}", paths.join(", "))).collect()
}

fn public_types_are_seen_whatever_their_visibility() {
    for (line, name) in [
        ("pub struct Call {", Some("Call")),
        ("    pub(super) enum Event<'a> {", Some("Event")),
        ("pub(crate) trait Runtime: Send {", Some("Runtime")),
        ("pub(in crate::target) unsafe trait Placed {", Some("Placed")),
        ("pub type Labels = BTreeMap<String, String>;", Some("Labels")),
        ("pub(super) struct Denied(u16);", Some("Denied")),
        ("struct Call {", None),
        ("pub fn type_of(call: Call) -> Type {", None),
        ("pub use model::Call;", None),
        ("public struct Call", None),
    ] {
        assert_eq!(public_type(line), name, "{line}");
    }
}

fn a_name_of_two_public_types_is_a_breach() {
    let source = |path: &str, text: &str| Source::new(path.to_owned(), text.to_owned());
    let sources = [
        source("tracer/src/audit.rs", "/// A line.\npub enum Line {}\nstruct Part;"),
        source("tracer/src/live.rs", "pub(super) struct Line<'a>(&'a str);\npub struct Part;"),
        source("tracer/src/text.rs", "pub use crate::audit::Line;\npub type Lines = Vec<String>;"),
    ];
    assert_eq!(shared_names(&sources), ["Line: tracer/src/audit.rs, tracer/src/live.rs"]);
}

fn no_two_public_types_of_the_program_bear_one_name() {
    let shared = shared_names(&sources_of_the_program());
    assert!(shared.is_empty(), "{} shared names:\n{}", shared.len(), shared.join("\n"));
}
