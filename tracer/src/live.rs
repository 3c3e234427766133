//! What a person sees while recording: a line for each call that is seen for the first time, a line
//! for what happens to a container, and a status line.
//!
//! Everything goes to standard error. Names from outside come in escaped. On a terminal no line of
//! these is wider than the terminal.

use std::time::Duration;

use console::{Term, measure_text_width, truncate_str};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::{
    color::MarkMeaning,
    message::{is_colored, is_writable, print_err},
    recording::{Phase, event::NewCall},
    text::Escaped,
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
    /// How wide a line may be; None: any width.
    columns: fn() -> Option<usize>,
}

/// Where a call was made, as far as it is known by then.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// The phase of its container's life.
    pub phase: Phase,
    /// Whose it is, where there are several.
    pub container: Option<Escaped>,
}

/// What happens to a container.
#[derive(Clone, Debug, PartialEq)]
pub enum Mark {
    /// Its first call was seen.
    Starts,
    /// A runtime is done with what it does before it loads the filter.
    SetUp {
        /// The first command of it that has a runtime's name.
        by: Option<Escaped>,
        /// How many different ones there were.
        calls: usize,
    },
    /// Its program takes over from the runtime.
    Program {
        /// The program.
        command: Escaped,
        /// Its process id.
        pid: u32,
    },
    /// It is gone.
    Ended {
        /// Its program was seen.
        had_started: bool,
    },
}

/// What a label keeps in any case, in columns, where it is longer.
const LABEL: usize = 12;

