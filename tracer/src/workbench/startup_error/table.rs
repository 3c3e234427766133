//! The messages that runtimes gave when one call was missing, as they were collected:
//! `profiles/runtime-errors.tsv`. It is embedded, so that there is one truth.

use std::sync::LazyLock;

use crate::profile::base::OciRuntime;

const TABLE: &str = include_str!("../../../../profiles/runtime-errors.tsv");
/// Messages of versions that were not run, with the same columns and their sources.
const REPORTED: &str = include_str!("../../../../profiles/runtime-errors-reported.tsv");

/// What the runtime was doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// `run`: it creates a container and starts it.
    Run,
    /// `create`: it makes everything ready.
    Create,
    /// `start`: it starts what was created.
    Start,
    /// `exec`: it executes a program in a running container.
    Exec,
    /// `exec --user`: the same as another user.
    ExecAsUser,
}

/// What the profile answered to the missing call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProfileAnswer {
    /// An error number, ENOSYS.
    Enosys,
    /// An error number, EPERM.
    Eperm,
    /// It killed the process.
    KillProcess,
    /// It killed the thread.
    KillThread,
}

/// The process of the container that was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Process {
    /// Root, without no_new_privs.
    Root,
    /// Another user, without no_new_privs.
    User,
    /// Another user, with no_new_privs.
    NoNewPrivs,
}

/// Attempts with one missing call that ended alike. Every combination of the lists was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The runtime.
    pub runtime: OciRuntime,
    /// The call that was missing.
    pub call: &'static str,
    /// The runtime's exit status; None when it did not end.
    pub status: Option<u8>,
    /// The versions.
    pub versions: Vec<&'static str>,
    /// What they were doing.
    pub stages: Vec<Stage>,
    /// What the profile answered.
    pub answers: Vec<ProfileAnswer>,
    /// What was started.
    pub processes: Vec<Process>,
    /// What the runtime wrote as its error; `*` stands for a name or a number. Empty when it wrote
    /// nothing.
    pub message: &'static str,
}

impl Stage {
    /// Every stage.
    pub const ALL: [Self; 5] = [Self::Run, Self::Create, Self::Start, Self::Exec, Self::ExecAsUser];

    /// Its name in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Create => "create",
            Self::Start => "start",
            Self::Exec => "exec",
            Self::ExecAsUser => "exec-user",
        }
    }
}

impl ProfileAnswer {
    /// Every answer.
    pub const ALL: [Self; 4] = [Self::Enosys, Self::Eperm, Self::KillProcess, Self::KillThread];

    /// Its name in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Enosys => "enosys",
            Self::Eperm => "eperm",
            Self::KillProcess => "kill-process",
            Self::KillThread => "kill-thread",
        }
    }
}

impl Process {
    /// Every process.
    pub const ALL: [Self; 3] = [Self::Root, Self::User, Self::NoNewPrivs];

    /// Its name in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::User => "user",
            Self::NoNewPrivs => "no-new-privs",
        }
    }
}

impl Row {
    /// How many attempts it stands for.
    pub fn attempts(&self) -> usize {
        self.versions.len() * self.stages.len() * self.answers.len() * self.processes.len()
    }
}

/// Every row, those that were tried first.
pub fn rows() -> &'static [Row] {
    static ROWS: LazyLock<Vec<Row>> =
        LazyLock::new(|| lines(TABLE).chain(lines(REPORTED)).filter_map(parse).collect());
    &ROWS
}

/// The rows that were tried.
pub fn tried() -> &'static [Row] {
    &rows()[..lines(TABLE).count()]
}

/// Every line that must be a row.
fn lines(table: &'static str) -> impl Iterator<Item = &'static str> {
    table.lines().filter(|line| !line.starts_with('#'))
}

fn parse(line: &'static str) -> Option<Row> {
    let mut columns = line.split('\t');
    let mut next = || columns.next();
    let (runtime, call, status, versions) = (next()?, next()?, next()?, next()?);
    let (stages, answers, processes, message) = (next()?, next()?, next()?, next()?);
    Some(Row {
        runtime: OciRuntime::ALL.into_iter().find(|known| known.name() == runtime)?,
        call,
        status: if status == "-" { None } else { Some(status.parse().ok()?) },
        versions: versions.split(',').collect(),
        stages: all(stages, &Stage::ALL, Stage::name)?,
        answers: all(answers, &ProfileAnswer::ALL, ProfileAnswer::name)?,
        processes: all(processes, &Process::ALL, Process::name)?,
        message,
    })
}

/// The values that a list names; None when it names an unknown one.
fn all<T: Copy>(list: &str, known: &[T], name: fn(T) -> &'static str) -> Option<Vec<T>> {
    list.split(',').map(|word| known.iter().copied().find(|one| name(*one) == word)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_a_row_of_a_call_that_the_base_set_has() {
        for line in lines(TABLE).chain(lines(REPORTED)) {
            let row = parse(line).unwrap_or_else(|| panic!("{line:?}"));
            let set = row.runtime.base_set();
            assert!(set.calls.iter().any(|call| call.name == row.call), "{line:?}");
            for version in &row.versions {
                let is_tried = set.proven.start.iter().any(|proven| proven == version);
                assert_eq!(is_tried, tried().contains(&row), "{line:?}");
            }
        }
        assert!(tried().len() > 100 && tried().len() < rows().len());
    }
}
