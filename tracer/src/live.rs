//! What a person sees while recording: a line for each call that is seen for the first time, and a status line.
//!
//! Everything goes to standard error. Names from outside come in escaped.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::message::{is_writable, tell};

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
    denied_only: bool,
    values: bool,
    denied: usize,
    last_denied: Option<String>,
    bar: ProgressBar,
    calls_seen: usize,
    last_new: Option<Instant>,
    counted: Option<(Instant, u64)>,
}

/// A call that was seen for the first time.
#[derive(Clone, Debug, PartialEq)]
pub struct FirstSeen<'a> {
    /// Seconds since the recording began.
    pub seconds: f64,
    /// The call's name, with its ABI when that is not x86_64.
    pub call: &'a str,
    /// The command's name, escaped.
    pub command: &'a str,
    /// Process id.
    pub pid: u32,
    /// How it was refused, when it was.
    pub refused: Option<&'a str>,
    /// The phase, of a refused call.
    pub phase: Option<&'a str>,
    /// It is a value of an argument, of a call that is known.
    pub is_value: bool,
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
        Self {
            detail,
            denied_only: false,
            values: false,
            denied: 0,
            last_denied: None,
            bar,
            calls_seen: 0,
            last_new: None,
            counted: None,
        }
    }

    /// Shows no call, and of those that are denied only the last one, in the status line: all of them are told at the end.
    #[must_use]
    pub fn of_denied_calls(self) -> Self {
        Self { denied_only: true, ..self }
    }

    /// Shows new values of arguments as well.
    #[must_use]
    pub fn with_values(self) -> Self {
        Self { values: true, ..self }
    }

    /// Shows a new call, or a new value of one of its arguments.
    pub fn first_seen(&mut self, call: &FirstSeen<'_>) {
        let FirstSeen { seconds, call, command, pid, refused, phase, is_value } = call;
        self.calls_seen += usize::from(!is_value);
        self.last_new = Some(Instant::now());
        if refused.is_some() {
            self.denied += 1;
            self.last_denied = Some(format!("{call}, to {command}"));
        }
        match (refused, phase) {
            _ if self.denied_only || *is_value && !self.values => {}
            (Some(how), phase) => {
                let phase = phase.unwrap_or("unknown");
                self.line(&format!(
                    "+{seconds:.2}s  denied: {call}  {how}  {command}[{pid}]  ({phase})"
                ));
            }
            (None, _) => self.line(&format!("+{seconds:.2}s  {call}  {command}[{pid}]")),
        }
    }

    /// Shows a line, unless it is to be quiet.
    pub fn line(&self, text: &str) {
        match self.detail {
            Detail::Quiet => {}
            Detail::Lines => tell(text),
            Detail::StatusLine if is_writable() => self.bar.suspend(|| tell(text)),
            Detail::StatusLine => {}
        }
    }

    /// There is a status line to keep up to date.
    pub fn has_status_line(&self) -> bool {
        self.detail == Detail::StatusLine
    }

    /// How long ago the last new call was shown; None before the first one.
    pub fn quiet_for(&self) -> Option<Duration> {
        self.last_new.map(|last| last.elapsed())
    }

    /// Brings the status line up to date. `awaited` are the targets as long as none of them is there; `total` is the number of calls
    /// that they made so far, when they are counted.
    pub fn status(&mut self, awaited: Option<&str>, total: Option<u64>, losses: u64) {
        if self.detail != Detail::StatusLine || !is_writable() {
            return;
        }
        let message = self.message(awaited, total, losses);
        self.bar.set_message(message);
        self.bar.tick();
    }

    fn message(&mut self, awaited: Option<&str>, total: Option<u64>, losses: u64) -> String {
        let now = Instant::now();
        let rate = total.map(|total| {
            let (then, before) = self.counted.replace((now, total)).unwrap_or((now, total));
            let seconds = now.duration_since(then).as_secs_f64().max(1e-3);
            format!(" · {:.0} calls/s", total.saturating_sub(before) as f64 / seconds)
        });
        let quiet = match self.quiet_for() {
            Some(quiet) => format!("last new one {} s ago", quiet.as_secs()),
            None => "none yet".to_owned(),
        };
        let denied = match &self.last_denied {
            Some(last) if self.denied_only => {
                format!("{} denied, the last one {last} · ", self.denied)
            }
            _ => String::new(),
        };
        let losses = if losses == 0 { "no losses".to_owned() } else { format!("{losses} LOST") };
        match awaited.filter(|_| self.calls_seen == 0) {
            Some(targets) => format!("waiting for {targets} · {losses}"),
            None => format!(
                "{denied}{} calls seen · {quiet}{} · {losses}",
                self.calls_seen,
                rate.unwrap_or_default()
            ),
        }
    }

    /// Takes the status line away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_told_a_rate_of_what_is_not_there() {
        let mut live = Live::new(Detail::StatusLine);
        assert_eq!(
            live.message(Some("shop/web-0"), Some(0), 0),
            "waiting for shop/web-0 · no losses"
        );
        live.calls_seen = 1;
        let told = live.message(None, Some(10), 2);
        assert!(
            told.starts_with("1 calls seen · none yet · ") && told.ends_with("2 LOST"),
            "{told}"
        );
    }
}
