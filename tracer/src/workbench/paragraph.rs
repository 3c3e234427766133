//! Text that fits the width of a terminal.

/// The least width that is written for, in columns.
const LEAST: usize = 20;

/// A line that begins with `first` and goes on, where it is longer than `width` columns, in lines
/// that begin with `indent` spaces. It breaks at spaces only, so that a word that is longer than a
/// line stays whole.
pub fn wrap(first: &str, text: &str, indent: usize, width: usize) -> String {
    let width = width.max(LEAST);
    let mut written = first.to_owned();
    let mut column = first.chars().count();
    let mut fresh = true;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let length = word.chars().count();
        if !fresh && column + 1 + length > width {
            written.push('\n');
            written.extend(std::iter::repeat_n(' ', indent));
            column = indent;
            fresh = true;
        }
        if !fresh {
            written.push(' ');
            column += 1;
        }
        written.push_str(word);
        column += length;
        fresh = false;
    }
    written.push('\n');
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_at_spaces_and_fit() {
        let text = "accept, bind, close, connect, dup";
        assert_eq!(wrap("  ", text, 4, 20), "  accept, bind,\n    close, connect,\n    dup\n");
        assert_eq!(wrap("", "one", 2, 80), "one\n");
        let long = "a".repeat(50);
        assert_eq!(wrap("- ", &format!("{long} b"), 2, 40), format!("- {long}\n  b\n"));
    }
}
