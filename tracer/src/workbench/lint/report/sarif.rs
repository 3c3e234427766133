//! For code scanning: SARIF 2.1.0 (OASIS, "Static Analysis Results Interchange Format").

use serde::Serialize;

use super::{LintedFile, json::help, positions};
use crate::workbench::{
    json_text::Position,
    lint::{
        finding::{Finding, LintRule, Safety, Severity},
        rules,
    },
};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// A log: one run of one tool.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Log {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    tool: Tool,
    column_kind: &'static str,
    results: Vec<Found>,
}

#[derive(Debug, Serialize)]
struct Tool {
    driver: Driver,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver {
    name: &'static str,
    semantic_version: &'static str,
    rules: Vec<Descriptor>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    id: &'static str,
    short_description: Message,
    default_configuration: Configuration,
}

#[derive(Debug, Serialize)]
struct Configuration {
    level: &'static str,
}

#[derive(Debug, Serialize)]
struct Message {
    text: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    rule_id: &'static str,
    rule_index: usize,
    level: &'static str,
    message: Message,
    locations: [Location; 1],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fixes: Vec<Fix>,
    properties: Properties,
}

#[derive(Debug, Serialize)]
struct Properties {
    confidence: &'static str,
    help: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    physical_location: Physical,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    logical_locations: Vec<Logical>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Physical {
    artifact_location: Artifact,
    region: Region,
}

#[derive(Clone, Debug, Serialize)]
struct Artifact {
    uri: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: usize,
    start_column: usize,
    end_line: usize,
    end_column: usize,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Logical {
    fully_qualified_name: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Fix {
    description: Message,
    artifact_changes: [Change; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Change {
    artifact_location: Artifact,
    replacements: Vec<Replacement>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Replacement {
    deleted_region: Region,
    inserted_content: Message,
}

/// What was found in some files.
pub fn log(files: &[LintedFile<'_>]) -> Log {
    let rules = rules::all();
    let results = files.iter().flat_map(|file| of_file(file, &rules)).collect();
    let descriptor = |rule: &&LintRule| Descriptor {
        id: rule.code,
        short_description: Message { text: rule.summary.to_owned() },
        default_configuration: Configuration { level: level(rule.severity) },
    };
    let driver = Driver {
        name: "tracer lint",
        semantic_version: env!("CARGO_PKG_VERSION"),
        rules: rules.iter().map(descriptor).collect(),
    };
    let run = Run { tool: Tool { driver }, column_kind: "unicodeCodePoints", results };
    Log { schema: SCHEMA, version: "2.1.0", runs: [run] }
}

fn level(severity: Severity) -> &'static str {
    severity.name()
}

fn of_file(file: &LintedFile<'_>, rules: &[&'static LintRule]) -> Vec<Found> {
    let lines = crate::workbench::json_text::LineIndex::new(file.text);
    let place = positions(file);
    let artifact = Artifact { uri: uri(file.name) };
    let found = |finding: &Finding| {
        let fix = finding.fix.as_ref().filter(|fix| fix.safety == Safety::Safe).map(|fix| {
            let replacement = |edit: &crate::workbench::json_text::Edit| Replacement {
                deleted_region: region(
                    lines.position(edit.span.start),
                    lines.position(edit.span.end),
                ),
                inserted_content: Message { text: edit.replacement.clone() },
            };
            Fix {
                description: Message { text: finding.remedy.clone() },
                artifact_changes: [Change {
                    artifact_location: artifact.clone(),
                    replacements: fix.edits.iter().map(replacement).collect(),
                }],
            }
        });
        let logical = Logical { fully_qualified_name: finding.path.clone() };
        let (start, end) = place(finding);
        let message = finding.full_message();
        let parts = [&message, &finding.effects_text, &finding.remedy];
        let parts: Vec<&str> =
            parts.into_iter().filter(|part| !part.is_empty()).map(String::as_str).collect();
        Found {
            rule_id: finding.rule.code,
            rule_index: rules.iter().position(|rule| rule.code == finding.rule.code).unwrap_or(0),
            level: level(finding.severity),
            message: Message { text: parts.join("\n") },
            locations: [Location {
                physical_location: Physical {
                    artifact_location: artifact.clone(),
                    region: region(start, end),
                },
                logical_locations: (!finding.path.is_empty())
                    .then_some(logical)
                    .into_iter()
                    .collect(),
            }],
            fixes: fix.into_iter().collect(),
            properties: Properties { confidence: finding.confidence.name(), help: help(finding) },
        }
    };
    file.report.findings.iter().map(found).collect()
}

fn region(start: Position, end: Position) -> Region {
    Region {
        start_line: start.line,
        start_column: start.column,
        end_line: end.line,
        end_column: end.column,
    }
}

/// A path as a URI reference (RFC 3986): what is not plain is written by its bytes.
fn uri(path: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let written: String = path
        .bytes()
        .map(
            |byte| {
                if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }
            },
        )
        .collect();
    // A colon in the first part would be a scheme; it is written by its byte already.
    if path.starts_with('/') { format!("file://{written}") } else { written }
}
