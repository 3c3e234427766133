//! What was found, for people and for programs.

use std::collections::BTreeSet;
use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::Value;
use tracer::json;
use tracer::workbench::lint::report::{self, LintedFile};
use tracer::workbench::lint::{LintReport, lint};

use crate::lint::{NOTE_CUSTOM, PODMAN, everybody};

tests::trials! {
    the_text_fits_its_columns,
    sarif_has_what_the_standard_asks_for,
    json_holds_places_and_corrections,
    github_reads_one_line_for_each_finding,
    hostile_text_reaches_no_terminal,
    a_flood_is_counted,
}

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/offline/golden/lint");

fn text_report(text: &str, columns: usize) -> String {
    let report = lint(text.as_bytes(), &everybody());
    report::text::write(&LintedFile { name: "custom.json", text, report: &report }, columns)
}

fn the_text_fits_its_columns() {
    for (name, text) in [("note", NOTE_CUSTOM), ("podman", PODMAN)] {
        for columns in [40, 80, 200] {
            let shown = text_report(text, columns);
            let path = Path::new(GOLDEN).join(format!("{name}.{columns}.txt"));
            if env::var_os("BLESS").is_some() {
                fs::create_dir_all(GOLDEN).expect("the directory of golden files can be made");
                fs::write(&path, &shown).expect("a golden file can be written");
            }
            let golden = fs::read_to_string(&path).expect("a golden file can be read");
            assert_eq!(shown, golden, "{}; BLESS=1 writes it anew", path.display());
            // A word that is longer than a line stands on a line of its own.
            let fits = |line: &&str| {
                line.chars().count() <= columns || line.trim_start().split(' ').count() == 1
            };
            let wide: Vec<&str> = shown.lines().filter(|line| !fits(line)).collect();
            assert!(wide.is_empty(), "{columns}: {wide:?}");
        }
    }
}

fn sarif(files: &[(&str, &str)]) -> Value {
    let reports: Vec<LintReport> =
        files.iter().map(|(_, text)| lint(text.as_bytes(), &everybody())).collect();
    let linted: Vec<LintedFile<'_>> = files
        .iter()
        .zip(&reports)
        .map(|((name, text), report)| LintedFile { name, text, report })
        .collect();
    serde_json::from_str(&json::pretty(&report::sarif::log(&linted))).expect("JSON")
}

/// The properties that SARIF 2.1.0 requires (sections 3.13, 3.14, 3.18, 3.19, 3.27 to 3.30, 3.55,
/// 3.57), and what code scanning reads.
fn sarif_has_what_the_standard_asks_for() {
    let log = sarif(&[("a b/custom.json", NOTE_CUSTOM), ("/etc/podman.json", PODMAN)]);
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    assert_eq!(run["columnKind"], "unicodeCodePoints");
    let rules = run["tool"]["driver"]["rules"].as_array().expect("rules");
    assert!(run["tool"]["driver"]["name"].is_string());
    let ids: BTreeSet<&str> = rules.iter().filter_map(|rule| rule["id"].as_str()).collect();
    assert_eq!(ids.len(), rules.len(), "each once");
    let results = run["results"].as_array().expect("results");
    assert!(results.len() > 10);
    for result in results {
        let index =
            usize::try_from(result["ruleIndex"].as_u64().expect("an index")).expect("small");
        assert_eq!(rules[index]["id"], result["ruleId"]);
        assert!(["error", "warning", "note"].contains(&result["level"].as_str().expect("a level")));
        assert!(!result["message"]["text"].as_str().expect("a message").is_empty());
        let place = &result["locations"][0]["physicalLocation"];
        let uri = place["artifactLocation"]["uri"].as_str().expect("a URI");
        assert!(["a%20b/custom.json", "file:///etc/podman.json"].contains(&uri), "{uri}");
        let region = |region: &Value| {
            let number = |key: &str| region[key].as_u64().expect("a number from 1");
            let start = (number("startLine"), number("startColumn"));
            let end = (number("endLine"), number("endColumn"));
            assert!(start.0 >= 1 && start.1 >= 1 && start <= end, "{region}");
        };
        region(&place["region"]);
        for fix in result["fixes"].as_array().into_iter().flatten() {
            for change in fix["artifactChanges"].as_array().expect("changes") {
                assert_eq!(change["artifactLocation"]["uri"], uri);
                for replacement in change["replacements"].as_array().expect("replacements") {
                    region(&replacement["deletedRegion"]);
                    assert!(replacement["insertedContent"]["text"].is_string());
                }
            }
        }
    }
    assert!(results.iter().any(|result| result["fixes"].is_array()));
}

