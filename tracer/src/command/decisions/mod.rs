//! The decisions that count for a profile: where they are found, and what they change.

pub(super) mod find;
pub(super) mod linting;

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    time::SystemTime,
};

use anyhow::Result;
use time::{Date, OffsetDateTime};

use self::find::{FoundDecisions, Ignored};
use super::{
    input::{self, ExpectedFile},
    layout::{is_printed, names_directory},
};
use crate::{
    cli,
    message::print_err,
    profile::ProfileOptions,
    text::{escape, escape_path},
    workbench::{
        decisions::{Choice, Decision, Decisions, DecisionsError, read},
        explain::one::DecisionEntry,
    },
};

/// Decisions, and the file that they were read from.
pub(super) struct InForce {
    /// The file.
    pub(super) path: PathBuf,
    decisions: Decisions,
    today: Date,
}

/// A file of decisions cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}:{problem}\n\nhint: {}", escape_path(.path), .problem.problem.remedy())]
pub(super) struct DecisionsFileError {
    /// The file.
    pub(super) path: PathBuf,
    /// What is wrong with it.
    pub(super) problem: DecisionsError,
}

/// The day, in UTC.
pub(super) fn today() -> Date {
    OffsetDateTime::from(SystemTime::now()).date()
}

/// The directory of a file; the current one for a bare name.
pub(super) fn directory_of(file: &Path) -> &Path {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// The file of decisions that counts for what is in a directory, or that was typed. Prints a
/// warning about each that does not count.
///
/// # Errors
/// The file that was typed cannot be read.
pub(super) fn locate(
    typed: &cli::DecisionOptions,
    directory: Option<&Path>,
) -> Result<Option<(PathBuf, Vec<u8>)>> {
    if let Some(path) = &typed.decisions_file {
        return Ok(Some((path.clone(), input::read(ExpectedFile::Decisions, path)?)));
    }
    let Some(directory) = directory.filter(|_| !typed.no_decisions) else { return Ok(None) };
    let FoundDecisions { file, ignored } = find::find(directory, &find::trusted());
    ignored.iter().for_each(warn);
    Ok(file)
}

/// Prints why a file does not count.
pub(super) fn warn(ignored: &Ignored) {
    print_err(&format!("warning: {ignored}\nhint: {}", ignored.why.remedy()));
}

impl InForce {
    /// Reads the decisions that count for what is in a directory, or that were typed; None when
    /// there are none.
    ///
    /// # Errors
    /// They cannot be read.
    pub(super) fn load(
        typed: &cli::DecisionOptions,
        directory: Option<&Path>,
    ) -> Result<Option<Self>> {
        let Some((path, bytes)) = locate(typed, directory)? else { return Ok(None) };
        match read(&bytes) {
            Ok(decisions) => Ok(Some(Self { path, decisions, today: today() })),
            Err(problem) => Err(DecisionsFileError { path, problem }.into()),
        }
    }

    /// The decision about a syscall that counts, when it is this one.
    pub(super) fn reason(&self, choice: Choice, name: &str) -> Option<String> {
        let decision = self.decisions.of(name, self.today)?;
        (decision.choice == choice).then(|| decision.reason())
    }

    /// What was decided about a syscall, also when it has ended.
    pub(super) fn about(&self, name: &str) -> Option<DecisionEntry> {
        let decision = self.decisions.about(name, self.today)?;
        Some(DecisionEntry {
            file: escape_path(&self.path).into(),
            decided: decision.about(name),
            expired: decision.is_expired(self.today),
        })
    }

    /// What counts and was not decided otherwise on the command line; None: there nothing can be.
    fn applied(&self, typed: Option<&cli::DerivationOptions>) -> Vec<(&str, &Decision)> {
        let is_left = |(name, decision): &(&str, &Decision)| {
            let opposite = typed.map(|typed| match decision.choice {
                Choice::Allow => &typed.exclude,
                Choice::Deny => &typed.include,
            });
            !opposite.into_iter().flatten().any(|typed| typed == name)
        };
        self.decisions.in_force(self.today).into_iter().filter(is_left).collect()
    }

    /// The options with what is decided.
    ///
    /// # Errors
    /// A syscall is both included and excluded.
    pub(super) fn apply(
        &self,
        typed: Option<&cli::DerivationOptions>,
        options: ProfileOptions,
    ) -> Result<ProfileOptions> {
        let applied = self.applied(typed).into_iter();
        Ok(options.with_decided(applied.map(|(name, decision)| decision.about(name)).collect())?)
    }

    /// Which decisions are used, on one line for each choice; nothing when none is.
    pub(super) fn provenance(&self, typed: Option<&cli::DerivationOptions>) -> String {
        let mut text = String::new();
        let applied = self.applied(typed);
        for choice in Choice::ALL {
            let used = applied.iter().filter(|(_, decision)| decision.choice == choice);
            let used: Vec<String> =
                used.map(|(name, decision)| format!("{name} ({})", decision.reason())).collect();
            if !used.is_empty() {
                let (path, what) = (escape_path(&self.path), choice.name());
                // Writing to a String cannot fail.
                let _ = writeln!(text, "decided in {path}: {what} {}", used.join("; "));
            }
        }
        text
    }

    /// Warnings about decisions that do not count.
    pub(super) fn warnings(&self) -> String {
        let (mut text, path) = (String::new(), escape_path(&self.path));
        for decision in self.decisions.expired(self.today) {
            let (what, names, reason) =
                (decision.choice.name(), decision.names(), decision.reason());
            let _ = writeln!(
                text,
                "warning: {path}: {what} {names} ({reason}) has ended, and is not applied"
            );
        }
        let named = self.decisions.entries.iter().flat_map(|entry| &entry.syscalls);
        for name in named.filter(|name| !name.is_known()) {
            let name = escape(&name.text);
            let _ = writeln!(
                text,
                "warning: {path}: no system call is named {name}: what is decided about it is not applied"
            );
        }
        text
    }
}

/// Applies the decisions that count for the profile that is written to `out`, and says which.
///
/// # Errors
/// They cannot be read.
pub(super) fn apply(
    out: &Path,
    typed: &cli::DerivationOptions,
    options: ProfileOptions,
) -> Result<ProfileOptions> {
    let directory = match (is_printed(out), names_directory(out)) {
        (true, _) => Path::new("."),
        (false, true) => out,
        (false, false) => directory_of(out),
    };
    let Some(decisions) = InForce::load(&typed.decisions, Some(directory))? else {
        return Ok(options);
    };
    print_err(&decisions.warnings());
    if !typed.quiet {
        print_err(&decisions.provenance(Some(typed)));
    }
    decisions.apply(Some(typed), options)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use time::Month;

    use super::*;
    use crate::cli::{Cli, Subcommand};

    const FILE: &str = "\
        [[allow]]\n\
        syscalls = [\"ptrace\", \"bpf\"]\n\
        because = \"debug sidecar\"\n\
        until = 2027-03-01\n\
        [[deny]]\n\
        syscalls = [\"mount\", \"opnat\"]\n\
        because = \"never\"\n\
        [[deny]]\n\
        syscalls = [\"swapon\"]\n\
        because = \"old\"\n\
        until = 2020-12-31\n";

    fn in_force() -> InForce {
        let decisions = read(FILE.as_bytes()).expect("decisions");
        let today = Date::from_calendar_date(2026, Month::May, 1).expect("a day");
        InForce { path: "/srv/tracer.toml".into(), decisions, today }
    }

    fn typed(words: &[&str]) -> cli::DerivationOptions {
        let words = ["tracer", "profile", "-o", "out.json", "in.json"].iter().chain(words);
        match Cli::try_parse_from(words).expect("a command line").subcommand {
            Some(Subcommand::Profile(typed)) => typed.derivation,
            other => panic!("{other:?}"),
        }
    }

    fn names(names: &std::collections::BTreeSet<String>) -> Vec<&str> {
        names.iter().map(String::as_str).collect()
    }

    #[test]
    fn what_is_decided_is_included_and_excluded() {
        let options = in_force().apply(None, ProfileOptions::default()).expect("options");
        assert_eq!(names(options.include()), ["bpf", "ptrace"]);
        assert_eq!(names(options.exclude()), ["mount"], "no syscall, and one that has ended");
    }

    #[test]
    fn the_command_line_comes_before_the_file() {
        let words = ["--exclude", "bpf", "--include", "mount"];
        let typed = typed(&words);
        let options = ProfileOptions::default()
            .with_include(["mount".to_owned()])
            .and_then(|options| options.with_exclude(["bpf".to_owned()]))
            .expect("options");
        let options = in_force().apply(Some(&typed), options).expect("options");
        assert_eq!(names(options.include()), ["mount", "ptrace"]);
        assert_eq!(names(options.exclude()), ["bpf"]);
        let said = "decided in /srv/tracer.toml: allow ptrace (debug sidecar, until 2027-03-01)\n";
        assert_eq!(in_force().provenance(Some(&typed)), said);
    }

    #[test]
    fn what_is_used_and_what_is_not_is_said() {
        let said = in_force().provenance(Some(&typed(&[])));
        let lines: Vec<&str> = said.lines().collect();
        let expected = [
            "decided in /srv/tracer.toml: allow ptrace (debug sidecar, until 2027-03-01); bpf (debug sidecar, until 2027-03-01)",
            "decided in /srv/tracer.toml: deny mount (never)",
        ];
        assert_eq!(lines, expected);
        let warnings = in_force().warnings();
        assert!(
            warnings.contains("deny swapon (old, until 2020-12-31) has ended, and is not applied"),
            "{warnings}"
        );
        assert!(warnings.contains("no system call is named opnat"), "{warnings}");
        assert_eq!(warnings.lines().count(), 2);
    }

    #[test]
    fn a_decision_is_given_for_its_choice_alone() {
        let decisions = in_force();
        assert_eq!(decisions.reason(Choice::Deny, "mount").as_deref(), Some("never"));
        assert_eq!(decisions.reason(Choice::Allow, "mount"), None);
        assert_eq!(decisions.reason(Choice::Deny, "swapon"), None, "it has ended");
    }

    #[test]
    fn what_was_decided_is_known_also_when_it_has_ended() {
        let decisions = in_force();
        let about = |name| decisions.about(name);
        let (ended, counts) = (about("swapon").expect("ended"), about("bpf").expect("counts"));
        assert_eq!((ended.decided.choice, ended.expired), (Choice::Deny, true));
        assert_eq!((counts.decided.choice, counts.expired), (Choice::Allow, false));
        assert_eq!(counts.decided.until.as_deref(), Some("2027-03-01"));
        assert_eq!(about("read"), None);
    }

    #[test]
    fn an_error_names_the_file_the_line_and_the_column() {
        let problem = read(b"[[allow]]\nsyscalls = 1\n").expect_err("no list");
        let error = DecisionsFileError { path: "/srv/tracer.toml".into(), problem };
        let shown = error.to_string();
        assert!(shown.starts_with("/srv/tracer.toml:2:12: `syscalls` must be"), "{shown}");
        assert!(shown.contains("\n\nhint: write syscalls = "), "{shown}");
    }
}
