//! From what was seen to pairs: which call shows that another library makes another one.
//!
//! Of two libraries, the calls of a function that only one makes are compared. Where it is one
//! call, it stands for all that only the other makes. Where there are several, calls are paired
//! that are named after each other (`tgkill`, `tkill`). What start-up and allocation need follows
//! from every program, and so from `execve`. What follows from no call is kept as open.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    libraries::Library,
    runs::{Calls, Observed, START},
    table::{Forms, Open, Pair, Table},
};

/// What allocators and buffers need.
const MEMORY: [&str; 7] = ["brk", "getrandom", "madvise", "mmap", "mprotect", "mremap", "munmap"];
/// Starts every program, and so says nothing about it.
const EXECUTE: &str = "execve";
/// What programs, threads and libraries do for themselves, whatever they are asked for.
const TELLS_NOTHING: [&str; 6] =
    [EXECUTE, "futex", "rseq", "rt_sigprocmask", "set_robust_list", "set_tid_address"];
/// In every profile.
const STANDING: [&str; 4] = ["exit", "exit_group", "restart_syscall", "rt_sigreturn"];
/// The most functions that are named for one pair.
const FUNCTIONS: usize = 4;

/// Who made calls, and which.
struct Maker<'run> {
    label: String,
    calls: &'run Calls,
    /// What its programs make when they start.
    start: &'run Calls,
}

#[derive(Default)]
struct Evidence {
    functions: Vec<String>,
    seen_with: BTreeSet<String>,
    made_with: BTreeSet<String>,
}

type Found = BTreeMap<(String, String), Evidence>;

/// The whole table; what people wrote into the old one stays.
pub(crate) fn table(libraries: &[Library], observed: &Observed, old: &Table) -> Table {
    let labels: Vec<&str> = libraries.iter().map(|library| library.named.name.as_str()).collect();
    let found = pairs(&labels, observed);
    let open = open(&labels, observed, &found, &old.forms);
    let runs = found.into_iter().map(|((of, call), evidence)| Pair {
        of,
        call,
        functions: evidence.functions.into_iter().take(FUNCTIONS).collect(),
        seen_with: evidence.seen_with.into_iter().collect(),
        made_with: evidence.made_with.into_iter().collect(),
    });
    Table {
        libraries: libraries.iter().map(|library| library.named.clone()).collect(),
        kernel: kernel(),
        runs: runs.collect(),
        open,
        programs: old.programs.clone(),
        forms: old.forms.clone(),
    }
}

fn kernel() -> String {
    let text = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    // What a distribution or a machine adds says nothing of the calls.
    text.trim().split('-').next().unwrap_or_default().to_owned()
}

fn makers<'run>(labels: &[&str], observed: &'run Observed, function: &str) -> Vec<Maker<'run>> {
    let (calls, start) = (&observed.calls[function], &observed.calls[START]);
    let makers = labels.iter().zip(calls).zip(start);
    makers
        .map(|((label, calls), start)| Maker { label: (*label).to_owned(), calls, start })
        .collect()
}

fn pairs(labels: &[&str], observed: &Observed) -> Found {
    let mut found = Found::new();
    for function in observed.calls.keys() {
        let makers = makers(labels, observed, function);
        for (seen, made) in every_two(&makers) {
            for (of, call) in compare(function, seen, made, observed) {
                note(&mut found, (of, call), function, &seen.label, &made.label);
            }
        }
    }
    for ((function, library, missing), calls) in &observed.without {
        let usual = &observed.calls[function][*library];
        let says = |call: &&String| {
            let call = call.as_str();
            !MEMORY.contains(&call) && !TELLS_NOTHING.contains(&call) && !STANDING.contains(&call)
        };
        for call in calls.difference(usual).filter(says) {
            let made_with = format!("{} where {missing} is missing", labels[*library]);
            let pair = (missing.clone(), call.clone());
            note(&mut found, pair, function, labels[*library], &made_with);
        }
    }
    found
}

