//! Text that is no JSON, or JSON that is no profile.

use super::super::{
    consumer::{Audience, Consumer},
    finding::{Finding, LintRule, Safety, Severity},
    matrix::REFUSED,
};
use crate::{
    encoding::{self, EncodingError},
    profile::oci::{self, MAX_BYTES, ReadError},
    workbench::json_text::{Edit, JsonText, Slip, SlipKind, Span, offset},
};

/// The bytes are no text of JSON.
pub static ENCODING: LintRule = LintRule {
    code: "encoding",
    summary: "the file is not UTF-8 text as JSON needs it",
    severity: Severity::Error,
};
/// The text is no JSON.
pub static NOT_JSON: LintRule =
    LintRule { code: "not-json", summary: "the text is not JSON", severity: Severity::Error };
/// A comment.
pub static COMMENT: LintRule =
    LintRule { code: "json-comment", summary: "JSON has no comments", severity: Severity::Error };
/// A comma before the end.
pub static TRAILING_COMMA: LintRule = LintRule {
    code: "trailing-comma",
    summary: "JSON has no comma after the last item",
    severity: Severity::Error,
};
/// Another file.
pub static NOT_A_PROFILE: LintRule = LintRule {
    code: "not-a-profile",
    summary: "the file is something else",
    severity: Severity::Error,
};

/// The rules of this file.
pub const RULES: &[&LintRule] = &[&ENCODING, &NOT_JSON, &COMMENT, &TRAILING_COMMA, &NOT_A_PROFILE];

/// The text of a file; the finding when it is none.
pub fn check(bytes: &[u8]) -> Result<&str, Box<Finding>> {
    let finding = |span| Finding::new(&ENCODING, "", span);
    let start = Span { start: 0, end: 0 };
    if bytes.len() > MAX_BYTES {
        let finding = Finding::new(&NOT_A_PROFILE, "", start);
        return Err(finding
            .message(format!("more than {MAX_BYTES} bytes, which no profile has"))
            .remedy("name the profile itself")
            .into());
    }
    let refused = |error: EncodingError| {
        Box::new(finding(start).message(error.to_string()).remedy(error.remedy()))
    };
    encoding::check(bytes).map_err(refused)?;
    str::from_utf8(bytes).map_err(|_| {
        let remedy = "copy the whole file again";
        finding(start).message("the file ends within a character").remedy(remedy).into()
    })
}

/// Comments and commas too many.
pub fn slips(text: &str, json: &JsonText, audience: &Audience) -> Vec<Finding> {
    let finding = |Slip { span, kind }: &Slip| match kind {
        SlipKind::Comment => {
            let edit = Edit::replace(with_the_line(text, *span), "");
            let finding = Finding::new(&COMMENT, "", *span).remedy("remove the comment");
            let finding = finding.fix(Safety::Safe, [edit]).for_audience(&REFUSED, audience)?;
            // crun's parser reads over them in some versions.
            let only_crun = audience.consumers.iter().all(|(it, _)| *it == Consumer::Crun);
            Some(if only_crun { finding.severity(Severity::Warning) } else { finding })
        }
        SlipKind::TrailingComma => Finding::new(&TRAILING_COMMA, "", *span)
            .remedy("remove the comma")
            .fix(Safety::Safe, [Edit::replace(*span, "")])
            .for_audience(&REFUSED, audience),
    };
    json.slips.iter().filter_map(finding).collect()
}

/// A comment with its line when nothing else stands there, else with the blanks before it.
fn with_the_line(text: &str, span: Span) -> Span {
    let before = text[..span.start].trim_end_matches([' ', '\t']);
    let rest = &text[span.end..];
    let blanks = rest.len() - rest.trim_start_matches([' ', '\t', '\r']).len();
    let line_ends = rest[blanks..].starts_with('\n') || rest.len() == blanks;
    match before.is_empty() || before.ends_with('\n') {
        true if line_ends => {
            let end = (span.end + blanks + 1).min(text.len());
            Span { start: before.len(), end }
        }
        false if line_ends => Span { start: before.len(), end: span.end },
        _ => span,
    }
}

/// What the reader says of text that is no JSON.
pub fn not_json(text: &str) -> Finding {
    match oci::diagnose(text.as_bytes()) {
        Err(error) => refused(text, &error),
        // The reader takes what is not understood here: nothing is known of the place.
        Ok(_) => Finding::new(&NOT_JSON, "", Span::default()),
    }
}

/// What the reader says of JSON that is something else.
pub fn mistaken(text: &str) -> Finding {
    match oci::diagnose(text.as_bytes()) {
        Err(error) => refused(text, &error),
        Ok(_) => Finding::new(&NOT_A_PROFILE, "", Span::default()),
    }
}

/// A finding about what the reader does not read at all.
pub fn refused(text: &str, error: &ReadError) -> Finding {
    let at = |line, column| {
        let start = offset(text, line, column);
        Span { start, end: (start + 1).min(text.len()) }
    };
    match error {
        ReadError::Mistaken(mistaken) => {
            let finding = Finding::new(&NOT_A_PROFILE, "", Span::default());
            finding.message(mistaken.to_string()).remedy(mistaken.remedy())
        }
        ReadError::Truncated { line, column } => Finding::new(&NOT_JSON, "", at(*line, *column))
            .message("the file ends before the profile does")
            .remedy("copy the whole file again"),
        ReadError::Comment { line, column } => {
            Finding::new(&COMMENT, "", at(*line, *column)).remedy("remove the comment")
        }
        ReadError::Json(error) => {
            let finding = Finding::new(&NOT_JSON, "", at(error.line, error.column));
            if error.message.starts_with("recursion limit") {
                return finding
                    .message("lists and objects lie more than 127 deep in each other")
                    .remedy("name the profile itself: none is that deep");
            }
            finding.message(format!("not JSON: {}", error.message)).remedy(
                "write JSON: keys and texts in double quotation marks, a comma between two items",
            )
        }
        other => {
            let text = other.to_string();
            let (message, remedy) = text.split_once("\n\nhint: ").unwrap_or((&text, ""));
            Finding::new(&NOT_A_PROFILE, "", Span::default()).message(message).remedy(remedy)
        }
    }
}
