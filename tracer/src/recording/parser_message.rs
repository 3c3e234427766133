//! What the JSON parser says of a file, in the words of JSON. By itself it names the program's own
//! types, which nobody who wrote the file knows.

/// What JSON calls the types that the parser names.
const WORDS: [(&str, &str); 19] = [
    ("a boolean", "true or false"),
    ("a map", "an object"),
    ("a sequence", "a list"),
    ("a string", "text"),
    ("f64", "a number"),
    ("i32", "a whole number"),
    ("i64", "a whole number"),
    ("boolean `false`", "false"),
    ("boolean `true`", "true"),
    ("map", "an object"),
    ("null", "null"),
    ("sequence", "a list"),
    ("string or map", "text or an object"),
    ("u16", "a whole number from 0 to 65535"),
    ("u32", "a whole number from 0 on"),
    ("u64", "a whole number from 0 on"),
    ("u8", "a whole number from 0 to 255"),
    ("unit", "null"),
    ("usize", "a whole number from 0 on"),
];
/// How the parser begins the names of its types, and what they stand for in a file.
const BEGINNINGS: [(&str, &str); 6] = [
    ("struct ", "an object"),
    ("enum ", "a word that the form knows"),
    ("variant ", "a word that the form knows"),
    ("tuple ", "a list"),
    ("an array ", "a list"),
    ("internally ", "an object"),
];
/// How the parser begins what is there, before the value itself.
const FOUND: [(&str, &str); 3] =
    [("integer ", "the number "), ("floating point ", "the number "), ("string ", "the text ")];

/// The message in the words of JSON.
pub(super) fn plain(message: &str) -> String {
    if message == "recursion limit exceeded" {
        return "lists and objects lie more than 127 deep in each other".to_owned();
    }
    if let Some(field) = message.strip_prefix("missing field ") {
        return format!("the field {field} is missing");
    }
    if let Some(rest) = message.strip_prefix("unknown variant ") {
        return format!("unknown word {rest}");
    }
    let kinds = ["invalid type: ", "invalid value: ", "invalid length "];
    let is_said = kinds.iter().find_map(|kind| message.strip_prefix(kind));
    // The last one: the value itself may hold the word.
    match is_said.and_then(|said| said.rsplit_once(", expected ")) {
        Some((there, expected)) if message.starts_with(kinds[2]) => {
            format!("{} is expected, and a list of {there} is there", type_in_words(expected))
        }
        Some((there, expected)) => {
            format!("{} is expected, and {} is there", type_in_words(expected), value(there))
        }
        None => message.to_owned(),
    }
}

fn type_in_words(name: &str) -> String {
    let known = WORDS.iter().find(|(word, _)| *word == name);
    let begins = || BEGINNINGS.iter().find(|(word, _)| name.starts_with(word));
    known.or_else(begins).map_or(name, |(_, plain)| plain).to_owned()
}

fn value(there: &str) -> String {
    let found = FOUND.iter().find_map(|(kind, plain)| Some((there.strip_prefix(kind)?, plain)));
    match found {
        Some((value, plain)) => format!("{plain}{}", value.trim_matches('`')),
        None => type_in_words(there),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_those_of_json() {
        for (said, expected) in [
            (
                "invalid type: string \"x, expected y\", expected i32",
                "a whole number is expected, and the text \"x, expected y\" is there",
            ),
            (
                "invalid type: sequence, expected struct Host",
                "an object is expected, and a list is there",
            ),
            (
                "invalid length 0, expected struct Host with 5 elements",
                "an object is expected, and a list of 0 is there",
            ),
            (
                "invalid value: integer `-1`, expected u32",
                "a whole number from 0 on is expected, and the number -1 is there",
            ),
            ("missing field `host`", "the field `host` is missing"),
            (
                "unknown variant `x`, expected one of `a`, `b`",
                "unknown word `x`, expected one of `a`, `b`",
            ),
            ("unknown field `x`, expected `a`", "unknown field `x`, expected `a`"),
        ] {
            assert_eq!(plain(said), expected);
        }
    }
}
