//! Text from outside, made safe for a terminal.
//!
//! Names of commands, containers, pods and cgroups are chosen by whoever runs them. They reach a person only through
//! [`escape`]. (What they become in a folder: [`crate::output`].)

use std::fmt::Write as _;

/// Makes text safe to show: what a terminal would obey or a reader could not see is written as an escape.
///
/// A backslash is doubled, so that no two texts look the same once they are escaped.
///
/// ```
/// assert_eq!(tracer::text::escape("web\u{1b}[2J"), r"web\x1b[2J");
/// ```
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    escape_into(&mut safe, text);
    safe
}

/// As [`escape`], for bytes that may not be UTF-8: each byte that is not is written as `\xNN`.
pub fn escape_bytes(bytes: &[u8]) -> String {
    let mut safe = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        escape_into(&mut safe, chunk.valid());
        for byte in chunk.invalid() {
            push(&mut safe, format_args!("\\x{byte:02x}"));
        }
    }
    safe
}

/// As [`escape`], for a path.
pub fn escape_path(path: &std::path::Path) -> String {
    escape_bytes(std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str()))
}

fn escape_into(safe: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '\\' => safe.push_str("\\\\"),
            '\n' => safe.push_str("\\n"),
            '\r' => safe.push_str("\\r"),
            '\t' => safe.push_str("\\t"),
            '\0'..='\x1f' | '\x7f' => push(safe, format_args!("\\x{:02x}", u32::from(character))),
            _ if is_hidden(character) => {
                push(safe, format_args!("\\u{{{:x}}}", u32::from(character)));
            }
            _ => safe.push(character),
        }
    }
}

/// C1 controls, line and paragraph separators, and the characters of Unicode category Cf that change the order of the
/// text around them or that cannot be seen.
fn is_hidden(character: char) -> bool {
    matches!(
        character,
        '\u{80}'..='\u{9f}'
            | '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

fn push(safe: &mut String, part: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = safe.write_fmt(part);
}

/// A command's name in a recording is escaped already; one that a file brought is shown as it is only when it is plain.
pub fn escape_once(name: &str) -> String {
    if name.chars().any(char::is_control) { escape(name) } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_escaped() {
        for (raw, shown) in [
            ("plain name", "plain name"),
            ("naïve ☃ 名", "naïve ☃ 名"),
            ("a\nb\tc\r", r"a\nb\tc\r"),
            ("\u{1b}[31mred\u{7}", r"\x1b[31mred\x07"),
            ("\u{7f}\0", r"\x7f\x00"),
            ("\u{9b}2J", r"\u{9b}2J"),
            ("\u{202e}txt.exe\u{2066}", r"\u{202e}txt.exe\u{2066}"),
            ("dev\\x2dsda", r"dev\\x2dsda"),
            ("zero\u{200b}width", r"zero\u{200b}width"),
        ] {
            assert_eq!(escape(raw), shown);
            assert_eq!(escape_bytes(raw.as_bytes()), shown);
        }
    }

    #[test]
    fn invalid_utf8_is_told_from_text_that_looks_like_an_escape() {
        assert_eq!(escape_bytes(b"a\xffb"), r"a\xffb");
        assert_eq!(escape_bytes(br"a\xffb"), r"a\\xffb");
        assert_eq!(escape_bytes(b"\xe2\x80"), r"\xe2\x80");
        assert_eq!(escape_bytes(b""), "");
    }
}
