//! Finds the message of a runtime in what an engine made of it.

/// What engines and runtimes put before the reason; the reason alone is compared, so that the same
/// reason is known after `run`, `create` and `exec`, and whichever version adds a word.
const BEFORE_THE_REASON: [&str; 9] = [
    "runc run failed: ",
    "runc create failed: ",
    "runc exec failed: ",
    "runc start failed: ",
    "exec failed: ",
    "unable to start container process: ",
    "error during container init: ",
    "starting container process caused: ",
    "container init caused: ",
];

/// The error numbers that profiles answer with, as Go and as C write them.
const ERRNOS: [[&str; 2]; 2] = [
    ["function not implemented", "operation not permitted"],
    ["Function not implemented", "Operation not permitted"],
];

/// A name or a number that the message holds is no longer than this.
const LONGEST_NAME: usize = 4096;

/// The reason in a message, without what is always before it.
pub fn reason(message: &str) -> &str {
    let mut reason = message;
    while let Some(rest) = BEFORE_THE_REASON.iter().find_map(|before| reason.strip_prefix(before)) {
        reason = rest;
    }
    reason
}

/// The reason, and the same with the other error number: the words before it name the call, whatever
/// the profile answers to it.
pub fn forms(reason: &str) -> Vec<String> {
    let same = ERRNOS.into_iter().find_map(|[enosys, eperm]| {
        let stem = reason.strip_suffix(enosys).or_else(|| reason.strip_suffix(eperm))?;
        Some(vec![format!("{stem}{enosys}"), format!("{stem}{eperm}")])
    });
    same.unwrap_or_else(|| vec![reason.to_owned()])
}

/// Whether a reason ends with an error number.
pub fn has_errno(reason: &str) -> bool {
    ERRNOS.as_flattened().iter().any(|errno| reason.ends_with(errno))
}

/// Whether a reason is an error number alone. It is a reason only right after what is before
/// reasons.
pub fn says_little(reason: &str) -> bool {
    ERRNOS.as_flattened().contains(&reason)
}

/// Whether a message ends with the error number EPERM.
pub fn is_not_permitted(reason: &str) -> bool {
    ERRNOS.iter().any(|[_, eperm]| reason.ends_with(eperm))
}

/// The line as the runtime wrote it: each log that quotes it puts a backslash before its quotes.
pub fn unquoted(line: &str) -> String {
    line.replace('\\', "").trim().to_owned()
}

/// Whether the text has the pattern: at its start, perhaps after a time, and up to its end; or,
/// `anywhere`, also after a colon, a quote or a log's level, and up to something that continues no
/// word.
pub fn is_in(text: &str, pattern: &str, anywhere: bool) -> bool {
    let first = pattern.split('*').next().unwrap_or_default();
    let says_little = says_little(pattern);
    if first.is_empty() || says_little && !anywhere {
        return false;
    }
    if !anywhere {
        let message = text.trim_start_matches(|one: char| is_of_time(one));
        return after(message, pattern) == Some("");
    }
    text.match_indices(first).any(|(at, _)| {
        let before = &text[..at];
        let begins = match says_little {
            true => BEFORE_THE_REASON.iter().any(|words| before.ends_with(words)),
            false => {
                before.chars().all(is_of_time)
                    || [": ", "] ", "\"", "'"].iter().any(|end| before.ends_with(end))
            }
        };
        let rest = after(&text[at..], pattern);
        begins && rest.is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
    })
}

/// Whether a character may be one of the time that crun writes before its message.
fn is_of_time(one: char) -> bool {
    one.is_ascii_digit() || "TZ:.+- ".contains(one)
}

/// What follows the pattern at the start of the text.
fn after<'a>(text: &'a str, pattern: &str) -> Option<&'a str> {
    let mut pieces = pattern.split('*');
    let mut rest = text.strip_prefix(pieces.next()?)?;
    let mut pieces = pieces.peekable();
    while let Some(piece) = pieces.next() {
        let at = match piece {
            // The name is the last thing in the pattern: it is one word.
            "" if pieces.peek().is_none() => {
                rest.find(|one: char| one.is_whitespace() || one == '"').unwrap_or(rest.len())
            }
            _ => rest.find(piece)?,
        };
        let name = rest.get(..at)?;
        if name.is_empty() || name.len() > LONGEST_NAME || name.contains(": ") {
            return None;
        }
        rest = rest.get(at + piece.len()..)?;
    }
    Some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_found_in_what_engines_write_around_it() {
        let pattern = "unable to apply caps: operation not permitted";
        for text in [
            "unable to apply caps: operation not permitted",
            "OCI runtime create failed: unable to apply caps: operation not permitted: unknown.",
            r#"level=error msg="unable to apply caps: operation not permitted""#,
        ] {
            assert!(is_in(text, pattern, true), "{text}");
        }
        assert!(is_in(&format!("2026-11-27T03:45:22.150464Z: {pattern}"), pattern, false));
        assert!(!is_in(&format!("program: {pattern}"), pattern, false));
        for text in [
            "was unable to apply caps: operation not permitted",
            "unable to apply caps: operation not permittedly",
            "unable to apply caps: permission denied",
        ] {
            assert!(!is_in(text, pattern, true), "{text}");
        }
    }

    #[test]
    fn a_star_is_a_name_or_a_number() {
        assert!(is_in("close log pipe fd 12: bad", "close log pipe fd *: bad", false));
        assert!(is_in("exec /bin/a b: bad", "exec *: bad", false));
        assert!(!is_in("exec /bin/a: and: bad", "exec *: bad", true), "no name has a colon");
        assert!(!is_in("close log pipe fd : bad", "close log pipe fd *: bad", true));
        assert!(is_in("cannot stat 7", "cannot stat *", false));
    }

    #[test]
    fn a_reason_is_known_with_either_error_number() {
        assert_eq!(
            forms("capset: Operation not permitted"),
            ["capset: Function not implemented", "capset: Operation not permitted"]
        );
        assert_eq!(forms("read from the init process"), ["read from the init process"]);
        let bare = "function not implemented";
        assert!(!is_in(bare, bare, false) && !is_in(bare, bare, true), "it says nothing");
        assert!(!is_in("mkdir: function not implemented", bare, true));
        let known =
            "runc create failed: unable to start container process: function not implemented";
        assert!(is_in(known, bare, true));
    }

    #[test]
    fn the_reason_is_what_is_left() {
        let message = "runc create failed: unable to start container process: error during \
                       container init: unable to apply caps: function not implemented";
        assert_eq!(reason(message), "unable to apply caps: function not implemented");
        assert_eq!(reason("capset: Function not implemented"), "capset: Function not implemented");
    }
}
