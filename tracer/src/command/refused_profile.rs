//! Why a file is not taken as a profile: the file, the place, what is wrong, and what to do.

use crate::{
    profile::oci::ReadError,
    workbench::json_text::{JsonText, LineIndex, Position, Value},
};

/// A file is not taken as a profile.
#[derive(Debug, thiserror::Error)]
#[error("{name}: {}{problem}{}", place(.problem, *.first), hint(.problem, *.first))]
pub(super) struct RefusedProfile {
    name: String,
    /// Where the first fault is.
    first: Option<Position>,
    problem: ReadError,
}

impl RefusedProfile {
    /// `name` is what the file is called in messages.
    pub(super) fn new(name: String, bytes: &[u8], problem: ReadError) -> Self {
        Self { name, first: first_fault(bytes, &problem), problem }
    }
}

fn is_one_fault(problem: &ReadError) -> bool {
    matches!(problem, ReadError::Invalid(faults) if faults.len() == 1)
}

fn place(problem: &ReadError, first: Option<Position>) -> String {
    match first.filter(|_| is_one_fault(problem)) {
        Some(Position { line, column }) => format!("line {line}, column {column}: "),
        None => String::new(),
    }
}

fn hint(problem: &ReadError, first: Option<Position>) -> String {
    let Some(advice) = problem.advice() else { return String::new() };
    match first.filter(|_| !is_one_fault(problem)) {
        Some(Position { line, column }) => {
            format!("\n\nhint: the first is in line {line}, column {column}; {advice}")
        }
        None => format!("\n\nhint: {advice}"),
    }
}

/// The place of the first fault; None where the text is no JSON, or holds the profile as a text.
fn first_fault(bytes: &[u8], problem: &ReadError) -> Option<Position> {
    let ReadError::Invalid(faults) = problem else { return None };
    let text = str::from_utf8(bytes).ok()?;
    let root = JsonText::parse(text).ok()?.root;
    let located = root.locate(&faults.first()?.path);
    let is_inside = !located.parents.is_empty() || matches!(root.value, Value::Object(_));
    is_inside.then(|| LineIndex::new(text).position(located.node.span.start))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::oci;

    fn refused(text: &str) -> String {
        let problem = oci::read(text.as_bytes()).expect_err("it has faults");
        RefusedProfile::new("web.json".to_owned(), text.as_bytes(), problem).to_string()
    }

    #[test]
    fn a_fault_has_a_place_and_a_remedy() {
        let message = refused("{\n  \"defaultAction\": \"SCMP_ACT_DENY\"\n}");
        assert!(message.starts_with("web.json: line 2, column 20: defaultAction: "), "{message}");
        assert!(message.contains("\n\nhint: `tracer lint FILE` shows the line"), "{message}");
        let message = refused("{\n  \"defaultAction\": 1,\n  \"flags\": 2\n}");
        assert!(message.starts_with("web.json: 2 faults\n"), "{message}");
        assert!(message.contains("hint: the first is in line 2, column 20; "), "{message}");
        let message = refused("{\n  \"flags\": []\n}");
        assert!(message.starts_with("web.json: line 1, column 1: defaultAction: "), "{message}");
        let message = refused("{\"defaultAction\" 1}");
        assert!(message.starts_with("web.json: not JSON: line 1, "), "{message}");
        assert!(message.contains("\n\nhint: write JSON"), "{message}");
    }
}
