//! Text from outside, made safe for a terminal.
//!
//! Whoever runs a workload chooses the names of its commands, containers, pods and cgroups. Such a
//! name reaches a person only as [`Escaped`], and only the functions here make one.
//! ([`crate::output`] makes file names of them.)

use std::{
    borrow::Borrow,
    fmt::{self, Write as _},
    ops::Deref,
};

use serde::{Deserialize, Deserializer, Serialize};

/// Text that is safe to show: a terminal obeys nothing in it, and a reader can see all of it.
///
/// A recording holds the names of commands in this form. Text that is read from a file is taken as
/// it is when there is nothing left to escape, and is escaped otherwise: whoever wrote the file may
/// have written anything.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Escaped(String);

impl Escaped {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Text that was put together of escaped parts and of words of this program: it is taken as it
    /// is when there is nothing left to escape.
    pub fn joined(text: &str) -> Self {
        Self::from_file(text.to_owned())
    }

    /// Text that a file holds as escaped.
    fn from_file(text: String) -> Self {
        if text.chars().any(is_unsafe) { escape(&text) } else { Self(text) }
    }
}

impl fmt::Display for Escaped {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

impl Deref for Escaped {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Escaped {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl From<Escaped> for String {
    fn from(text: Escaped) -> Self {
        text.0
    }
}

impl PartialEq<str> for Escaped {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl PartialEq<&str> for Escaped {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

impl<'de> Deserialize<'de> for Escaped {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from_file)
    }
}

/// Makes text safe to show: what a terminal would obey or a reader could not see is written as an
/// escape.
///
/// A backslash is doubled where what follows would make it look like an escape, so that no two
/// texts look the same once they are escaped. It stays single in the names that systemd writes
/// (`\x2d` for a dash, `systemd-escape(1)`), which so can be typed as they are shown.
///
/// ```
/// assert_eq!(tracer::text::escape("web\u{1b}[2J"), r"web\x1b[2J");
/// assert_eq!(tracer::text::escape(r"dev\x2dsda.slice"), r"dev\x2dsda.slice");
/// ```
pub fn escape(text: &str) -> Escaped {
    let mut safe = String::with_capacity(text.len());
    escape_into(&mut safe, text, false);
    Escaped(safe)
}

/// The same for bytes that may not be UTF-8: each byte that is not is written as `\xNN`.
pub fn escape_bytes(bytes: &[u8]) -> Escaped {
    let mut safe = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        escape_into(&mut safe, chunk.valid(), !chunk.invalid().is_empty());
        for byte in chunk.invalid() {
            push(&mut safe, format_args!("\\x{byte:02x}"));
        }
    }
    Escaped(safe)
}

/// The same for a field of fixed size that a NUL ends, such as the kernel's name of a command.
pub fn escape_c_string(field: &[u8]) -> Escaped {
    escape_bytes(until_nul(field))
}

/// What stands before the first NUL.
pub fn until_nul(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// The same for a path.
pub fn escape_path(path: &std::path::Path) -> Escaped {
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
        Some(next) => is_unsafe(next),
    }
}

/// C1 controls, line and paragraph separators, and the characters of Unicode category Cf that
/// change the order of the text around them or that cannot be seen.
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

fn push(safe: &mut String, part: fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = safe.write_fmt(part);
}

/// A character that is shown as an escape.
fn is_unsafe(character: char) -> bool {
    character.is_ascii_control() || is_hidden(character)
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
    fn text_of_a_file_is_escaped_once() {
        for (written, shown) in [
            ("plain", "plain"),
            (r"a\x1b[2J", r"a\x1b[2J"),
            ("a\u{1b}[2J", r"a\x1b[2J"),
            ("a\u{202e}b", r"a\u{202e}b"),
        ] {
            let read = Escaped::from_file(written.to_owned());
            assert_eq!(read, shown);
            assert_eq!(Escaped::from_file(read.to_string()), read);
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
