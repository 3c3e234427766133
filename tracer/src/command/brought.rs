//! The lines of the report about the recordings that were merged: what each brought, what few of
//! them have, and which one makes the result incomplete.

use std::{collections::BTreeSet, path::PathBuf};

use super::{
    closing::{ClosingPart, Weight},
    input::name,
};
use crate::{
    recording::{
        Recording,
        contribution::{Contribution, Contributions},
    },
    text::{Escaped, escape},
    workbench::numbers::{count, counted},
};

/// The most lines about what recordings brought.
const LINES: usize = 6;
/// The most names on a line.
const NAMES: usize = 8;
/// The most files that are named as the reason for something.
const CULPRITS: usize = 3;
/// From this number of recordings on, a call may be in few of them.
const ENOUGH: usize = 5;
/// Few are at most one recording in this number, and one in any case.
const ONE_IN: usize = 20;

/// Recordings that were merged.
pub(super) struct MergedRecordings<'a> {
    /// Their files, in the order in which they were typed.
    pub(super) paths: &'a [PathBuf],
    /// What each brought.
    pub(super) contributions: Contributions,
    /// Calls in fewer recordings than this are left out.
    pub(super) min_runs: Option<u32>,
}

/// Recordings that have one line together.
enum Step<'a> {
    /// One that brought something, or is the same as another one.
    One(usize, &'a Contribution),
    /// So many, from this place on, that brought nothing.
    Nothing(usize, usize),
}

impl MergedRecordings<'_> {
    /// One sentence: what was read.
    pub(super) fn opening(&self, recording: &Recording) -> String {
        let from = match self.paths {
            [_] => "derived from 1 recording".to_owned(),
            many => format!("merged {} recordings", count(many.len())),
        };
        let cgroups = counted(recording.cgroups.len(), "cgroup");
        format!("{from} of {cgroups} over {:.1} s", recording.duration_seconds)
    }

    /// What each recording brought, and what few have. Nothing of one recording.
    pub(super) fn parts(&self) -> Vec<ClosingPart> {
        if self.paths.len() < 2 {
            return Vec::new();
        }
        let (steps, quiet) = self.lines(LINES);
        let cuts = (1..steps.len()).map(|most| self.lines(most).0).collect();
        let others = quiet.into_iter().chain(self.few()).collect();
        vec![
            ClosingPart::list(Weight::Result, steps, "").or(cuts),
            ClosingPart::list(Weight::Finding, others, ""),
        ]
    }

    /// What each brought, in at most so many lines, and how many brought nothing at the end.
    fn lines(&self, most: usize) -> (Vec<String>, Option<String>) {
        let mut steps = self.steps();
        let quiet = match steps.last() {
            Some(Step::Nothing(_, length)) if *length > 1 => {
                let length = *length;
                steps.pop();
                length
            }
            _ => 0,
        };
        let shown = if steps.len() > most { most - 1 } else { steps.len() };
        let lines = steps[..shown].iter().map(|step| format!("  {}", self.step(step)));
        let all = count(self.paths.len());
        let quiet =
            (quiet > 0).then(|| format!("nothing new in the last {} of {all}", count(quiet)));
        (lines.chain(rest(&steps[shown..])).collect(), quiet)
    }

    fn steps(&self) -> Vec<Step<'_>> {
        let mut steps = Vec::new();
        for (index, part) in self.contributions.parts.iter().enumerate() {
            match steps.last_mut() {
                _ if !part.new.is_empty() || part.same_as.is_some() => {
                    steps.push(Step::One(index, part));
                }
                Some(Step::Nothing(_, length)) => *length += 1,
                _ => steps.push(Step::Nothing(index, 1)),
            }
        }
        steps
    }

    fn step(&self, step: &Step<'_>) -> String {
        match step {
            Step::One(index, Contribution { same_as: Some(same), .. }) => {
                let (name, same) = (self.name(*index), self.name(*same));
                format!("{name}: the same as {same}; it counts once")
            }
            Step::One(0, part) => format!("{}: {} calls", self.name(0), part.syscalls),
            Step::One(index, part) => {
                format!("{}: {} new: {}", self.name(*index), part.new.len(), cut(&part.new))
            }
            Step::Nothing(index, 1) => format!("{}: nothing new", self.name(*index)),
            Step::Nothing(index, length) => {
                let (first, last) = (self.name(*index), self.name(index + length - 1));
                format!("{first} to {last} ({} recordings): nothing new", count(*length))
            }
        }
    }

    fn name(&self, index: usize) -> String {
        self.paths.get(index).map(|path| name(path).into()).unwrap_or_default()
    }

    /// The calls that few recordings have.
    fn few(&self) -> Option<String> {
        let all = self.contributions.recordings();
        if self.min_runs.is_some() || all < ENOUGH {
            return None;
        }
        let few = (all / ONE_IN).max(1);
        let mut rare: Vec<(&str, usize)> = self.contributions.rarer_than(few + 1).collect();
        rare.sort_by_key(|(_, runs)| *runs);
        let (_, most) = rare.last()?;
        let least = most + 1;
        let names: Vec<String> = rare
            .iter()
            .map(|(name, runs)| format!("{name} {} of {}", count(*runs), count(all)))
            .collect();
        Some(format!(
            "in few recordings: {} (--min-runs {least} leaves out what nothing else needs)",
            cut(&names)
        ))
    }

    /// Which recordings make the result incomplete; nothing when none does, or there is only one.
    pub(super) fn culprits(&self) -> String {
        let parts = self.contributions.parts.iter().enumerate();
        let lacking: Vec<_> = parts.filter(|(_, part)| !part.missing.is_empty()).collect();
        if lacking.is_empty() || self.paths.len() < 2 {
            return String::new();
        }
        let mut named: Vec<String> = lacking
            .iter()
            .take(CULPRITS)
            .map(|(index, part)| {
                let what = part.missing.iter().map(|reason| beginning(reason));
                format!("{} ({})", self.name(*index), what.collect::<Vec<_>>().join("; "))
            })
            .collect();
        if lacking.len() > CULPRITS {
            named.push(format!("{} more", count(lacking.len() - CULPRITS)));
        }
        format!("incomplete because of {}\n", sentence(&named))
    }

    /// A warning about the calls that were left out because few recordings have them.
    pub(super) fn left_out(&self, names: &BTreeSet<&str>) -> String {
        let Some(least) = self.min_runs.filter(|_| !names.is_empty()) else {
            return String::new();
        };
        let runs = |name: &str| self.contributions.runs.get(name).copied().unwrap_or_default();
        let list: Vec<String> =
            names.iter().map(|name| format!("{} ({})", escape(name), runs(name))).collect();
        let all = count(self.contributions.recordings());
        format!(
            "warning: the workload made calls that the profile refuses, because fewer than {least} of {all} recordings have them (--min-runs): {}\n",
            list.join(", ")
        )
    }
}