/// What the status line shows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StatusFigures<'a> {
    /// The names of the targets, escaped, when none of them exists.
    pub awaited: Option<&'a str>,
    /// Different calls that were seen so far, without those of runtimes that set containers up.
    pub calls: usize,
    /// The latter.
    pub set_up: usize,
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
        let columns = || Some(usize::from(Term::stderr().size_checked()?.1));
        Self { detail, calls: true, denied_only: false, values: false, bar, columns }
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
    pub fn new_call(&self, call: &NewCall, place: &Place) {
        if let Some(line) = self.line_of(call, place) {
            self.line(&line);
        }
    }

    /// Shows what happens to a container.
    pub fn mark(&self, seconds: f64, mark: &Mark, container: &Escaped) {
        if self.calls {
            self.line(&self.mark_line(seconds, mark, container));
        }
    }

    fn line_of(&self, call: &NewCall, place: &Place) -> Option<String> {
        // The set-up has one line as a whole.
        let is_folded = place.phase == Phase::Setup && call.outcome.is_none();
        if !self.calls || (call.argument.is_some() || is_folded) && !self.values {
            return None;
        }
        let NewCall { seconds, command, pid, .. } = call;
        let name = call.display();
        let line = match (call.outcome, place.phase) {
            (Some(outcome), phase) => {
                let (how, phase) = (outcome.display(), phase.name());
                format!("+{seconds:.2}s  denied: {name}  {how}  {command}[{pid}]  ({phase})")
            }
            (None, Phase::Workload) => format!("+{seconds:.2}s  {name}  {command}[{pid}]"),
            (None, phase) => {
                format!("+{seconds:.2}s  {name}  {command}[{pid}]  ({})", phase.name())
            }
        };
        Some(labelled(&line, place.container.as_ref(), (self.columns)()))
    }

    fn mark_line(&self, seconds: f64, mark: &Mark, container: &Escaped) -> String {
        let (time, words) = (format!("+{seconds:.2}s  -- "), self.words(mark));
        let Some(columns) = (self.columns)() else { return format!("{time}{container}{words}") };
        let others = measure_text_width(&time) + measure_text_width(&words);
        let label = cut_start(container, columns.saturating_sub(others).max(LABEL));
        cut(&format!("{time}{label}{words}"), columns)
    }

    /// What stands behind the name of the container.
    fn words(&self, mark: &Mark) -> String {
        match mark {
            Mark::Starts => " starts".to_owned(),
            Mark::SetUp { by, calls } => {
                let plural = if *calls == 1 { "" } else { "s" };
                let how = if self.values { "" } else { " (-v shows them)" };
                // runc calls its processes runc:[1:CHILD] and the like.
                let by = by.as_ref().and_then(|by| by.split(':').next()).unwrap_or("the runtime");
                format!(": {calls} set-up syscall{plural} by {by}{how}")
            }
            Mark::Program { command, pid } => format!(" runs {command}[{pid}]"),
            Mark::Ended { had_started: true } => " ended".to_owned(),
            Mark::Ended { had_started: false } => " ended before its program ran".to_owned(),
        }
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
    pub fn status(&self, status: &StatusFigures<'_>) {
        if self.detail != Detail::StatusLine || !is_writable() {
            return;
        }
        let (_, columns) = Term::stderr().size();
        self.bar.set_message(cut(&self.message(status), columns.into()));
        self.bar.tick();
    }

    fn message(&self, status: &StatusFigures<'_>) -> String {
        // What matters most comes first: the end is cut off where there is no room.
        let (lost, unharmed) = match status.losses {
            0 => (String::new(), " · no losses"),
            losses => {
                (format!("{} · ", painted(MarkMeaning::Incomplete, &format!("{losses} LOST"))), "")
            }
        };
        if let Some(targets) = status.awaited.filter(|_| status.calls == 0) {
            return format!("{lost}waiting for {targets}{unharmed}");
        }
        let denied = match status.last_denied.filter(|_| self.denied_only) {
            Some(last) => {
                let denied = painted(MarkMeaning::Denied, &format!("{} denied", status.denied));
                format!("{denied}, the last one {last} · ")
            }
            None => String::new(),
        };
        let quiet = match status.quiet_for {
            Some(quiet) => format!("last new one {} s ago", quiet.as_secs()),
            None => "none yet".to_owned(),
        };
        let set_up = match status.set_up {
            0 => String::new(),
            set_up => format!(", {set_up} in set-up"),
        };
        let rate = status.calls_per_second;
        let rate = rate.map(|rate| format!(" · {rate:.0} calls/s")).unwrap_or_default();
        format!("{lost}{denied}{} calls seen{set_up} · {quiet}{rate}{unharmed}", status.calls)
    }

    /// Takes the status line away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

fn painted(meaning: MarkMeaning, text: &str) -> String {
    if is_colored() { meaning.paint(text) } else { text.to_owned() }
}

/// A line with whose it is at the end, so that a terminal of so many columns does not wrap it. The
/// end of a label stays: replicas and containers of one pod begin alike.
fn labelled(line: &str, label: Option<&Escaped>, columns: Option<usize>) -> String {
    let whole = |label: &str| format!("{line}  {label}");
    let Some(columns) = columns else {
        return label.map_or_else(|| line.to_owned(), |label| whole(label));
    };
    let Some(label) = label.filter(|_| columns > 2 * LABEL) else { return cut(line, columns) };
    let needed = measure_text_width(label);
    let room = columns.saturating_sub(measure_text_width(line) + 2);
    let room = room.max(LABEL.min(needed)).min(needed);
    if room == needed && measure_text_width(line) + 2 + needed <= columns {
        return whole(label);
    }
    let line = cut(line, columns.saturating_sub(room + 2));
    format!("{line}  {}", cut_start(label, room))
}

/// The end of a text, in so many columns.
fn cut_start(text: &str, columns: usize) -> String {
    if measure_text_width(text) <= columns {
        return text.to_owned();
    }
    let mut end = text;
    while measure_text_width(end) + 1 > columns {
        let Some(first) = end.chars().next() else { break };
        end = &end[first.len_utf8()..];
    }
    format!("…{end}")
}

/// The beginning of a line, so that a terminal of so many columns does not wrap it.
fn cut(line: &str, columns: usize) -> String {
    match columns {
        0 => String::new(),
        _ => truncate_str(line, columns, "…").into_owned(),
    }
}

#[cfg(test)]
#[path = "live_tests.rs"]
mod tests;
