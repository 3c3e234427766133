//! What a person answers.

use std::io::{self, BufRead};

use anyhow::Result;
use time::Date;

use crate::workbench::decisions::{Choice, parse_date};

/// What is asked.
const PROMPT: &str =
    "(a)llow REASON, (d)eny REASON, (s)kip or (q)uit; a reason may end in \"until YYYY-MM-DD\": ";

/// What comes before the last day, at the end of a reason.
const UNTIL: &str = "until";

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// A decision.
    Decided {
        /// What is decided.
        choice: Choice,
        /// Why.
        because: String,
        /// The last day on which it counts.
        until: Option<Date>,
    },
    /// Not now.
    Skip,
    /// No further question.
    Quit,
}

/// A line that was typed, or the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum InputLine {
    /// The line, without the spaces around it.
    Typed(String),
    /// No further line comes.
    End,
}

impl InputLine {
    /// Reads a line. What is not UTF-8 in it is replaced.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn read(answers: &mut dyn BufRead) -> io::Result<Self> {
        let mut line = Vec::new();
        match answers.read_until(b'\n', &mut line)? {
            0 => Ok(Self::End),
            _ => Ok(Self::Typed(String::from_utf8_lossy(&line).trim().to_owned())),
        }
    }
}

/// Asks until there is an answer. `next` says something and reads a line.
///
/// # Errors
/// Those of `next`.
pub(super) fn ask(today: Date, mut next: impl FnMut(&str) -> Result<InputLine>) -> Result<Reply> {
    let mut prompt = PROMPT.to_owned();
    loop {
        let InputLine::Typed(line) = next(&prompt)? else { return Ok(Reply::Quit) };
        let (word, reason) = line.split_once(char::is_whitespace).unwrap_or((&line, ""));
        let choice = match word.to_lowercase().as_str() {
            "a" | "allow" => Choice::Allow,
            "d" | "deny" => Choice::Deny,
            "s" | "skip" => return Ok(Reply::Skip),
            "q" | "quit" => return Ok(Reply::Quit),
            _ => {
                prompt = format!("answer with a, d, s or q\n{PROMPT}");
                continue;
            }
        };
        let mut reason = reason.trim().to_owned();
        if reason.is_empty() {
            match next("because: ")? {
                InputLine::Typed(line) => reason = line,
                InputLine::End => return Ok(Reply::Quit),
            }
        }
        match decided(choice, &reason, today) {
            Ok(answer) => return Ok(answer),
            Err(problem) => prompt = format!("{problem}\n{PROMPT}"),
        }
    }
}

/// Takes a reason apart.
///
/// # Errors
/// What is wrong with it, in a sentence.
fn decided(choice: Choice, reason: &str, today: Date) -> Result<Reply, String> {
    let (because, until) = match last_day(reason) {
        None => (reason, None),
        Some((because, day)) => {
            let date = parse_date(day).ok_or_else(|| {
                "the last day must be one of the calendar, like 2027-03-01".to_owned()
            })?;
            if date < today {
                return Err(format!("{date} is over already"));
            }
            (because, Some(date))
        }
    };
    if because.is_empty() {
        return Err("a decision needs a reason".to_owned());
    }
    Ok(Reply::Decided { choice, because: because.to_owned(), until })
}

/// The reason without its last day, and that day, when it ends in one: in digits and dashes.
fn last_day(reason: &str) -> Option<(&str, &str)> {
    let (before, day) = reason.rsplit_once(char::is_whitespace).unwrap_or(("", reason));
    let is_of_a_day = |char: char| char.is_ascii_digit() || char == '-';
    if !day.contains('-') || !day.chars().all(is_of_a_day) {
        return None;
    }
    let because = before.trim_end().strip_suffix(UNTIL)?;
    let is_word = because.is_empty() || because.ends_with(char::is_whitespace);
    is_word.then(|| (because.trim_end().trim_end_matches(',').trim_end(), day))
}

#[cfg(test)]
mod tests {
    use time::Month;

    use super::*;

    fn day(year: i32) -> Date {
        Date::from_calendar_date(year, Month::March, 1).expect("a day")
    }

    /// What is answered to these lines, and what was said.
    fn answer(lines: &[&str]) -> (Reply, Vec<String>) {
        let text = lines.iter().map(|line| format!("{line}\n")).collect::<String>();
        let mut text = text.as_bytes();
        let mut said = Vec::new();
        let answer = ask(day(2026), |prompt| {
            said.push(prompt.lines().next().unwrap_or_default().to_owned());
            Ok(InputLine::read(&mut text)?)
        });
        (answer.expect("an answer"), said)
    }

    fn decision(choice: Choice, because: &str, until: Option<Date>) -> Reply {
        Reply::Decided { choice, because: because.to_owned(), until }
    }

    #[test]
    fn an_answer_is_one_line() {
        let allow = |because, until| decision(Choice::Allow, because, until);
        for (line, expected) in [
            ("a debug sidecar", allow("debug sidecar", None)),
            ("allow debug sidecar until 2027-03-01", allow("debug sidecar", Some(day(2027)))),
            ("A  debug, until 2027-03-01 ", allow("debug", Some(day(2027)))),
            ("a until the sidecar goes", allow("until the sidecar goes", None)),
            ("a see TICKET-12", allow("see TICKET-12", None)),
            ("d never here", decision(Choice::Deny, "never here", None)),
            ("s", Reply::Skip),
            ("quit", Reply::Quit),
        ] {
            assert_eq!(answer(&[line]).0, expected, "{line}");
        }
    }

    #[test]
    fn a_reason_may_come_on_its_own_line() {
        let (found, said) = answer(&["d", "never in this workload until 2030-03-01"]);
        assert_eq!(found, decision(Choice::Deny, "never in this workload", Some(day(2030))));
        assert_eq!(said[1], "because: ");
    }

    #[test]
    fn what_cannot_be_meant_is_asked_again() {
        for (line, said) in [
            ("", "answer with a, d, s or q"),
            ("ptrace", "answer with a, d, s or q"),
            ("a x until 2027-13-01", "the last day must be"),
            ("a x until 2020-03-01", "2020-03-01 is over already"),
            ("a until 2027-03-01", "a decision needs a reason"),
        ] {
            let (found, prompts) = answer(&[line, "s"]);
            assert_eq!(found, Reply::Skip, "{line}");
            assert!(prompts[1].starts_with(said), "{line}: {prompts:?}");
        }
        let (found, prompts) = answer(&["a", "", "q"]);
        assert_eq!(found, Reply::Quit);
        assert_eq!(prompts[2], "a decision needs a reason");
    }

    #[test]
    fn the_end_quits() {
        assert_eq!(answer(&[]).0, Reply::Quit);
        assert_eq!(answer(&["a"]).0, Reply::Quit, "no reason, no decision");
    }
}
