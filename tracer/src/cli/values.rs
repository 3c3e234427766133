//! Values of options, and how they are read.

use std::{path::PathBuf, time::Duration};

use clap::ValueEnum;

/// When messages are coloured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless the variable `NO_COLOR` holds anything
    #[default]
    Auto,
    /// Also into files and pipes
    Always,
    /// Never
    Never,
}

impl Color {
    /// What words say that cannot be understood as a whole, and without them the environment.
    pub(super) fn of_words(words: &[String]) -> Self {
        let typed = words.iter().take_while(|word| *word != "--").enumerate();
        let typed = typed.filter_map(|(at, word)| match word.strip_prefix("--color")? {
            "" => words.get(at + 1).cloned(),
            value => value.strip_prefix('=').map(str::to_owned),
        });
        let value = typed.last().or_else(|| std::env::var(COLOR_VARIABLE).ok());
        value.and_then(|value| Self::from_str(&value, false).ok()).unwrap_or_default()
    }

    /// The same, as the library that writes help takes it.
    pub fn choice(self) -> anstream::ColorChoice {
        match self {
            Self::Auto => anstream::ColorChoice::Auto,
            Self::Always => anstream::ColorChoice::Always,
            Self::Never => anstream::ColorChoice::Never,
        }
    }
}

/// The variable that takes the place of `--color`.
pub(super) const COLOR_VARIABLE: &str = "TRACER_COLOR";

/// What is shown while recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LiveView {
    /// Neither calls nor a status line
    None,
    /// On a terminal a status line
    Summary,
    /// The status line, and a line for each call that is seen for the first time, and for each
    /// start and end of a container
    Syscalls,
}

/// Where the kernel program is attached: for tests, and to compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AttachValue {
    /// The hook that loses nothing; of several, the cheapest
    Auto,
    /// Raw tracepoints
    Raw,
    /// Classic tracepoints, by perf events
    Classic,
}

/// The error of a call that is not allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ErrnoValue {
    /// "Function not implemented": C libraries fall back to older calls
    Enosys,
    /// "Operation not permitted"
    Eperm,
}

/// The default action of the profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DefaultActionValue {
    /// The call fails with --errno
    #[value(alias = "SCMP_ACT_ERRNO")]
    Errno,
    /// The call is logged and runs: nothing is enforced
    #[value(alias = "SCMP_ACT_LOG")]
    Log,
    /// The process is killed
    #[value(alias = "SCMP_ACT_KILL_PROCESS")]
    KillProcess,
    /// The thread is killed
    // As libseccomp defines the short name.
    #[value(aliases = ["SCMP_ACT_KILL_THREAD", "SCMP_ACT_KILL"])]
    KillThread,
    /// The thread gets SIGSYS
    #[value(alias = "SCMP_ACT_TRAP")]
    Trap,
}

/// How arguments are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Arguments {
    /// Limit socket, clone and personality to the values that Docker's default and RuntimeDefault
    /// allow, and those that were seen. clone3 fails with ENOSYS, and C libraries use clone
    Default,
    /// Allow only the values that were seen, of all arguments that tracer reads
    Observed,
    /// No limits: allow calls by their names
    Off,
}

/// Whose base set is added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RuntimeValue {
    /// runc's and crun's
    Any,
    /// runc's
    Runc,
    /// crun's
    Crun,
    /// youki's
    Youki,
    /// No runtime's: a container may not start under the profile
    None,
}

/// A Unix socket, as Docker's own client takes it.
pub(super) fn parse_socket(text: &str) -> Result<PathBuf, String> {
    let path = text.strip_prefix("unix://").unwrap_or(text);
    if path.starts_with('/') {
        Ok(path.into())
    } else {
        Err("it must be unix:///PATH: tracer asks only sockets of this host".to_owned())
    }
}

