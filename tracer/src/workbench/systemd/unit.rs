//! Unit files, and what `systemctl cat` and `systemctl show` print, line by line
//! (systemd.syntax(7)).

/// A setting and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The line on which it begins, from 1.
    pub line: usize,
    /// The section it is in: `Service`; None before the first.
    pub section: Option<String>,
    /// The setting.
    pub key: String,
    /// The value; lines that are continued are joined by a space.
    pub value: String,
}

/// The settings that make the filter of a unit.
pub const FILTERS: [&str; 4] =
    ["SystemCallFilter", "SystemCallErrorNumber", "SystemCallArchitectures", "SystemCallLog"];

/// Whether a text looks like a unit: its first line of content is the head of a section; or a
/// setting, and one of those that make a filter follows.
pub fn is_unit(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim);
    let first = lines.find(|line| !line.is_empty() && !is_comment(line)).unwrap_or_default();
    let is_filter = |line: &str| setting(line).is_some_and(|key| FILTERS.contains(&key));
    section(first).is_some() || setting(first).is_some() && text.lines().any(is_filter)
}

/// The key of a setting.
fn setting(line: &str) -> Option<&str> {
    let key = line.split_once('=')?.0.trim();
    let named = key.starts_with(|char: char| char.is_ascii_uppercase());
    (named && key.chars().all(|char| char.is_ascii_alphanumeric())).then_some(key)
}

fn is_comment(line: &str) -> bool {
    line.starts_with(['#', ';'])
}

/// The name of a section, of its head. JSON lists begin with no capital letter.
fn section(line: &str) -> Option<&str> {
    let name = line.strip_prefix('[')?.strip_suffix(']')?;
    let is_plain = |char: char| char.is_ascii_alphanumeric() || char == '-';
    let named = name.starts_with(|char: char| char.is_ascii_uppercase());
    (named && name.chars().all(is_plain)).then_some(name)
}

/// The assignments of a text, in their order. What is neither one nor the head of a section is
/// skipped, as systemd does.
pub fn assignments(text: &str) -> Vec<Assignment> {
    let (mut current, mut found) = (None, Vec::new());
    let mut lines = (1..).zip(text.lines()).peekable();
    while let Some((line, first)) = lines.next() {
        let first = first.trim();
        if first.is_empty() || is_comment(first) {
            continue;
        }
        let mut whole = String::new();
        let mut part = first;
        while let Some(continued) = part.strip_suffix('\\') {
            whole.push_str(continued);
            whole.push(' ');
            // A comment within what is continued is left out.
            while lines.next_if(|(_, text)| is_comment(text.trim_start())).is_some() {}
            part = lines.next().map_or("", |(_, text)| text.trim());
        }
        whole.push_str(part);
        if let Some(name) = section(&whole) {
            current = Some(name.to_owned());
        } else if let Some((key, value)) = whole.split_once('=') {
            let (key, value) = (key.trim().to_owned(), value.trim().to_owned());
            found.push(Assignment { line, section: current.clone(), key, value });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_told_from_other_files() {
        let units = [
            "[Service]\n",
            "# x\n\n[Unit]\nA=b",
            "SystemCallFilter=read\n",
            "; c\n[X-Y]",
            "Type=simple\nId=a.service\nSystemCallFilter=~mount\n",
        ];
        for unit in units {
            assert!(is_unit(unit), "{unit}");
        }
        let others = ["", "{}", "[]", "[1]", "[{\"Id\":1}]", "[\"A\"]", "a: b", "read=1", "[true]"];
        for other in others.into_iter().chain(["Type=simple\n", "a=b\nSystemCallFilter=read"]) {
            assert!(!is_unit(other), "{other}");
        }
    }

    #[test]
    fn lines_are_continued_and_comments_are_left_out() {
        let text =
            "A=1\n[Service]\n  B = x\\\n# c\n; d\n  y \\\n\n[Install]\nC=\nno assignment\nD=a=b";
        let found: Vec<(usize, Option<String>, String, String)> = assignments(text)
            .into_iter()
            .map(|one| (one.line, one.section, one.key, one.value))
            .collect();
        let of = |line, section: Option<&str>, key: &str, value: &str| {
            (line, section.map(str::to_owned), key.to_owned(), value.to_owned())
        };
        let expected = [
            of(1, None, "A", "1"),
            of(3, Some("Service"), "B", "x y"),
            of(9, Some("Install"), "C", ""),
            of(11, Some("Install"), "D", "a=b"),
        ];
        assert_eq!(found, expected);
        assert_eq!(assignments("A=\\"), assignments("A= "));
    }
}
