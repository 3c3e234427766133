//! What a person sees while recording: a line for each call that is seen for the first time, and a
//! status line.
//!
//! Everything goes to standard error. Names from outside come in escaped.

use std::time::Duration;

use console::{Term, truncate_str};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::{
    color::Meaning,
    message::{is_colored, is_writable, print_err},
    recording::{Phase, event::NewCall},
};

/// How much is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Errors only.
    Quiet,
    /// A line for each new call.
    Lines,
    /// The same, above a status line that changes in place.
    StatusLine,
}

/// The live view.
pub struct Live {
    detail: Detail,
    calls: bool,
    denied_only: bool,
    values: bool,
    bar: ProgressBar,
}

/// What the status line shows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Status<'a> {
    /// The names of the targets, escaped, when none of them exists.
    pub awaited: Option<&'a str>,
    /// Different calls that were seen so far.
    pub calls: usize,
    /// Those of them that were denied.
    pub denied: usize,
    /// The denied call that came last, and the command that made it, escaped.
    pub last_denied: Option<&'a str>,
    /// How long there was no new call; None before the first one.
    pub quiet_for: Option<Duration>,
    /// Calls that the targets make per second; None when they are not counted.
    pub calls_per_second: Option<f64>,
    /// Calls, facts and values that were lost so far.
    pub losses: u64,
}

impl Live {
    /// Starts the view.
    pub fn new(detail: Detail) -> Self {
        let bar = match detail {
            Detail::StatusLine => ProgressBar::new_spinner(),
            Detail::Quiet | Detail::Lines => ProgressBar::hidden(),
        };
        bar.set_style(
            ProgressStyle::with_template("{msg}")
                .unwrap_or_else(|_| ProgressStyle::default_spinner()),
        );
        bar.set_draw_target(match detail {
            Detail::StatusLine => ProgressDrawTarget::stderr(),
            Detail::Quiet | Detail::Lines => ProgressDrawTarget::hidden(),
        });
        Self { detail, calls: true, denied_only: false, values: false, bar }
    }

    /// Shows no call.
    #[must_use]
    pub fn without_calls(self) -> Self {
        Self { calls: false, ..self }
    }

    /// Shows no call, and of those that are denied only the last one, in the status line: the
    /// report at the end names all of them.
    #[must_use]
    pub fn of_denied_calls(self) -> Self {
        Self { calls: false, denied_only: true, ..self }
    }

    /// Shows new values of arguments as well.
    #[must_use]
    pub fn with_values(self) -> Self {
        Self { values: true, ..self }
    }

    /// Shows a new call, or a new value of one of its arguments.
    pub fn new_call(&self, call: &NewCall) {
        if let Some(line) = self.line_of(call) {
            self.line(&line);
        }
    }

    fn line_of(&self, call: &NewCall) -> Option<String> {
        if !self.calls || call.argument.is_some() && !self.values {
            return None;
        }
        let NewCall { seconds, command, pid, .. } = call;
        let name = call.display();
        Some(match call.outcome {
            Some(outcome) => {
                let (how, phase) =
                    (outcome.display(), call.denied_in_phase.map_or("unknown", Phase::name));
                format!("+{seconds:.2}s  denied: {name}  {how}  {command}[{pid}]  ({phase})")
            }
            None => format!("+{seconds:.2}s  {name}  {command}[{pid}]"),
        })
    }

    /// Shows a line, unless it is to be quiet.
    pub fn line(&self, text: &str) {
        match self.detail {
            Detail::Quiet => {}
            Detail::Lines => print_err(text),
            Detail::StatusLine if is_writable() => self.bar.suspend(|| print_err(text)),
            Detail::StatusLine => {}
        }
    }

    /// There is a status line to keep up to date.
    pub fn has_status_line(&self) -> bool {
        self.detail == Detail::StatusLine
    }

    /// Brings the status line up to date.
    pub fn status(&self, status: &Status<'_>) {
        if self.detail != Detail::StatusLine || !is_writable() {
            return;
        }
        let (_, columns) = Term::stderr().size();
        self.bar.set_message(cut(&self.message(status), columns.into()));
        self.bar.tick();
    }

