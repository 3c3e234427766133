//! Reads JSON, and what people write in its place: comments and a comma too many are noted, and
//! read over.

use super::{Entry, JsonNode, Span, Value};

/// How deep values may lie in each other: as deep as the reader of profiles goes.
const DEEPEST: usize = 127;

/// A JSON text with the places of its values.
#[derive(Clone, Debug, PartialEq)]
pub struct JsonText {
    /// The outermost value.
    pub root: JsonNode,
    /// What JSON does not allow, in the order of the text.
    pub slips: Vec<Slip>,
}

/// Something that JSON does not allow and that has no meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slip {
    /// Its place.
    pub span: Span,
    /// What it is.
    pub kind: SlipKind,
}

/// What JSON does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlipKind {
    /// `// text`, `# text` or `/* text */`.
    Comment,
    /// A comma after the last item.
    TrailingComma,
}

/// The text is not JSON, and not what people take for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the text is not JSON from byte {offset} on")]
pub struct ParseError {
    /// The byte.
    pub offset: usize,
}

impl JsonText {
    /// Reads a text.
    ///
    /// # Errors
    /// The text is not JSON.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let mut parser = Parser { text, at: 0, slips: Vec::new() };
        let root = parser.value(0)?;
        parser.skip()?;
        if parser.at < text.len() {
            return Err(parser.here());
        }
        Ok(Self { root, slips: parser.slips })
    }

    /// The text with blanks in the place of what JSON does not allow: every value keeps its place.
    pub fn without_slips(&self, text: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        for Span { start, end } in self.slips.iter().map(|slip| slip.span) {
            for byte in &mut bytes[start..end] {
                if *byte != b'\n' {
                    *byte = b' ';
                }
            }
        }
        String::from_utf8(bytes).expect("whole characters are replaced by blanks")
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    slips: Vec<Slip>,
}

