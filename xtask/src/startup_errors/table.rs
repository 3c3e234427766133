//! The table: attempts that ended alike are one row.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use super::attempts::Seen;

/// What explains the columns.
const HEAD: &str = "\
# What runc and crun wrote when exactly one call of their base set was missing in the profile.
# `cargo xtask startup-errors` writes this file; profiles/README.md says how it was collected.
# Columns: runtime, call that was missing, exit status of the runtime (- when it did not end),
# versions, what the runtime did, what the profile answered, what was started, message (* stands
# for a name or a number). Every combination of the lists was tried.
";

/// Version, stage, answer, process: as they are written.
type Where = [String; 4];
/// Runtime, call, status, message.
type What = (String, String, String, String);

fn what(seen: &Seen) -> What {
    let status = seen.status.map_or_else(|| "-".to_owned(), |status| status.to_string());
    (seen.runtime.clone(), seen.call.clone(), status, seen.message.clone())
}

fn place(seen: &Seen) -> Where {
    [seen.version.as_str(), seen.stage, seen.answer.name(), seen.process.name()].map(str::to_owned)
}

/// What a table says did not start, and where.
fn rows(table: &str) -> BTreeMap<What, BTreeSet<Where>> {
    let mut places: BTreeMap<What, BTreeSet<Where>> = BTreeMap::new();
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let columns: Vec<_> = line.split('\t').collect();
        let [runtime, call, status, versions, stages, answers, processes, message] = columns[..]
        else {
            continue;
        };
        let what = [runtime, call, status, message].map(str::to_owned).into();
        let lists = [versions, stages, answers, processes].map(|list| list.split(','));
        places.entry(what).or_default().extend(combinations(lists));
    }
    places
}

/// Every combination of the lists.
fn combinations<'list>(lists: [impl Iterator<Item = &'list str> + Clone; 4]) -> Vec<Where> {
    let [versions, stages, answers, processes] = lists;
    let mut all = Vec::new();
    for version in versions {
        for stage in stages.clone() {
            for answer in answers.clone() {
                for process in processes.clone() {
                    all.push([version, stage, answer, process].map(str::to_owned));
                }
            }
        }
    }
    all
}

/// The table of what did not start: what was seen, and what the table before says of versions that
/// were not run.
pub(crate) fn text(before: &str, seen: &[Seen]) -> String {
    let run: BTreeSet<(&str, &str)> =
        seen.iter().map(|one| (one.runtime.as_str(), one.version.as_str())).collect();
    let mut places = rows(before);
    for ((runtime, ..), places) in &mut places {
        places.retain(|[version, ..]| !run.contains(&(runtime.as_str(), version.as_str())));
    }
    for one in seen.iter().filter(|one| !one.is_started) {
        places.entry(what(one)).or_default().insert(place(one));
    }
    let mut lines = BTreeSet::new();
    for ((runtime, call, status, message), places) in places {
        for lists in boxes(&places) {
            let [versions, stages, answers, processes] = lists.map(|list| list.join(","));
            let mut line = String::new();
            let _ = write!(line, "{runtime}\t{call}\t{status}\t{versions}\t{stages}\t");
            let _ = write!(line, "{answers}\t{processes}\t{message}");
            lines.insert(line);
        }
    }
    lines.into_iter().fold(HEAD.to_owned(), |text, line| text + &line + "\n")
}

/// The same places as lists of which every combination is one; merged along each axis in turn.
fn boxes(places: &BTreeSet<Where>) -> BTreeSet<[Vec<String>; 4]> {
    let mut boxes: BTreeSet<_> =
        places.iter().map(|place| place.clone().map(|one| vec![one])).collect();
    for axis in [0, 3, 1, 2] {
        let mut merged: BTreeMap<[Vec<String>; 4], Vec<String>> = BTreeMap::new();
        for one in boxes {
            let mut key = one.clone();
            key[axis].clear();
            merged.entry(key).or_default().extend(one[axis].clone());
        }
        let join = |(mut key, mut list): ([Vec<String>; 4], Vec<String>)| {
            list.sort();
            key[axis] = list;
            key
        };
        boxes = merged.into_iter().map(join).collect();
    }
    boxes
}

/// What ended otherwise than the table says, a line each.
pub(crate) fn different(table: &str, seen: &[Seen]) -> Vec<String> {
    let mut known: BTreeMap<(String, String, Where), BTreeSet<(String, String)>> = BTreeMap::new();
    for ((runtime, call, status, message), places) in rows(table) {
        for place in places {
            let of = (runtime.clone(), call.clone(), place);
            known.entry(of).or_default().insert((status.clone(), message.clone()));
        }
    }
    let is_different = |one: &&Seen| {
        let (runtime, call, status, message) = what(one);
        match known.get(&(runtime, call, place(one))) {
            None => !one.is_started,
            Some(how) => one.is_started || !how.contains(&(status, message)),
        }
    };
    let line = |one: &Seen| {
        let (runtime, call, status, message) = what(one);
        let status = if one.is_started { "started".to_owned() } else { format!("status {status}") };
        format!("{runtime} without {call} {}: {status}: {message}", place(one).join(" "))
    };
    seen.iter().filter(is_different).map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::startup_errors::attempts::{Answer, Process};

    fn seen(version: &str, stage: &'static str, message: &str) -> Seen {
        Seen {
            runtime: "runc".to_owned(),
            version: version.to_owned(),
            call: "read".to_owned(),
            answer: Answer::Eperm,
            process: Process::Root,
            stage,
            status: Some(1),
            message: message.to_owned(),
            is_started: false,
        }
    }

    #[test]
    fn rows_hold_what_was_seen_and_nothing_else() {
        let all = [seen("1", "run", "a"), seen("2", "run", "a"), seen("2", "create", "a")];
        let text = text("", &all);
        let rows: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(
            rows,
            ["runc\tread\t1\t1,2\trun\teperm\troot\ta", "runc\tread\t1\t2\tcreate\teperm\troot\ta"]
        );
        assert!(different(&text, &all).is_empty());
        let other = [seen("1", "create", "a"), seen("1", "run", "b")];
        assert_eq!(different(&text, &other).len(), 2);
        let started = Seen { is_started: true, ..seen("1", "run", "a") };
        assert_eq!(different(&text, &[started]).len(), 1);
    }

    #[test]
    fn what_was_not_run_stays() {
        let before = text("", &[seen("1", "run", "a"), seen("2", "run", "a")]);
        let after = text(&before, &[seen("2", "run", "b")]);
        let rows: Vec<_> = after.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(
            rows,
            ["runc\tread\t1\t1\trun\teperm\troot\ta", "runc\tread\t1\t2\trun\teperm\troot\tb"]
        );
    }
}