fn every_two<'all, 'run>(
    makers: &'all [Maker<'run>],
) -> impl Iterator<Item = (&'all Maker<'run>, &'all Maker<'run>)> {
    makers.iter().flat_map(move |seen| makers.iter().map(move |made| (seen, made)))
}

fn note(found: &mut Found, pair: (String, String), function: &str, seen: &str, made: &str) {
    let evidence = found.entry(pair).or_default();
    if evidence.functions.last().is_none_or(|last| last != function) {
        evidence.functions.push(function.to_owned());
    }
    evidence.seen_with.insert(seen.to_owned());
    evidence.made_with.insert(made.to_owned());
}

/// What the program that was seen lacks, besides what programs of any library make when they start.
fn lacking<'run>(
    function: &str,
    seen: &Maker<'run>,
    made: &Maker<'run>,
    observed: &Observed,
) -> Vec<&'run str> {
    let starts = &observed.calls[START];
    let has = |call: &&&String| {
        seen.calls.contains(**call)
            || function != START && starts.iter().any(|start| start.contains(**call))
    };
    let lacking = made.calls.iter().filter(|call| !has(&call)).map(String::as_str);
    lacking.filter(|call| !STANDING.contains(call)).collect()
}

fn compare(
    function: &str,
    seen: &Maker<'_>,
    made: &Maker<'_>,
    observed: &Observed,
) -> Vec<(String, String)> {
    let lacking = lacking(function, seen, made, observed);
    if lacking.is_empty() {
        return Vec::new();
    }
    let pair = |of: &str, call: &str| (of.to_owned(), call.to_owned());
    if function == START {
        return lacking.iter().map(|call| pair(EXECUTE, call)).collect();
    }
    let (memory, lacking): (Vec<&str>, Vec<&str>) =
        lacking.into_iter().partition(|call| MEMORY.contains(call));
    let signs = signs(seen, made);
    let named = |call: &&str| {
        let alike = signs.iter().filter(|sign| is_named_after(sign, call));
        alike.map(|sign| pair(sign, call)).collect::<Vec<_>>()
    };
    let pairs: Vec<_> = match signs[..] {
        [sign] => lacking.iter().map(|call| pair(sign, call)).collect(),
        _ => lacking.iter().flat_map(named).collect(),
    };
    memory.into_iter().map(|call| pair(EXECUTE, call)).chain(pairs).collect()
}

/// The calls that only the one that was seen makes; or the only one that it makes at all, but for
/// those of every start.
fn signs<'run>(seen: &Maker<'run>, made: &Maker<'run>) -> Vec<&'run str> {
    let meaningful = |call: &&str| {
        !MEMORY.contains(call) && !TELLS_NOTHING.contains(call) && !STANDING.contains(call)
    };
    let all: Vec<&str> = seen.calls.iter().map(String::as_str).filter(meaningful).collect();
    let own: Vec<&str> = all.iter().copied().filter(|call| !made.calls.contains(*call)).collect();
    match all[..] {
        [only] if own.is_empty() && !seen.start.contains(only) => vec![only],
        _ => own,
    }
}

/// The letters of one are in the other, in their order.
fn is_named_after(one: &str, other: &str) -> bool {
    let holds = |long: &str, short: &str| {
        let mut letters = long.chars();
        short
            .chars()
            .filter(|letter| !letter.is_ascii_digit())
            .all(|letter| letters.any(|other| other == letter))
    };
    holds(one, other) || holds(other, one)
}

