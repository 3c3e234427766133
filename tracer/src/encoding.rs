//! Whether bytes are text that a JSON file may hold, decided before they are parsed.

use crate::text::{Escaped, escape};

/// The byte order mark, in UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// Why they are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodingError {
    /// Nothing is there.
    #[error("the file is empty")]
    Empty,
    /// UTF-8 with a byte order mark, which JSON does not allow (RFC 8259, section 8.1).
    #[error("the file begins with a byte order mark, which JSON does not allow")]
    ByteOrderMark,
    /// Two bytes for each character.
    #[error("the file is UTF-16, and JSON is UTF-8")]
    Utf16,
    /// Something else.
    #[error("not UTF-8: line {line}, column {column}: the byte 0x{byte:02x} begins no character")]
    NotUtf8 {
        /// The line, from 1.
        line: usize,
        /// The column in bytes, from 1.
        column: usize,
        /// What is there.
        byte: u8,
    },
}

impl EncodingError {
    /// What to do about it.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Empty => "copy the file again, or write it again",
            Self::ByteOrderMark => {
                "save it as UTF-8 without the mark: sed -i '1s/^\\xEF\\xBB\\xBF//' FILE"
            }
            Self::Utf16 => "convert it: iconv -f UTF-16 -t UTF-8 FILE > NEW",
            Self::NotUtf8 { .. } => "save it as UTF-8, or copy it again",
        }
    }
}

/// UTF-8 without its byte order mark, for readers that need no JSON to the letter.
pub fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(MARK).unwrap_or(bytes)
}

/// Whether UTF-8 begins with a byte order mark.
pub fn has_mark(bytes: &[u8]) -> bool {
    bytes.starts_with(MARK)
}

/// Checks that bytes are text. White space alone is nothing.
///
/// # Errors
/// They are not: what they seem to be.
pub fn check(bytes: &[u8]) -> Result<(), EncodingError> {
    match bytes {
        _ if has_mark(bytes) => return Err(EncodingError::ByteOrderMark),
        // JSON begins with a character of ASCII: a zero beside it tells UTF-16 without a mark.
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [1..=u8::MAX, 0, ..] | [0, 1..=u8::MAX, ..] => {
            return Err(EncodingError::Utf16);
        }
        _ => {}
    }
    if bytes.trim_ascii().is_empty() {
        return Err(EncodingError::Empty);
    }
    let Err(error) = str::from_utf8(bytes) else { return Ok(()) };
    // Cut off within a character: whoever parses it will miss the end.
    if error.error_len().is_none() {
        return Ok(());
    }
    let (before, after) = bytes.split_at(error.valid_up_to());
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let begin = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let byte = after.first().copied().unwrap_or_default();
    Err(EncodingError::NotUtf8 { line, column: before.len() - begin + 1, byte })
}

/// The message of a JSON parser less the position, which is shown beside it.
pub fn without_position(message: &str, line: usize, column: usize) -> Escaped {
    let position = format!(" at line {line} column {column}");
    escape(message.strip_suffix(&position).unwrap_or(message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_told() {
        assert_eq!(check(b"{}"), Ok(()));
        assert_eq!(check("{\"\u{e9}\": 1}".as_bytes()), Ok(()));
        assert_eq!(check(b"{\"\xc3"), Ok(()), "cut off");
        assert_eq!(check(b""), Err(EncodingError::Empty));
        assert_eq!(check(b" \n\t"), Err(EncodingError::Empty));
        assert_eq!(check(b"\xef\xbb\xbf{}"), Err(EncodingError::ByteOrderMark));
        assert_eq!(check(without_mark(b"\xef\xbb\xbf{}")), Ok(()));
        for utf16 in [&b"\xff\xfe{\0}\0"[..], b"\xfe\xff\0{\0}", b"{\0}\0", b"\0{\0}"] {
            assert_eq!(check(utf16), Err(EncodingError::Utf16));
        }
        let error = check(b"{\n \"\xe9t\xe9\": 1}").expect_err("Latin-1");
        assert_eq!(error, EncodingError::NotUtf8 { line: 2, column: 3, byte: 0xe9 });
        assert!(error.to_string().starts_with("not UTF-8: line 2, column 3: the byte 0xe9"));
    }
}
