//! What is tried: each reader, with what is done to what it has read. A reader that panics, that
//! answers with what a terminal obeys, or that takes too much memory or time, is broken.

use std::slice;

use tracer::profile::defaults::DefaultsEngine;
use tracer::profile::policy::{Policy, RuleContext};
use tracer::profile::{Profile, ProfileOptions, filter, oci};
use tracer::recording::json;
use tracer::recording::merge::merge;
use tracer::syscalls::Abi;
use tracer::target::TargetSpec;
use tracer::target::selector::Selector;
use tracer::workbench::decisions::{self, Choice, DecisionsError, NewDecision};
use tracer::workbench::decode::found::Asked;
use tracer::workbench::decode::{decode, render};
use tracer::workbench::document::Document;
use tracer::workbench::lint::LintReport;
use tracer::workbench::lint::consumer::Audience;
use tracer::workbench::lint::finding::Finding;
use tracer::workbench::lint::fixing::{Extent, fix};
use tracer::workbench::lint::lint;
use tracer::workbench::lint::report::{self, LintedFile};
use tracer::workbench::lint::rules;
use tracer::workbench::startup_error::{Recognised, recognise};

/// A reader.
#[derive(Debug)]
pub struct Target {
    /// Its name, which is that of its corpus as well.
    pub name: &'static str,
    /// Directories of other tests, below the package, whose files it is given too.
    pub borrowed: &'static [&'static str],
    /// Reads an input; what the reader answered.
    pub run: fn(&[u8]) -> String,
}

/// The readers.
pub static TARGETS: [Target; 6] = [
    Target {
        name: "profile",
        borrowed: &["../profiles", "../profiles/learned", "offline/golden/convert"],
        run: profile,
    },
    Target { name: "recording", borrowed: &[], run: recording },
    Target { name: "log", borrowed: &["offline/texts"], run: log },
    Target {
        name: "startup-error",
        borrowed: &["offline/golden/startup-errors"],
        run: startup_error,
    },
    Target { name: "target", borrowed: &[], run: target },
    Target { name: "decisions", borrowed: &[], run: decisions },
];

/// A text that is shown to people: no character in it is one that a terminal obeys.
fn shown(text: &str) {
    let obeyed = text.chars().find(|char| char.is_control() && *char != '\n');
    assert_eq!(obeyed, None, "in {text:?}");
}

fn profile(input: &[u8]) -> String {
    let report = lint(input, &Audience::default());
    let text = String::from_utf8_lossy(input);
    let linted = LintedFile { name: "profile.json", text: &text, report: &report };
    shown(&report::text::write(&linted, 80));
    if let Some(fixed) = fix(input, &Audience::default(), Extent::All) {
        assert!(!fixed.changes.is_empty());
    }
    if let Err(error) = oci::read(input) {
        shown(&error.to_string());
    }
    let profile = match Document::read(input) {
        Ok(Document::Profile { profile, .. }) => profile,
        Ok(Document::Recording(_)) => return "a recording".to_owned(),
        Err(error) => {
            shown(&error.to_string());
            return error.to_string();
        }
    };
    oci::sentences(&profile.remarks).iter().for_each(|sentence| shown(sentence));
    match Policy::new(&profile, &RuleContext::default()) {
        Ok(policy) => match filter::compile(&policy) {
            Ok(_) => format!("a filter, {} remarks", profile.remarks.len()),
            Err(error) => error.to_string(),
        },
        Err(error) => {
            shown(&error.to_string());
            error.to_string()
        }
    }
}

fn recording(input: &[u8]) -> String {
    let read = match json::from_json(input) {
        Ok(read) => read,
        Err(error) => {
            shown(&error.to_string());
            return error.to_string();
        }
    };
    let again = json::from_json(json::to_json(&read).as_bytes());
    assert_eq!(again.as_ref(), Ok(&read), "what is written is read back");
    let twice = merge(&[read.clone(), read.clone()], false).expect("two recordings");
    let again = json::from_json(json::to_json(&twice).as_bytes());
    assert!(again.is_ok(), "what is merged can be read: {again:?}");
    match Profile::derive(slice::from_ref(&read), &ProfileOptions::default()) {
        Ok(derivation) => {
            let written = oci::write(&derivation.profile);
            assert!(oci::read(written.as_bytes()).is_ok(), "what is derived can be read");
            format!("a profile, complete: {}", read.complete)
        }
        Err(error) => error.to_string(),
    }
}