/// What neither the pairs nor the forms bring.
fn open(labels: &[&str], observed: &Observed, found: &Found, forms: &[Forms]) -> Vec<Open> {
    let brings = |of: &String, call: &str| {
        let form =
            |forms: &Forms| forms.calls.contains(of) && forms.calls.iter().any(|one| one == call);
        found.contains_key(&(of.clone(), call.to_owned())) || forms.iter().any(form)
    };
    let mut open: BTreeMap<&str, Evidence> = BTreeMap::new();
    for function in observed.calls.keys().filter(|function| *function != START) {
        let makers = makers(labels, observed, function);
        for (seen, made) in every_two(&makers) {
            for call in lacking(function, seen, made, observed) {
                let mut known = seen.calls.iter().chain(seen.start);
                if known.any(|of| brings(of, call)) {
                    continue;
                }
                let evidence = open.entry(call).or_default();
                if evidence.functions.last().is_none_or(|last| last != function) {
                    evidence.functions.push(function.clone());
                }
                evidence.made_with.insert(made.label.clone());
            }
        }
    }
    let entry = |(call, evidence): (&str, Evidence)| Open {
        call: call.to_owned(),
        functions: evidence.functions,
        made_with: evidence.made_with.into_iter().collect(),
    };
    open.into_iter().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observed(functions: &[(&str, [&str; 2])]) -> Observed {
        let calls = |text: &&str| text.split_whitespace().map(str::to_owned).collect();
        let mut observed = Observed::default();
        for (function, of) in functions {
            observed.calls.insert((*function).to_owned(), of.iter().map(calls).collect());
        }
        observed
    }

    fn found(functions: &[(&str, [&str; 2])]) -> Vec<(String, String)> {
        pairs(&["glibc", "musl"], &observed(functions)).into_keys().collect()
    }

    fn pair(of: &str, call: &str) -> (String, String) {
        (of.to_owned(), call.to_owned())
    }

    #[test]
    fn the_only_call_that_differs_stands_for_the_others() {
        let functions = [
            ("puts", ["brk openat write", "ioctl openat writev"]),
            ("start", ["brk execve openat", "execve"]),
        ];
        let expected = [
            ("execve", "brk"),
            ("execve", "openat"),
            ("ioctl", "write"),
            ("write", "ioctl"),
            ("write", "writev"),
        ];
        let found = found(&functions);
        for (of, call) in expected {
            let named = of != "ioctl";
            assert_eq!(found.contains(&pair(of, call)), named, "{of} {call}: {found:?}");
        }
        assert!(found.contains(&pair("writev", "write")), "by their names: {found:?}");
    }

    #[test]
    fn of_several_calls_those_are_paired_that_are_named_alike() {
        let functions = [
            ("raise", ["getpid gettid tgkill", "rt_sigprocmask tkill"]),
            ("start", ["execve", "execve"]),
        ];
        assert_eq!(
            found(&functions),
            [
                pair("tgkill", "tkill"),
                pair("tkill", "getpid"),
                pair("tkill", "gettid"),
                pair("tkill", "tgkill")
            ]
        );
        let open: Vec<String> = open(
            &["glibc", "musl"],
            &observed(&functions),
            &pairs(&["glibc", "musl"], &observed(&functions)),
            &[],
        )
        .into_iter()
        .map(|open| open.call)
        .collect();
        assert_eq!(open, ["rt_sigprocmask"]);
    }

    #[test]
    fn a_call_that_may_be_missing_stands_for_what_comes_then() {
        let mut observed =
            observed(&[("fork", ["clone3", "clone"]), ("start", ["execve", "execve"])]);
        let key = ("fork".to_owned(), 0, "clone3".to_owned());
        observed.without.insert(key, ["clone3", "vfork"].map(str::to_owned).into());
        let pairs = pairs(&["glibc", "musl"], &observed);
        let made: Vec<&String> = pairs[&pair("clone3", "vfork")].made_with.iter().collect();
        assert_eq!(made, ["glibc where clone3 is missing"]);
        assert!(pairs.contains_key(&pair("clone3", "clone")));
    }

    #[test]
    fn names_show_forms() {
        for (one, other) in
            [("tkill", "tgkill"), ("open", "openat"), ("clone3", "clone"), ("newfstatat", "stat")]
        {
            assert!(is_named_after(one, other) && is_named_after(other, one), "{one} {other}");
        }
        assert!(!is_named_after("socket", "connect"));
    }
}
