//! Text from outside, made safe for a terminal.
//!
//! Names of commands, containers, pods and cgroups are chosen by whoever runs them. They reach a person only through
//! [`escape`]. (What they become in a folder: [`crate::output`].)

use std::fmt::Write as _;

/// Makes text safe to show: what a terminal would obey or a reader could not see is written as an escape.
///
/// A backslash is doubled where what follows would make it look like an escape, so that no two texts look the same once they are
/// escaped. It stays single in the names that systemd writes (`\x2d` for a dash, `systemd-escape(1)`), which so can be typed as they
/// are shown.
///
/// ```
/// assert_eq!(tracer::text::escape("web\u{1b}[2J"), r"web\x1b[2J");
/// assert_eq!(tracer::text::escape(r"dev\x2dsda.slice"), r"dev\x2dsda.slice");
/// ```
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    escape_into(&mut safe, text, false);
    safe
}

/// As [`escape`], for bytes that may not be UTF-8: each byte that is not is written as `\xNN`.
pub fn escape_bytes(bytes: &[u8]) -> String {
    let mut safe = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        escape_into(&mut safe, chunk.valid(), !chunk.invalid().is_empty());
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

/// `is_cut`: an escape follows the text.
fn escape_into(safe: &mut String, text: &str, is_cut: bool) {
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        match character {
            '\\' if looks_like_an_escape(rest.as_str(), is_cut) => safe.push_str("\\\\"),
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

/// A backslash before this could be taken for the beginning of an escape.
fn looks_like_an_escape(rest: &str, is_cut: bool) -> bool {
    let mut characters = rest.chars();
    match characters.next() {
        None => is_cut,
        Some('\\' | 'n' | 'r' | 't' | 'u') => true,
        Some('x') => {
            let digits: String = characters.take(2).collect();
            // Visible characters of ASCII are never written so.
            u8::from_str_radix(&digits, 16).is_ok_and(|byte| !(b' '..=b'~').contains(&byte))
        }
        Some(next) => next.is_ascii_control() || is_hidden(next),
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
            (r"dev\x2dsda", r"dev\x2dsda"),
            (r"dev\\x2dsda", r"dev\\\x2dsda"),
            (r"a\x1b", r"a\\x1b"),
            (r"a\xc3\n\u{9b}", r"a\\xc3\\n\\u{9b}"),
            ("a\\\n", r"a\\\n"),
            ("a\\\u{200b}\\", r"a\\\u{200b}\"),
            (r"\d\x2", r"\d\\x2"),
            ("zero\u{200b}width", r"zero\u{200b}width"),
        ] {
            assert_eq!(escape(raw), shown);
            assert_eq!(escape_bytes(raw.as_bytes()), shown);
        }
    }

    /// Whatever is put together of parts that escapes are made of, no two texts are shown alike.
    #[test]
    fn no_two_texts_look_the_same() {
        let parts =
            ["\\", "x", "2d", "1b", "n", "\n", "\u{1b}", "u", "{9b}", "\u{9b}", "\u{7f}", "7f"];
        let mut shown = std::collections::BTreeMap::new();
        let count = parts.len();
        for index in 0..count.pow(4) {
            let at = |power: u32| parts[index / count.pow(power) % count];
            let text = [at(0), at(1), at(2), at(3)].concat();
            let before = shown.insert(escape(&text), text.clone());
            assert!(before.as_ref().is_none_or(|before| *before == text), "{before:?} {text:?}");
        }
    }

    #[test]
    fn invalid_utf8_is_told_from_text_that_looks_like_an_escape() {
        assert_eq!(escape_bytes(b"a\xffb"), r"a\xffb");
        assert_eq!(escape_bytes(br"a\xffb"), r"a\\xffb");
        assert_eq!(escape_bytes(b"a\\\xffb"), r"a\\\xffb");
        assert_eq!(escape_bytes(b"\xe2\x80"), r"\xe2\x80");
        assert_eq!(escape_bytes(b""), "");
    }
}