/// A number with a unit (`90s`, `10m`, `1h`, `1h30m`); a number alone is seconds, as `sleep(1)` and
/// `timeout(1)` take them.
pub(super) fn parse_time(text: &str) -> Result<Duration, String> {
    let is_number = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
    };
    if text
        .strip_prefix('-')
        .is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
    {
        return Err("a time cannot be below zero; write it like 90s, 10m or 1h30m".to_owned());
    }
    let time = if is_number(text) {
        let seconds =
            text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        seconds.ok_or("it is no number of seconds; write it like 90s, 10m or 1h30m")?
    } else {
        humantime::parse_duration(text)
            .map_err(|error| format!("{error}; write it like 90s, 10m or 1h30m"))?
    };
    if time.is_zero() {
        return Err("it must be longer than zero".to_owned());
    }
    Ok(time)
}

/// How often snapshots are written at most.
const SHORTEST_PERIOD: Duration = Duration::from_secs(1);

/// A time between two snapshots.
pub(super) fn parse_period(text: &str) -> Result<Duration, String> {
    let period = parse_time(text)?;
    if period < SHORTEST_PERIOD {
        return Err(
            "files are written once a second at most; write it like 1s, 5m or 1h".to_owned()
        );
    }
    Ok(period)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_colour_before_a_command_counts() {
        for (line, color) in [
            ("--color never --help", Color::Never),
            ("lint --color=always --help", Color::Always),
            ("--color=never --color always x", Color::Always),
            ("--color", Color::Auto),
            ("--color=pink", Color::Auto),
            ("--colors=never", Color::Auto),
            ("-- ls --color=never", Color::Auto),
        ] {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            assert_eq!(Color::of_words(&words), color, "{line}");
        }
    }

    #[test]
    fn snapshots_come_once_a_second_at_most() {
        for (text, seconds) in [("1", 1), ("1s", 1), ("5m", 300), ("1000ms", 1)] {
            assert_eq!(parse_period(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for (text, part) in [
            ("0.9", "once a second"),
            ("999ms", "once a second"),
            ("-5m", "below zero"),
            ("often", "like 90s"),
        ] {
            let error = parse_period(text).expect_err(text);
            assert!(error.contains(part), "{text:?}: {error}");
        }
    }

    #[test]
    fn times_have_units_or_are_seconds() {
        for (text, seconds) in [("30", 30.0), ("0.5", 0.5), ("90s", 90.0), ("1h30m", 5400.0)] {
            assert_eq!(parse_time(text), Ok(Duration::from_secs_f64(seconds)), "{text}");
        }
        for (text, part) in [
            ("-1s", "below zero"),
            ("-1", "below zero"),
            ("0", "longer than zero"),
            ("1.2.3", "no number of seconds"),
            (".", "no number of seconds"),
            ("soon", "like 90s"),
            ("-x", "like 90s"),
            ("", "like 90s"),
            (&"9".repeat(40), "no number of seconds"),
        ] {
            let error = parse_time(text).expect_err(text);
            assert!(error.contains(part), "{text:?}: {error}");
        }
    }

    #[test]
    fn values_are_understood_as_manuals_and_profiles_write_them() {
        for (text, errno) in [("EPERM", ErrnoValue::Eperm), ("enosys", ErrnoValue::Enosys)] {
            assert_eq!(ErrnoValue::from_str(text, true), Ok(errno));
        }
        for (text, action) in [
            ("SCMP_ACT_LOG", DefaultActionValue::Log),
            ("SCMP_ACT_ERRNO", DefaultActionValue::Errno),
            ("SCMP_ACT_KILL_PROCESS", DefaultActionValue::KillProcess),
            ("SCMP_ACT_KILL_THREAD", DefaultActionValue::KillThread),
            ("SCMP_ACT_KILL", DefaultActionValue::KillThread),
            ("scmp_act_trap", DefaultActionValue::Trap),
            ("Log", DefaultActionValue::Log),
        ] {
            assert_eq!(DefaultActionValue::from_str(text, true), Ok(action), "{text}");
        }
    }
}