fn log(input: &[u8]) -> String {
    let profile = DefaultsEngine::Docker.default_profile().policy();
    let asked = Asked { abi: Abi::X86_64, profile: Some(profile), commands: &[] };
    let decoded = decode(input, asked);
    for width in [1, 40, 200] {
        shown(&render::text(&decoded, Some("docker-default"), width));
    }
    let actions = decoded.calls.iter().filter_map(|call| Some(call.action?.to_string()));
    let actions: Vec<String> = actions.take(4).collect();
    format!("{} {} {}", decoded.complete, actions.join(" "), decoded.remarks.join(" "))
}

fn startup_error(input: &[u8]) -> String {
    let text = String::from_utf8_lossy(input);
    let mut said = String::new();
    for line in text.lines() {
        if let Some(Recognised::Failure(failure)) = recognise(line) {
            let policy = DefaultsEngine::Docker.default_profile().policy();
            for candidates in [failure.left_by(None), failure.left_by(Some(policy))] {
                failure.sentences(&candidates).iter().for_each(|sentence| shown(sentence));
            }
            said.push_str(&failure.reason);
        }
    }
    said
}

fn target(input: &[u8]) -> String {
    let text = String::from_utf8_lossy(input);
    let mut said = String::new();
    for line in text.lines() {
        let selector: Result<Selector, _> = line.parse();
        if let Err(error) = &selector {
            shown(&error.to_string());
        }
        match line.parse::<TargetSpec>() {
            Ok(spec) => {
                assert!(!spec.meanings.is_empty() && spec.text == line);
                let of_user = spec.clone().also_of_user(1000);
                assert!(of_user.meanings.len() >= spec.meanings.len());
                if let Ok(selector) = &selector
                    && let Err(error) = spec.narrowed(selector)
                {
                    shown(&error.to_string());
                }
                said.push_str("a target ");
            }
            Err(error) => {
                shown(&error.to_string());
                said.push_str(&error.to_string());
            }
        }
    }
    said
}

fn decisions(input: &[u8]) -> String {
    let text = String::from_utf8_lossy(input);
    let reported = |findings: Vec<Finding>| {
        let report = LintReport { findings };
        let linted = LintedFile { name: "tracer.toml", text: &text, report: &report };
        shown(&report::text::write(&linted, 80));
    };
    let refused = |error: &DecisionsError| {
        shown(&error.to_string());
        assert!(!error.problem.remedy().is_empty());
        error.problem.to_string()
    };
    let read = match decisions::read(input) {
        Ok(read) => read,
        Err(error) => {
            reported(vec![rules::decisions::malformed(&error)]);
            return refused(&error);
        }
    };
    let today = decisions::parse_date("2026-05-01").expect("a day");
    reported(rules::decisions::check(&read, today, &[]));
    let counting = read.in_force(today);
    for (name, decision) in &counting {
        shown(&decision.about(name).sentence());
    }
    // An answer of `tracer review`, which asks about what is undecided, is written into whatever
    // can be read, and is read back.
    let is_decided = read.of("bpf", today).is_some();
    for choice in Choice::ALL.into_iter().filter(|_| !is_decided) {
        let new =
            NewDecision { choice, syscall: "bpf", because: "a \u{1b} \"reason\"", until: None };
        match decisions::add(&text, &new) {
            Ok(written) => {
                let again = decisions::read(written.as_bytes()).expect("what is written is read");
                let about = again.about("bpf", today).expect("it is decided");
                assert_eq!((about.choice, about.because.as_str()), (choice, new.because));
            }
            Err(error) => drop(refused(&error)),
        }
    }
    format!("{} decisions, {} count", read.entries.len(), counting.len())
}