    fn message(&self, status: &Status<'_>) -> String {
        // What matters most comes first: the end is cut off where there is no room.
        let (lost, unharmed) = match status.losses {
            0 => (String::new(), " · no losses"),
            losses => {
                (format!("{} · ", painted(Meaning::Incomplete, &format!("{losses} LOST"))), "")
            }
        };
        if let Some(targets) = status.awaited.filter(|_| status.calls == 0) {
            return format!("{lost}waiting for {targets}{unharmed}");
        }
        let denied = match status.last_denied.filter(|_| self.denied_only) {
            Some(last) => {
                let denied = painted(Meaning::Denied, &format!("{} denied", status.denied));
                format!("{denied}, the last one {last} · ")
            }
            None => String::new(),
        };
        let quiet = match status.quiet_for {
            Some(quiet) => format!("last new one {} s ago", quiet.as_secs()),
            None => "none yet".to_owned(),
        };
        let rate = status.calls_per_second;
        let rate = rate.map(|rate| format!(" · {rate:.0} calls/s")).unwrap_or_default();
        format!("{lost}{denied}{} calls seen · {quiet}{rate}{unharmed}", status.calls)
    }

    /// Takes the status line away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

fn painted(meaning: Meaning, text: &str) -> String {
    if is_colored() { meaning.paint(text) } else { text.to_owned() }
}

/// The beginning of a line, so that a terminal of so many columns does not wrap it.
fn cut(line: &str, columns: usize) -> String {
    match columns {
        0 => String::new(),
        _ => truncate_str(line, columns, "…").into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(status: &Status<'_>) -> String {
        Live::new(Detail::StatusLine).message(status)
    }

    #[test]
    fn awaited_targets_are_named_until_the_first_call() {
        let mut status = Status { awaited: Some("shop/web-0"), ..Status::default() };
        assert_eq!(message(&status), "waiting for shop/web-0 · no losses");
        status.calls = 1;
        assert_eq!(message(&status), "1 calls seen · none yet · no losses");
    }

    #[test]
    fn a_status_is_calls_quiet_rate_and_losses() {
        let status = Status {
            calls: 42,
            denied: 1,
            last_denied: Some("mount, to sh"),
            quiet_for: Some(Duration::from_millis(2900)),
            calls_per_second: Some(1234.5),
            losses: 2,
            ..Status::default()
        };
        let expected = "42 calls seen · last new one 2 s ago · 1234 calls/s";
        assert_eq!(message(&status), format!("2 LOST · {expected}"));
        let unharmed = Status { losses: 0, ..status };
        assert_eq!(message(&unharmed), format!("{expected} · no losses"));
        let denied_only = Live::new(Detail::StatusLine).of_denied_calls().message(&status);
        assert_eq!(
            denied_only,
            format!("2 LOST · 1 denied, the last one mount, to sh · {expected}")
        );
    }

    #[test]
    fn a_line_is_cut_to_the_width_at_any_width() {
        let colored = format!("{} · no losses", Meaning::Incomplete.paint("2 LOST · 42 calls"));
        for line in [
            "waiting for 厨房/网站-0, 厨房/网站-1 · no losses",
            "42 calls seen · last new one 2 s ago · 1234 calls/s · no losses",
            "waiting for e\u{301}te\u{301}/👩‍🍳-0 · no losses",
            &colored,
            "",
        ] {
            for columns in 0..120 {
                let shown = cut(line, columns);
                let width = console::measure_text_width(&shown);
                assert!(width <= columns, "{width} of {columns}: {shown:?}");
                let is_whole = console::measure_text_width(line) <= columns;
                assert_eq!(shown == line, is_whole, "{columns}: {shown:?}");
                assert!(is_whole || columns == 0 || width + 3 >= columns, "{columns}: {shown:?}");
            }
        }
        assert_eq!(cut("waiting for 厨房", 15), "waiting for 厨…");
        assert_eq!(cut("waiting for 厨房", 14), "waiting for …");
        assert!(cut(&colored, 5).ends_with("\u{1b}[0m"), "the colour ends with the line");
    }
}
