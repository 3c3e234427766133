//! Decisions as people write them.

use time::Month;

use super::*;

const FILE: &str = r#"# What the security team decided.

[[allow]]
syscalls = ["ptrace", "process_vm_readv"] # gdb
because = "debug sidecar"
until = 2027-03-01 # the sidecar goes then

# Never again.
[[deny]]
syscalls = ["mount"]
because = "never in this workload"
"#;

fn day(year: i32, month: u8, day: u8) -> Date {
    let month = Month::try_from(month).expect("a month");
    Date::from_calendar_date(year, month, day).expect("a day")
}

fn of(text: &str) -> Decisions {
    read(text.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn names(decisions: &Decisions, today: Date) -> Vec<(&str, Choice)> {
    let in_force = decisions.in_force(today).into_iter();
    in_force.map(|(name, decision)| (name, decision.choice)).collect()
}

#[test]
fn decisions_are_read_with_their_places() {
    let decisions = of(FILE);
    let [allow, deny] = decisions.entries.as_slice() else { panic!("{decisions:?}") };
    assert_eq!((allow.choice, deny.choice), (Choice::Allow, Choice::Deny));
    assert_eq!(allow.names(), "ptrace, process_vm_readv");
    assert_eq!(allow.reason(), "debug sidecar, until 2027-03-01");
    assert_eq!(deny.reason(), "never in this workload");
    let Span { start, end } = deny.syscalls[0].span;
    assert_eq!(&FILE[start..end], "\"mount\"");
    let Span { start, end } = allow.until.expect("it ends").span;
    assert_eq!(&FILE[start..end], "2027-03-01");
    assert_eq!(of(""), Decisions::default());
    assert_eq!(of("# nothing yet\n"), Decisions::default());
}

#[test]
fn a_decision_counts_on_its_last_day_and_not_after_it() {
    let decisions = of(FILE);
    let last = day(2027, 3, 1);
    let all =
        [("ptrace", Choice::Allow), ("process_vm_readv", Choice::Allow), ("mount", Choice::Deny)];
    assert_eq!(names(&decisions, last), all);
    assert_eq!(decisions.expired(last).count(), 0);
    let after = day(2027, 3, 2);
    assert_eq!(names(&decisions, after), [("mount", Choice::Deny)]);
    assert_eq!(decisions.expired(after).count(), 1);
    assert!(decisions.of("ptrace", after).is_none());
    assert!(decisions.of("mount", after).is_some());
}

#[test]
fn a_syscall_that_no_kernel_has_is_not_in_force() {
    let decisions = of("[[deny]]\nsyscalls = [\"opnat\", \"mount\"]\nbecause = \"x\"\n");
    assert_eq!(names(&decisions, day(2026, 1, 1)), [("mount", Choice::Deny)]);
    assert!(!decisions.entries[0].syscalls[0].is_known());
}

#[test]
fn what_is_wrong_has_a_place_and_a_remedy() {
    let table = |body: &str| format!("[[allow]]\n{body}\n");
    for (text, place, part) in [
        ("[[allow]\n".to_owned(), "1:", "not TOML"),
        ("[[alow]]\nsyscalls = []\n".to_owned(), "1:", "`alow` is no key"),
        ("allow = [\"ptrace\"]\n".to_owned(), "1:1", "`allow` is an array"),
        ("[allow]\nsyscalls = [\"ptrace\"]\n".to_owned(), "1:", "`allow` is a table"),
        (table("because = \"x\""), "1:", "no `syscalls`"),
        (table("syscalls = [\"ptrace\"]"), "1:", "no `because`"),
        (table("syscalls = \"ptrace\"\nbecause = \"x\""), "2:12", "must be a list of names"),
        (table("syscalls = [1]\nbecause = \"x\""), "2:13", "is an integer"),
        (table("syscalls = []\nbecause = \"x\""), "2:12", "`syscalls` is empty"),
        (table("syscalls = [\"ptrace\"]\nbecause = \" \""), "3:11", "`because` is empty"),
        (table("syscalls = [\"ptrace\"]\nbecause = 1"), "3:11", "must be text"),
        (
            table("syscalls = [\"ptrace\"]\nbecause = \"x\"\nuntil = \"2027-03-01\""),
            "4:9",
            "must be a date, and is a string",
        ),
        (
            table("syscalls = [\"ptrace\"]\nbecause = \"x\"\nuntil = 2027-03-01T10:00:00"),
            "4:9",
            "without a time",
        ),
        (
            table("syscalls = [\"ptrace\"]\nbecause = \"x\"\nuntill = 1"),
            "4:1",
            "`untill` is no key",
        ),
        (
            table(&format!("syscalls = [\"ptrace\"]\nbecause = \"{}\"", "x".repeat(4097))),
            "3:11",
            "`because` has 4097 bytes, 4096 at most",
        ),
    ] {
        let error = read(text.as_bytes()).expect_err(&text);
        let shown = error.to_string();
        assert!(shown.starts_with(place) && shown.contains(part), "{text}{shown}");
        assert!(!error.problem.remedy().is_empty(), "{shown}");
    }
    let error = read(b"# \xff\n").expect_err("no text");
    assert_eq!(error.to_string(), "1:3: the file is not UTF-8");
    let error = read(&vec![b'\n'; MAX_BYTES + 1]).expect_err("too large");
    assert!(error.to_string().contains("larger than"), "{error}");
}

#[test]
fn both_ways_is_an_error_at_the_second_place() {
    let text = "[[deny]]\nsyscalls = [\"mount\"]\nbecause = \"x\"\n\n[[allow]]\nsyscalls = [\"bpf\", \"mount\"]\nbecause = \"y\"\nuntil = 2001-01-01\n";
    let error = read(text.as_bytes()).expect_err("a contradiction");
    assert_eq!(
        error.to_string(),
        "6:20: mount is to be allowed, and line 2 says the opposite",
        "also where one has ended"
    );
}

#[test]
fn text_of_the_file_is_escaped() {
    let error = read(b"[[allow]]\n\"a\\u001b[2J\" = 1\n").expect_err("no key");
    assert_eq!(error.to_string(), r"2:1: `a\x1b[2J` is no key here");
    let decisions = of("[[deny]]\nsyscalls = [\"\\u001b\"]\nbecause = \"\\u001b[2J\"\n");
    assert_eq!(decisions.entries[0].reason(), r"\x1b[2J");
    assert_eq!(decisions.entries[0].names(), r"\x1b");
}

fn added(text: &str, choice: Choice, syscall: &str, until: Option<Date>) -> String {
    let new = NewDecision { choice, syscall, because: "a \"good\" reason", until };
    add(text, &new).expect("it can be added")
}

#[test]
fn what_people_wrote_stays_when_a_decision_is_added() {
    let written = added(FILE, Choice::Deny, "bpf", None);
    assert!(written.starts_with(FILE), "{written}");
    let decisions = of(&written);
    assert_eq!(decisions.entries.len(), 3);
    assert_eq!(decisions.entries[2].because, "a \"good\" reason");
    let written = added(FILE, Choice::Allow, "bpf", Some(day(2028, 12, 31)));
    for line in FILE.lines() {
        assert!(written.contains(line), "{line}\n{written}");
    }
    assert!(written.contains("until = 2028-12-31\n"), "{written}");
    assert_eq!(of(&written).entries.len(), 3);
}

#[test]
fn the_first_decision_makes_the_file() {
    let until = Some(day(2027, 3, 1));
    let because = "debug sidecar";
    let new = NewDecision { choice: Choice::Allow, syscall: "ptrace", because, until };
    let expected =
        "[[allow]]\nsyscalls = [\"ptrace\"]\nbecause = \"debug sidecar\"\nuntil = 2027-03-01\n";
    assert_eq!(add("", &new).expect("it can be added"), expected);
    let written = added("# ours\n", Choice::Deny, "mount", None);
    assert!(written.starts_with("# ours\n\n[[deny]]\n"), "{written}");
}

#[test]
fn a_decision_takes_the_place_of_an_earlier_one() {
    let ended = "# ours\n[[allow]]\nsyscalls = [\"bpf\"]\n# ask Anna\nbecause = \"x\" # really\nuntil = 2020-01-01\n";
    let renewed = added(ended, Choice::Allow, "bpf", Some(day(2030, 1, 1)));
    assert_eq!(of(&renewed).entries.len(), 1);
    for part in ["# ours\n", "# ask Anna\n", "# really\n", "until = 2030-01-01\n"] {
        assert!(renewed.contains(part), "{part}{renewed}");
    }
    let forever = added(ended, Choice::Allow, "bpf", None);
    assert!(!forever.contains("until"), "{forever}");
    let denied = added(ended, Choice::Deny, "bpf", None);
    let decisions = of(&denied);
    assert_eq!((decisions.entries.len(), decisions.entries[0].choice), (1, Choice::Deny));
    assert!(denied.starts_with("# ours\n[[deny]]\n"), "{denied}");
    let shared = added(FILE, Choice::Deny, "ptrace", None);
    assert_eq!(of(&shared).entries[0].names(), "process_vm_readv");
    assert_eq!(of(&shared).entries.len(), 3);
}

/// Of two decisions about one syscall the first counts: a new one must not be behind it.
#[test]
fn what_is_added_is_what_counts_and_the_only_decision() {
    let alone = "# alone\n[[allow]]\nsyscalls = [\"bpf\"]\nbecause = \"x\"\nuntil = 2020-01-01\n";
    let shared = "# both\n[[allow]]\nsyscalls = [\"bpf\", \"mount\"]\nbecause = \"y\"\n";
    let today = day(2026, 1, 1);
    for (text, left) in [
        (format!("{shared}\n{alone}"), 1),
        (format!("{alone}\n{shared}"), 1),
        (format!("{alone}\n{alone}"), 0),
        (format!("{shared}\n{shared}"), 2),
    ] {
        let untils = [None, Some(day(2027, 1, 1))];
        for (choice, until) in
            Choice::ALL.into_iter().flat_map(|choice| untils.map(|until| (choice, until)))
        {
            let written = added(&text, choice, "bpf", until);
            let decisions = of(&written);
            let counts = decisions.of("bpf", today).expect("it is decided");
            let said = (counts.choice, counts.because.as_str(), counts.until_date());
            assert_eq!(said, (choice, "a \"good\" reason", until), "{written}");
            assert_eq!(counts.names(), "bpf", "{written}");
            let about = |name| {
                let named = move |entry: &&Decision| entry.names().contains(name);
                decisions.entries.iter().filter(named).count()
            };
            assert_eq!((about("bpf"), about("mount")), (1, left), "{written}");
        }
    }
}

#[test]
fn nothing_is_added_to_a_file_that_cannot_be_read() {
    let new = NewDecision { choice: Choice::Deny, syscall: "bpf", because: "x", until: None };
    assert!(add("[[deny]]\n", &new).is_err());
    assert!(add("not TOML", &new).is_err());
}

#[test]
fn days_are_those_of_the_calendar() {
    assert_eq!(parse_date("2028-02-29"), Some(day(2028, 2, 29)));
    for text in ["2027-02-29", "2027-13-01", "2027-3-1", "2027-03-01T00:00:00", "soon", ""] {
        assert_eq!(parse_date(text), None, "{text}");
    }
}
