//! Tests of [`super`].

use super::super::inferred::tests::{DANGEROUS, WITHOUT_IMPLEMENTATION};
use super::*;

fn has(of: &str, name: &str) -> bool {
    alternatives(of).iter().any(|other| other.name == name && other.of == of)
}

fn ran(of: &str, name: &str) -> bool {
    alternatives(of).iter().any(|other| other.name == name && other.ran)
}

#[test]
fn the_embedded_table_is_well_formed_and_says_what_was_run() {
    let table = Table::parse(EMBEDDED).expect("a table");
    assert_eq!(&table, Table::embedded());
    for library in ["glibc", "musl"] {
        let of = table.libraries.iter().filter(|one| one.name.starts_with(library));
        assert_eq!(of.count(), 3, "{library}");
    }
    let known = |name: &String| table.libraries.iter().any(|one| name.starts_with(&one.name));
    for run in &table.runs {
        assert!(run.seen_with.iter().chain(&run.made_with).all(known), "{run:?}");
    }
    assert!(!table.kernel.is_empty());
}

#[test]
fn streams_of_musl_follow_from_those_of_glibc() {
    for (of, name) in [
        ("write", "writev"),
        ("read", "readv"),
        ("openat", "open"),
        ("newfstatat", "stat"),
        ("clone3", "clone"),
        ("clock_nanosleep", "nanosleep"),
        ("tgkill", "tkill"),
        ("alarm", "setitimer"),
        ("pselect6", "select"),
        ("epoll_wait", "epoll_pwait"),
        ("semtimedop", "semop"),
        ("pwrite64", "pwritev2"),
    ] {
        assert!(ran(of, name), "{of} {name}");
    }
}

#[test]
fn runs_show_the_way_back() {
    for (of, name) in [
        ("newfstatat", "fstat"),
        ("open", "openat"),
        ("clone", "clone3"),
        ("setitimer", "alarm"),
        ("tkill", "tgkill"),
    ] {
        assert!(has(of, name), "{of} {name}");
    }
}

#[test]
fn newer_versions_of_programs_are_in_it() {
    for (of, name) in [("setgroups", "sched_setaffinity"), ("fdatasync", "fadvise64")] {
        assert!(ran(of, name), "{of} {name}");
    }
}

#[test]
fn what_says_nothing_stands_for_nothing() {
    for (of, name) in [
        ("read", "connect"),
        ("open", "connect"),
        ("openat", "socket"),
        ("execve", "execveat"),
        ("mmap", "readv"),
    ] {
        assert!(!has(of, name), "{of} {name}");
    }
    for name in ["mount", "clock_gettime", "no_such_call"] {
        assert!(alternatives(name).is_empty(), "{name}");
    }
}

#[test]
fn power_follows_from_the_same_power_alone() {
    let dangerous: Vec<&str> = DANGEROUS.iter().copied().flatten().copied().collect();
    let table = Table::embedded();
    let names = table.runs.iter().flat_map(|run| [&run.of, &run.call]);
    for other in names.flat_map(|of| alternatives(of)) {
        let (of, name) = (other.of.as_str(), other.name.as_str());
        assert!(!dangerous.contains(&name) || dangerous.contains(&of), "{of} {name}");
        assert!(!WITHOUT_IMPLEMENTATION.contains(&name), "{name}");
    }
    for call in table.forms.iter().flat_map(|forms| &forms.calls) {
        assert!(!dangerous.contains(&call.as_str()), "{call}");
    }
}

#[test]
fn a_table_that_is_not_well_formed_is_refused() {
    let table = |runs: &str, forms: &str| {
        Table::parse(&format!(
            r#"{{"libraries":[],"kernel":"6","open":[],"programs":[],"runs":[{runs}],"forms":[{forms}]}}"#
        ))
    };
    let run = |of: &str, call: &str, functions: &str| {
        format!(
            r#"{{"of":"{of}","call":"{call}","functions":[{functions}],"seen_with":["a"],"made_with":["b"]}}"#
        )
    };
    let (read, write) = (run("read", "readv", r#""f""#), run("write", "writev", r#""f""#));
    assert!(table(&format!("{read},{write}"), "").is_ok());
    let error = table(&format!("{write},{read}"), "").expect_err("not sorted");
    assert!(matches!(error, TableError::Order { .. }), "{error}");
    let error = table(&run("read", "read", r#""f""#), "").expect_err("itself");
    assert!(matches!(error, TableError::Order { .. }), "{error}");
    let error = table(&run("read", "reed", r#""f""#), "").expect_err("no call");
    assert!(matches!(error, TableError::Name(_)), "{error}");
    let error = table(&run("read", "readv", ""), "").expect_err("no function");
    assert!(matches!(error, TableError::Provenance(_)), "{error}");
    let error = table("", r#"{"calls":["read","readv"],"source":" "}"#).expect_err("no source");
    assert!(matches!(error, TableError::Provenance(_)), "{error}");
    let error = table("", r#"{"calls":["read"],"source":"s"}"#).expect_err("alone");
    assert!(matches!(error, TableError::Group(_)), "{error}");
    assert!(matches!(table("{", ""), Err(TableError::Form(_))));
}
