//! The marks of a line that a person must not overlook, in colour.
//!
//! A mark begins a line of tracer's own. Names from outside stand behind it, and get no colour.

use std::borrow::Cow;

use console::Style;

/// What a mark says.
#[derive(Clone, Copy)]
pub enum MarkMeaning {
    /// Something is missing.
    Incomplete,
    /// A filter refused a call.
    Denied,
    /// A profile allows what the defaults of container engines refuse.
    BeyondDefault,
}

/// How lines begin, and what of them is the mark.
const MARKS: [(&str, MarkMeaning); 3] = [
    ("incomplete", MarkMeaning::Incomplete),
    ("denied", MarkMeaning::Denied),
    ("allowed beyond", MarkMeaning::BeyondDefault),
];

impl MarkMeaning {
    /// A text in the colour of this meaning.
    pub fn paint(self, text: &str) -> String {
        let style = Style::new().bold().force_styling(true);
        let style = match self {
            Self::Incomplete => style.yellow(),
            Self::Denied => style.red(),
            Self::BeyondDefault => style.magenta(),
        };
        style.apply_to(text).to_string()
    }
}

/// A line with its mark in colour; any other line as it is.
pub fn paint(line: &str) -> Cow<'_, str> {
    let (time, rest) = line.split_at(start(line));
    let found = MARKS.iter().find_map(|(mark, meaning)| {
        let behind = rest.strip_prefix(mark)?;
        behind.starts_with([':', ' ']).then_some((mark, meaning, behind))
    });
    match found {
        Some((mark, meaning, behind)) => {
            Cow::Owned(format!("{time}{}{behind}", meaning.paint(mark)))
        }
        None => Cow::Borrowed(line),
    }
}

/// Where a line begins behind the time of a call (`+0.25s  `).
fn start(line: &str) -> usize {
    let behind = || line.strip_prefix('+')?.split_once("s  ").map(|(_, behind)| behind);
    behind().map_or(0, |behind| line.len() - behind.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_alone_has_a_colour() {
        for (line, painted) in [
            ("incomplete: late start", "\u{1b}[33m\u{1b}[1mincomplete\u{1b}[0m: late start"),
            ("denied: mount", "\u{1b}[31m\u{1b}[1mdenied\u{1b}[0m: mount"),
            ("denied by a filter", "\u{1b}[31m\u{1b}[1mdenied\u{1b}[0m by a filter"),
            ("+0.25s  denied: mount", "+0.25s  \u{1b}[31m\u{1b}[1mdenied\u{1b}[0m: mount"),
            ("allowed beyond it: 2", "\u{1b}[35m\u{1b}[1mallowed beyond\u{1b}[0m it: 2"),
        ] {
            assert_eq!(paint(line), painted, "{line}");
        }
    }

    #[test]
    fn what_is_no_mark_of_tracer_has_none() {
        for line in [
            "",
            "complete: nothing was lost",
            "incomplete",
            "deniedness: x",
            "  denied: indented",
            "web: denied: x",
            "+0.25s  read  denied: [7]",
            "+ denied: x",
        ] {
            assert_eq!(paint(line), line);
        }
    }
}
