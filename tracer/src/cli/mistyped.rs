//! Reads a command line, and says what was probably meant by one that cannot be read.

use std::{ffi::OsString, io::Write as _, process::ExitCode};

use clap::{
    CommandFactory as _, Parser as _,
    error::{ContextKind, ContextValue, ErrorKind},
};

use super::{Cli, Color};

/// How alike a word must be to the name of a subcommand, from 0 to 1.
const ALIKE: f64 = 0.6;

/// Names that other programs have for what a subcommand does.
const OTHER_NAMES: [(&str, &str); 4] =
    [("ls", "list"), ("ps", "list"), ("doctor", "check"), ("merge", "profile")];

const NOTHING: &str = "
error: nothing to record was named

hint: name a target (tracer --cgroup TARGET; `tracer list` shows what runs here), or give a command to run and record (tracer -- \
COMMAND); `tracer --help` lists the rest
";

impl Cli {
    /// Reads a command line, the program's name first.
    ///
    /// # Errors
    /// It cannot be understood, or asks for help.
    pub fn read(words: impl Iterator<Item = OsString>) -> Result<Self, Mistyped> {
        let words: Vec<OsString> = words.collect();
        Self::try_parse_from(&words).map_err(|error| Mistyped::new(error, &words))
    }
}

/// A command line that cannot be understood, or that asks for help.
#[derive(Debug)]
pub struct Mistyped {
    error: clap::Error,
    hints: Vec<String>,
    is_empty: bool,
    color: Color,
}

impl Mistyped {
    pub(super) fn new(error: clap::Error, arguments: &[OsString]) -> Self {
        let words: Vec<String> =
            arguments.iter().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
        let is_empty = words.iter().all(|word| word == "--");
        let hints = if is_empty { Vec::new() } else { hints(&error, &words) };
        Self { error, hints, is_empty, color: Color::of_words(&words) }
    }

    /// The message, without colours.
    pub fn message(&self) -> String {
        let mut message = self.error.render().to_string();
        if self.is_empty && !self.is_help() {
            message = Cli::command().render_help().to_string();
            message.push_str(NOTHING);
        }
        for hint in &self.hints {
            message.push_str("\nhint: ");
            message.push_str(hint);
            message.push('\n');
        }
        message
    }

    fn is_help(&self) -> bool {
        !self.error.use_stderr()
    }

    /// Tells it, and the exit code that follows.
    pub fn report(&self) -> ExitCode {
        self.color.choice().write_global();
        // Nobody is left to tell that nobody listens.
        let _ = if self.is_help() {
            self.error.print()
        } else {
            write!(std::io::stderr(), "{}", self.message())
        };
        ExitCode::from(u8::try_from(self.error.exit_code()).unwrap_or(2))
    }
}

/// What clap does not know: where commands and subcommands belong.
fn hints(error: &clap::Error, words: &[String]) -> Vec<String> {
    match error.kind() {
        ErrorKind::MissingRequiredArgument if lacks_a_target(error) => {
            vec!["a command to run does as well, behind `--`".to_owned()]
        }
        ErrorKind::UnknownArgument | ErrorKind::InvalidSubcommand | ErrorKind::ArgumentConflict => {
            of_an_unknown_word(error, words)
        }
        _ => Vec::new(),
    }
}

fn lacks_a_target(error: &clap::Error) -> bool {
    let missing = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::Strings(missing)) => missing.as_slice(),
        Some(ContextValue::String(missing)) => std::slice::from_ref(missing),
        _ => return false,
    };
    missing.iter().any(|one| one.starts_with("--cgroup"))
}