impl Parser<'_> {
    fn here(&self) -> ParseError {
        ParseError { offset: self.at }
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn consume(&mut self, token: &str) -> bool {
        let is_there = self.rest().starts_with(token);
        if is_there {
            self.at += token.len();
        }
        is_there
    }

    /// Skips white space, and comments with a note.
    fn skip(&mut self) -> Result<(), ParseError> {
        loop {
            let rest = self.rest();
            self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
            let rest = self.rest();
            let length = if rest.starts_with("//") || rest.starts_with('#') {
                rest.find('\n').unwrap_or(rest.len())
            } else if rest.starts_with("/*") {
                rest.find("*/").map(|at| at + 2).ok_or(self.here())?
            } else {
                return Ok(());
            };
            // A file that was made on Windows keeps its line ends.
            let comment = rest[..length].trim_end_matches('\r').len();
            let span = Span { start: self.at, end: self.at + comment };
            self.slips.push(Slip { span, kind: SlipKind::Comment });
            self.at += length;
        }
    }

    fn value(&mut self, depth: usize) -> Result<JsonNode, ParseError> {
        self.skip()?;
        if depth > DEEPEST {
            return Err(self.here());
        }
        let start = self.at;
        let value = match self.peek().ok_or(self.here())? {
            b'{' => self.object(depth)?,
            b'[' => self.list(depth)?,
            b'"' => Value::Text(self.string()?),
            b'-' | b'0'..=b'9' => self.number(),
            _ if self.consume("true") => Value::Bool(true),
            _ if self.consume("false") => Value::Bool(false),
            _ if self.consume("null") => Value::Null,
            _ => return Err(self.here()),
        };
        Ok(JsonNode { span: Span { start, end: self.at }, value })
    }

    fn object(&mut self, depth: usize) -> Result<Value, ParseError> {
        self.at += 1;
        let mut entries = Vec::new();
        while !self.closes('}', entries.is_empty())? {
            let start = self.at;
            if self.peek() != Some(b'"') {
                return Err(self.here());
            }
            let key = self.string()?;
            let key_span = Span { start, end: self.at };
            self.skip()?;
            if !self.consume(":") {
                return Err(self.here());
            }
            let node = self.value(depth + 1)?;
            entries.push(Entry { key, key_span, node });
        }
        Ok(Value::Object(entries))
    }

    fn list(&mut self, depth: usize) -> Result<Value, ParseError> {
        self.at += 1;
        let mut items = Vec::new();
        while !self.closes(']', items.is_empty())? {
            items.push(self.value(depth + 1)?);
        }
        Ok(Value::List(items))
    }

    /// Whether the object or the list ends here; else the comma before the next part is consumed.
    fn closes(&mut self, end: char, is_first: bool) -> Result<bool, ParseError> {
        self.skip()?;
        let comma = Span { start: self.at, end: self.at + 1 };
        if !is_first {
            if self.rest().starts_with(end) {
                self.at += 1;
                return Ok(true);
            }
            if !self.consume(",") {
                return Err(self.here());
            }
            self.skip()?;
        }
        let closes = self.rest().starts_with(end);
        if closes {
            self.at += 1;
            if !is_first {
                self.slips.push(Slip { span: comma, kind: SlipKind::TrailingComma });
            }
        }
        Ok(closes)
    }

    /// A text. Its escapes are resolved; what they mean is checked by the reader of the value.
    fn string(&mut self) -> Result<String, ParseError> {
        let start = self.at;
        self.at += 1;
        let mut text = String::new();
        loop {
            let rest = &self.text[self.at..];
            let plain = rest.find(['"', '\\']).ok_or(ParseError { offset: start })?;
            text.push_str(&rest[..plain]);
            self.at += plain + 1;
            if rest.as_bytes()[plain] == b'"' {
                return Ok(text);
            }
            text.push(self.escape()?);
        }
    }

    fn escape(&mut self) -> Result<char, ParseError> {
        let error = self.here();
        let kind = self.rest().chars().next().ok_or(error)?;
        self.at += kind.len_utf8();
        Ok(match kind {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'b' => '\u{8}',
            'f' => '\u{c}',
            '"' | '\\' | '/' => kind,
            'u' => {
                let first = self.code_unit()?;
                if !(0xd800..0xdc00).contains(&first) {
                    return char::from_u32(first).ok_or(error);
                }
                let second = if self.consume("\\u") { self.code_unit()? } else { 0 };
                let low = second.checked_sub(0xdc00).filter(|low| *low < 0x400).ok_or(error)?;
                char::from_u32(0x10000 + ((first - 0xd800) << 10) + low).ok_or(error)?
            }
            _ => return Err(error),
        })
    }

    fn code_unit(&mut self) -> Result<u32, ParseError> {
        let digits = self.rest().get(..4).ok_or(self.here())?;
        let unit = u32::from_str_radix(digits, 16).map_err(|_| self.here())?;
        self.at += 4;
        Ok(unit)
    }

    /// A number. Its form is checked by the reader of the value.
    fn number(&mut self) -> Value {
        let rest = self.rest();
        let is_part = |char: char| char.is_ascii_digit() || "+-.eE".contains(char);
        let length = rest.find(|char| !is_part(char)).unwrap_or(rest.len());
        let number = rest[..length].to_owned();
        self.at += length;
        Value::Number(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_know_their_places() {
        let text = r#" {"a" : [1, -2.5e3, "x\n\u00e9\ud83d\ude00"], "b": {"c": null, "d": true}} "#;
        let document = JsonText::parse(text).expect("JSON");
        assert!(document.slips.is_empty());
        let list = document.root.get("a").expect("a list");
        assert_eq!(
            &text[list.span.start..list.span.end],
            r#"[1, -2.5e3, "x\n\u00e9\ud83d\ude00"]"#
        );
        assert_eq!(list.items()[1].value, Value::Number("-2.5e3".to_owned()));
        assert_eq!(list.items()[2].text(), Some("x\n\u{e9}\u{1f600}"));
        let entry = document.root.entry("b").expect("an object");
        assert_eq!(&text[entry.span().start..entry.span().end], r#""b": {"c": null, "d": true}"#);
    }

    #[test]
    fn comments_and_a_comma_too_many_are_noted() {
        let text = "## x\r\n{ /* y */ \"a\": [1, 2, // z\n ], \"b\": \"//\",\n} // end";
        let document = JsonText::parse(text).expect("nearly JSON");
        let slips: Vec<&str> =
            document.slips.iter().map(|slip| &text[slip.span.start..slip.span.end]).collect();
        assert_eq!(slips, ["## x", "/* y */", "// z", ",", ",", "// end"]);
        let strict = document.without_slips(text);
        assert_eq!(strict.len(), text.len());
        let again = JsonText::parse(&strict).expect("JSON");
        assert_eq!((again.root, again.slips.len()), (document.root, 0));
    }

    #[test]
    fn what_is_no_json_is_placed() {
        for (text, offset) in [
            ("", 0),
            ("{", 1),
            ("{\"a\"}", 4),
            ("{a: 1}", 1),
            ("[1 2]", 3),
            ("[,]", 1),
            ("[1,,]", 3),
            ("\"open", 0),
            ("{} {}", 3),
            ("/* open", 0),
            ("nope", 0),
            ("\"\\ud800\"", 2),
            ("\"\\u12\u{e9}\u{e9}\"", 3),
        ] {
            assert_eq!(JsonText::parse(text), Err(ParseError { offset }), "{text}");
        }
        let deep = "[".repeat(100_000);
        assert_eq!(JsonText::parse(&deep), Err(ParseError { offset: DEEPEST + 1 }));
    }
}