/// What is not shown line by line.
fn rest(steps: &[Step<'_>]) -> Option<String> {
    if steps.is_empty() {
        return None;
    }
    let length = |step: &Step<'_>| match step {
        Step::One(..) => 1,
        Step::Nothing(_, length) => *length,
    };
    let new = steps.iter().flat_map(|step| match step {
        Step::One(_, part) => part.new.as_slice(),
        Step::Nothing(..) => &[],
    });
    let new: Vec<&str> = new.copied().collect();
    let recordings = count(steps.iter().map(length).sum());
    Some(match new.len() {
        0 => format!("  and {recordings} more recordings: nothing new"),
        many => {
            let many = count(many);
            format!("  and {recordings} more recordings: {many} new: {}", cut(&new))
        }
    })
}

/// The first names of a list, and how many more there are.
fn cut<T: AsRef<str>>(names: &[T]) -> String {
    let shown: Vec<&str> = names.iter().take(NAMES).map(AsRef::as_ref).collect();
    match names.len().checked_sub(NAMES) {
        None | Some(0) => shown.join(", "),
        Some(more) => format!("{} and {more} more", shown.join(", ")),
    }
}

/// What a reason begins with: what was lost, without the number and the remedy.
fn beginning(reason: &str) -> Escaped {
    let line = reason.lines().next().unwrap_or_default();
    escape(line.split_once(": ").map_or(line, |(what, _)| what))
}