fn of_an_unknown_word(error: &clap::Error, words: &[String]) -> Vec<String> {
    let wrong = [ContextKind::InvalidSubcommand, ContextKind::InvalidArg];
    let wrong = wrong.into_iter().find_map(|kind| match error.get(kind) {
        Some(ContextValue::String(wrong)) => Some(wrong.as_str()),
        _ => None,
    });
    let own = words.iter().take_while(|word| *word != "--").collect::<Vec<_>>();
    let at = own.iter().position(|word| Some(word.as_str()) == wrong);
    let (Some(wrong), Some(at)) = (wrong.filter(|wrong| !wrong.starts_with('-')), at) else {
        return Vec::new();
    };
    let names = subcommands();
    if names.iter().any(|name| name == wrong) {
        return vec![format!(
            "a subcommand comes first, and its own options behind it: tracer {wrong} [OPTIONS]"
        )];
    }
    let mut hints = Vec::new();
    if at == 0
        && let Some(meant) = meant(wrong, &names)
    {
        hints.push(format!("did you mean `tracer {meant}`?"));
    }
    if own.len() == words.len() {
        let (before, command) = words.split_at(at);
        let line = [before, &["--".to_owned()], command].concat().join(" ");
        let is_plain = |character: char| character.is_ascii_graphic() || character == ' ';
        let shown = if line.chars().all(is_plain) { line.as_str() } else { "-- COMMAND" };
        hints.push(format!("a command to run goes behind `--`: tracer {shown}"));
    }
    hints
}

fn subcommands() -> Vec<String> {
    let command = Cli::command();
    let shown = command.get_subcommands().filter(|one| !one.is_hide_set());
    shown.map(|one| one.get_name().to_owned()).collect()
}

/// The subcommand that a word is most like.
fn meant(word: &str, names: &[String]) -> Option<String> {
    if let Some((_, name)) = OTHER_NAMES.iter().find(|(other, _)| *other == word) {
        return Some((*name).to_owned());
    }
    let alike = |name: &String| (strsim::normalized_damerau_levenshtein(word, name), name.clone());
    let best = names.iter().map(alike).max_by(|one, other| one.0.total_cmp(&other.0));
    best.filter(|(score, _)| *score >= ALIKE).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message_of(line: &str) -> String {
        let words = std::iter::once("tracer").chain(line.split_whitespace());
        Cli::read(words.map(OsString::from)).expect_err(line).message()
    }

    #[test]
    fn what_was_meant_is_told() {
        for (line, parts) in [
            ("", &["nothing to record", "tracer -- COMMAND", "tracer --cgroup TARGET"][..]),
            ("--", &["nothing to record", "tracer -- COMMAND"]),
            ("-o x.json", &["--cgroup <TARGET>", "a command to run does as well"]),
            ("verify p.json", &["--cgroup <TARGET>", "a command to run does as well"]),
            ("lst", &["did you mean `tracer list`?", "tracer -- lst"]),
            ("chek", &["did you mean `tracer check`?"]),
            ("ls -l", &["did you mean `tracer list`?", "behind `--`: tracer -- ls -l"]),
            ("make -j2", &["behind `--`: tracer -- make -j2"]),
            ("--out x.json make", &["behind `--`: tracer --out x.json -- make"]),
            ("verify p.json ls", &["behind `--`: tracer verify p.json -- ls"]),
            ("--docker-host unix:///x list", &["comes first", "tracer list [OPTIONS]"]),
            ("--cgroup web list", &["comes first", "tracer list [OPTIONS]"]),
            ("--duration -1s -- true", &["below zero"]),
            ("--denied --no-denied -- true", &["cannot be used with"]),
            ("enforce --profile p.json q.json -- true", &["cannot be used with"]),
            ("enforce -- true", &["<PROFILE"]),
        ] {
            let message = message_of(line);
            for part in parts {
                assert!(message.contains(part), "{line:?}: no {part:?} in:\n{message}");
            }
        }
        for (line, part) in [
            ("make -j2", "did you mean"),
            ("--nonsense", "behind `--`"),
            ("--help", "hint:"),
            ("--cgroup web list", "did you mean"),
            ("\u{1b}[2J", "tracer -- \u{1b}"),
        ] {
            let message = message_of(line);
            assert!(!message.contains(part), "{line:?}: {part:?} in:\n{message}");
        }
    }

    #[test]
    fn a_profile_is_enforced_with_and_without_the_option() {
        for line in ["enforce p.json -- ls", "enforce --profile p.json -- ls"] {
            let words = std::iter::once("tracer").chain(line.split_whitespace());
            let cli = Cli::read(words.map(OsString::from)).expect(line);
            let Some(super::super::Subcommand::Enforce(enforce)) = cli.subcommand else {
                panic!("{line}")
            };
            assert_eq!(enforce.profile(), std::path::Path::new("p.json"), "{line}");
        }
    }
}