fn json_holds_places_and_corrections() {
    let report = lint(NOTE_CUSTOM.as_bytes(), &everybody());
    let linted = LintedFile { name: "custom.json", text: NOTE_CUSTOM, report: &report };
    let text = json::pretty(&report::json::output(&[linted]));
    let output: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(output["version"], 1);
    let file = &output["files"][0];
    assert_eq!((&file["path"], file["errors"].as_u64()), (&"custom.json".into(), Some(10)));
    let findings = file["findings"].as_array().expect("findings");
    let comment = &findings[0];
    assert_eq!(
        (&comment["rule"], &comment["line"], &comment["column"]),
        (&"json-comment".into(), &1.into(), &1.into())
    );
    let old = findings.iter().find(|it| it["rule"] == "old-name").expect("the old form");
    let runc =
        old["consumers"].as_array().expect("consumers").iter().find(|it| it["consumer"] == "runc");
    assert_eq!(runc.expect("runc")["effect"], "misreads");
    let edit = &old["fix"]["edits"][0];
    let at = |key: &str| usize::try_from(edit[key].as_u64().expect("a byte")).expect("small");
    assert_eq!(&NOTE_CUSTOM[at("start")..at("end")], "\"name\": \"read\"");
    assert_eq!(
        (&edit["text"], &old["fix"]["safe"]),
        (&"\"names\": [\"read\"]".into(), &true.into())
    );
}

fn github_reads_one_line_for_each_finding() {
    let report = lint(NOTE_CUSTOM.as_bytes(), &everybody());
    let linted = LintedFile { name: "a,b:c%.json", text: NOTE_CUSTOM, report: &report };
    let text = report::github::write(&linted);
    assert_eq!(text.lines().count(), 4, "equal findings together: GitHub shows ten: {text}");
    for line in text.lines() {
        assert!(line.starts_with("::error file=a%2Cb%3Ac%25.json,line="), "{line}");
    }
    assert!(text.contains("title=old-name::") && text.contains("(5 more like it)%0A"), "{text}");
}

fn hostile_text_reaches_no_terminal() {
    let text = "{\"defaultAction\":\"\u{9b}2J\",\"sys\u{202e}calls\":[],\"architectures\":[\"a\\u001b[2J\",\"\\n::error::x\"],\"syscalls\":[{\"names\":[\"re\\u001bad\"],\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"arches\":[\"x\\u0007\"]}}]}";
    let report = lint(text.as_bytes(), &everybody());
    assert!(report.findings.len() >= 4);
    let linted = LintedFile { name: "x", text, report: &report };
    let shown = report::text::write(&linted, 80) + &report::github::write(&linted);
    let unsafe_char = |char: char| (char.is_control() && char != '\n') || char == '\u{202e}';
    assert!(!shown.contains(unsafe_char), "{shown:?}");
    assert!(!shown.lines().any(|line| line.starts_with("::error::x")), "{shown}");
}

fn a_flood_is_counted() {
    let mut names = String::new();
    for number in 0..20_000 {
        write!(names, "\"zzzz_{number}_q\",").expect("text grows");
    }
    let text = format!(
        "{{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[{{\"names\":[{names}\"\"],\"action\":\"SCMP_ACT_ALLOW\"}}]}}"
    );
    let report = lint(text.as_bytes(), &everybody());
    let unknown = report.findings.iter().filter(|it| it.rule.code == "unknown-syscall").count();
    assert_eq!(unknown, 20_000);
    let shown = report::text::write(&LintedFile { name: "x", text: &text, report: &report }, 80);
    assert!(shown.contains("and 19990 more") && shown.lines().count() < 80, "{shown}");
}