/// A list as it stands in a sentence.
fn sentence(items: &[String]) -> String {
    match items {
        [rest @ .., last] if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        items => items.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::closing::{Block, Rest, in_full},
        *,
    };
    use crate::syscalls::{self, Abi};

    fn part(new: &[&'static str]) -> Contribution {
        Contribution { syscalls: new.len(), new: new.to_vec(), ..Contribution::default() }
    }

    fn paths(count: usize) -> Vec<PathBuf> {
        (1..=count).map(|index| PathBuf::from(format!("{index}.recording.json"))).collect()
    }

    fn files(paths: &[PathBuf], parts: Vec<Contribution>) -> MergedRecordings<'_> {
        let contributions = Contributions { parts, ..Contributions::default() };
        MergedRecordings { paths, contributions, min_runs: None }
    }

    #[test]
    fn each_of_a_few_recordings_has_a_line() {
        let same = Contribution { same_as: Some(1), ..Contribution::default() };
        let paths = paths(4);
        let parts =
            vec![part(&["brk", "read"]), part(&["bind", "listen"]), part(&[]), same.clone()];
        let expected = "  \
1.recording.json: 2 calls
  2.recording.json: 2 new: bind, listen
  3.recording.json: nothing new
  4.recording.json: the same as 2.recording.json; it counts once
";
        assert_eq!(in_full(files(&paths, parts).parts()), expected);
        let one = files(&paths[..1], vec![part(&["brk"])]).parts();
        assert_eq!(in_full(one), "", "of one nothing is said");
    }

    #[test]
    fn a_thousand_recordings_have_a_dozen_lines() {
        let paths = paths(1000);
        let names: Vec<&'static str> =
            syscalls::entries(Abi::X86_64).map(|(_, name)| name).take(200).collect();
        let mut parts: Vec<Contribution> =
            (0..950).map(|at| part(&names[at % 200..=at % 200])).collect();
        parts.extend(vec![part(&[]); 50]);
        let mut files = files(&paths, parts);
        files.contributions.runs = names.iter().enumerate().map(|(at, name)| (*name, at)).collect();
        let text = in_full(files.parts());
        assert!(text.lines().count() <= 10, "{text}");
        assert!(text.contains("nothing new in the last 50 of 1,000"), "{text}");
        assert!(text.contains("  and 945 more recordings: 945 new: "), "{text}");
        assert!(text.contains("1 of 1,000"), "{text}");
        for line in text.lines() {
            assert!(line.len() < 240, "{line}");
        }
        let short = Block::new(files.parts(), Rest::NoFile).render(Some(5));
        assert!(short.starts_with("  1.recording.json: 1 calls\n"), "{short}");
        assert!(short.contains("  and 948 more recordings: 948 new: "), "{short}");
        assert!(short.contains("nothing new in the last 50 of 1,000"), "{short}");
    }

    #[test]
    fn calls_that_few_recordings_have_are_named_from_some_recordings_on() {
        let paths = paths(40);
        let mut some = files(&paths, vec![part(&[]); 40]);
        some.contributions.runs =
            [("getrandom", 1), ("mincore", 2), ("read", 40), ("sync", 3)].into();
        let text = some.few();
        let expected = "in few recordings: getrandom 1 of 40, mincore 2 of 40 (--min-runs 3 leaves out what nothing else needs)";
        assert_eq!(text.as_deref(), Some(expected));
        some.contributions.parts.truncate(4);
        assert_eq!(some.few(), None, "two of four are not few");
    }

    #[test]
    fn what_is_left_out_is_named_with_its_number() {
        let paths = paths(5);
        let mut some = files(&paths, vec![part(&[]); 5]);
        some.contributions.runs = [("getrandom", 1), ("read", 5)].into();
        some.min_runs = Some(2);
        assert_eq!(some.left_out(&BTreeSet::new()), "");
        let text = some.left_out(&BTreeSet::from(["getrandom"]));
        assert!(text.starts_with("warning: ") && text.contains("fewer than 2 of 5"), "{text}");
        assert!(text.ends_with(": getrandom (1)\n"), "{text}");
        assert_eq!(some.few(), None, "the warning says it");
    }

    #[test]
    fn the_recording_that_makes_the_result_incomplete_is_named() {
        let paths = paths(6);
        let lossy = |reason: &str| Contribution {
            missing: vec![format!("{reason}: 3\nhint: do it")],
            ..Contribution::default()
        };
        let of = |parts| files(&paths, parts).culprits();
        assert_eq!(of(vec![part(&["read"]); 6]), "");
        let text = of(vec![part(&["read"]), lossy("late\u{1b} start")]);
        assert_eq!(text, "incomplete because of 2.recording.json (late\\x1b start)\n");
        let text = of(vec![lossy("a"), lossy("b"), lossy("c"), lossy("d"), lossy("e")]);
        assert_eq!(
            text,
            "incomplete because of 1.recording.json (a), 2.recording.json (b), 3.recording.json (c) and 2 more\n"
        );
    }
}
