//! The table that `strace -c` prints.

/// A line of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StraceRow<'a> {
    /// How often a call was made and how often it failed.
    Call { name: &'a str, count: u64, failed: u64 },
    /// The table that follows is of this ABI.
    Mode(&'a str),
    /// The heading, a rule, or the sum.
    Other,
}

/// Reads a line; None when it is none of a table.
pub(super) fn row(line: &str) -> Option<StraceRow<'_>> {
    let line = line.trim();
    if let Some(text) = line.strip_prefix("System call usage summary for ") {
        return text.strip_suffix(" mode:").map(StraceRow::Mode);
    }
    let is_rule = line.contains("- -") && line.bytes().all(|it| b"- ".contains(&it));
    if is_rule || line.starts_with("% time ") && line.ends_with(" syscall") {
        return Some(StraceRow::Other);
    }
    let columns: Vec<&str> = line.split_whitespace().take(7).collect();
    let (share, seconds, average, count, failed, name) = match columns[..] {
        [share, seconds, average, count, name] => (share, seconds, average, count, "0", name),
        [share, seconds, average, count, failed, name] => {
            (share, seconds, average, count, failed, name)
        }
        _ => return None,
    };
    let is_fraction = |text: &str| text.contains('.') && text.parse::<f64>().is_ok();
    let (count, failed) = (count.parse().ok()?, failed.parse().ok()?);
    if !is_fraction(share) || !is_fraction(seconds) || average.parse::<u64>().is_err() {
        return None;
    }
    Some(if name == "total" { StraceRow::Other } else { StraceRow::Call { name, count, failed } })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_told_from_what_stands_around_them() {
        let of = |name, count, failed| Some(StraceRow::Call { name, count, failed });
        for (line, expected) in [
            ("  0.00    0.000000           0         7           read", of("read", 7, 0)),
            ("  0.00    0.000000           0        34        13 openat", of("openat", 34, 13)),
            ("100.00    0.000000           0       144        19 total", Some(StraceRow::Other)),
            (
                "------ ----------- ----------- --------- --------- ----------------",
                Some(StraceRow::Other),
            ),
            ("% time     seconds  usecs/call     calls    errors syscall", Some(StraceRow::Other)),
            ("System call usage summary for 32 bit mode:", Some(StraceRow::Mode("32 bit"))),
            ("", None),
            ("1 2 3 4 read", None),
            ("0.1 0.2 3 x read", None),
            ("0.1 0.2 3 99999999999999999999 read", None),
            ("1.0 2.0 3 4 5 read more", None),
        ] {
            assert_eq!(row(line), expected, "{line}");
        }
    }
}
