//! Each rule of lint by the examples of its page: what is shown as wrong is found, and what is
//! shown as right is what the correction makes.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use tracer::profile::capability::Capability;
use tracer::profile::oci::{self, ReadError};
use tracer::profile::policy::{Policy, RuleContext};
use tracer::workbench::lint::applying::apply;
use tracer::workbench::lint::consumer::Audience;
use tracer::workbench::lint::finding::{Safety, Severity};
use tracer::workbench::lint::fixing::{Extent, fix};
use tracer::workbench::lint::{lint, rules};

tests::trials! {
    every_rule_has_a_section,
    examples_show_their_rules,
    what_the_reader_refuses_is_an_error,
    safe_corrections_change_no_meaning,
    corrections_come_to_an_end,
}

/// Rules whose examples would be too long, or no text, or are of another file than a profile.
const WITHOUT_EXAMPLE: [&str; 11] = [
    "breaks-by-update",
    "decision-expired",
    "decision-not-followed",
    "decision-unknown-syscall",
    "decision-unused",
    "decisions-malformed",
    "does-not-start",
    "encoding",
    "filter-too-large",
    "may-not-start",
    "program-calls",
];

/// A section of the page.
struct Section {
    code: String,
    text: String,
    /// What is shown as wrong and as right.
    examples: Option<(String, String)>,
    audience: Audience,
}

fn sections() -> Vec<Section> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/lint.md");
    let page = fs::read_to_string(path).expect("the page of lint");
    let sections = page.split("\n#### ").skip(1).map(|section| {
        let section = section.split("\n### ").next().unwrap_or(section);
        let (code, text) = section.split_once('\n').expect("a heading");
        let mut blocks = text.split("```json\n").skip(1);
        let mut block = || Some(blocks.next()?.split_once("```")?.0.to_owned());
        let examples = block().zip(block());
        let audience =
            text.split("Before (with `--for ").nth(1).and_then(|rest| rest.split('`').next());
        let parts: Vec<String> =
            audience.unwrap_or_default().split(',').map(str::to_owned).collect();
        let audience = Audience::parse(&parts).expect("consumers");
        Section { code: code.to_owned(), text: text.to_owned(), examples, audience }
    });
    sections.collect()
}

fn every_rule_has_a_section() {
    let sections = sections();
    let described: Vec<&str> = sections.iter().map(|section| section.code.as_str()).collect();
    let described_once: BTreeSet<&str> = described.iter().copied().collect();
    assert_eq!(described.len(), described_once.len(), "each once");
    let known: BTreeSet<&str> = rules::all().into_iter().map(|rule| rule.code).collect();
    assert_eq!(known, described_once);
    for section in &sections {
        let rule = rules::all().into_iter().find(|rule| rule.code == section.code).expect("a rule");
        let words = section.text.split_whitespace().collect::<Vec<_>>().join(" ");
        let severity = format!("At most: {};", rule.severity.name());
        assert!(words.contains(&severity), "{}: {severity}", section.code);
        let is_without = WITHOUT_EXAMPLE.contains(&section.code.as_str());
        assert_eq!(section.examples.is_none(), is_without, "{}", section.code);
        let is_plain =
            |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '-';
        assert!(rule.code.chars().all(is_plain) && !rule.summary.ends_with('.'), "{}", rule.code);
    }
}

fn examples_show_their_rules() {
    for Section { code, text, examples, audience } in sections() {
        let Some((before, after)) = examples else { continue };
        let found = |text: &str| {
            let findings = lint(text.as_bytes(), &audience).findings;
            findings.into_iter().filter(|finding| finding.rule.code == code).collect::<Vec<_>>()
        };
        assert!(!found(&before).is_empty(), "{code} is not found in what is shown as wrong");
        assert!(found(&after).is_empty(), "{code} is found in what is shown as right");
        let safety = found(&before).iter().find_map(|it| it.fix.as_ref().map(|fix| fix.safety));
        let said = match safety {
            Some(Safety::Safe) => "`--fix` corrects it",
            Some(Safety::Guess) => "`--fix=all` corrects it",
            None => "no correction",
        };
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains(said), "{code}: {said}");
        let mut corrected = before;
        while safety.is_some() {
            let (next, applied) = apply(&corrected, &found(&corrected), |_| true);
            if applied.is_empty() {
                break;
            }
            corrected = next;
        }
        if safety.is_some() {
            assert_eq!(corrected, after, "{code}");
        }
    }
}

fn examples() -> impl Iterator<Item = String> {
    sections().into_iter().filter_map(|section| section.examples).flat_map(|(one, two)| [one, two])
}

fn what_the_reader_refuses_is_an_error() {
    for text in examples() {
        if let Err(ReadError::Invalid(errors)) = oci::read(text.as_bytes()) {
            let report = lint(text.as_bytes(), &Audience::default());
            for error in errors {
                let named = report.findings.iter().any(|finding| {
                    finding.severity >= Severity::Warning && finding.path == error.path
                });
                assert!(named, "{error}\n{text}{:?}", report.findings);
            }
        }
    }
}

fn safe_corrections_change_no_meaning() {
    let context = RuleContext { capabilities: Capability::dockers().collect(), kernel: (7, 0) };
    let policy = |text: &str| {
        let profile = oci::read(text.as_bytes()).ok()?;
        Policy::new(&profile, &context).ok()
    };
    // A value that no comparison reads is no part of the meaning.
    let examples = examples().filter(|text| !text.contains("\"valueTwo\": 2,"));
    for text in examples {
        let Some(before) = policy(&text) else { continue };
        let fixed = fix(text.as_bytes(), &Audience::default(), Extent::Safe);
        let Some(fixed) = fixed else { continue };
        let after = policy(&fixed.text).unwrap_or_else(|| panic!("refused: {}", fixed.text));
        assert_eq!(after, before, "{text}{}", fixed.text);
    }
}

fn corrections_come_to_an_end() {
    for text in examples() {
        for extent in [Extent::Safe, Extent::All] {
            let Some(fixed) = fix(text.as_bytes(), &Audience::default(), extent) else { continue };
            let again = fix(fixed.text.as_bytes(), &Audience::default(), extent);
            assert_eq!(again, None, "{text}");
        }
    }
}
