//! Tests of what a person sees while recording, at the widths that terminals have.

use super::*;
use crate::{recording::DenyOutcome, syscalls::Abi, text::escape};

fn message(status: &StatusFigures<'_>) -> String {
    Live::new(Detail::StatusLine).message(status)
}

#[test]
fn awaited_targets_are_named_until_the_first_call() {
    let mut status = StatusFigures { awaited: Some("shop/web-0"), ..StatusFigures::default() };
    assert_eq!(message(&status), "waiting for shop/web-0 · no losses");
    status.calls = 1;
    assert_eq!(message(&status), "1 calls seen · none yet · no losses");
}

#[test]
fn a_status_is_calls_quiet_rate_and_losses() {
    let status = StatusFigures {
        calls: 42,
        set_up: 61,
        denied: 1,
        last_denied: Some("mount, to sh"),
        quiet_for: Some(Duration::from_millis(2900)),
        calls_per_second: Some(1234.5),
        losses: 2,
        ..StatusFigures::default()
    };
    let expected = "42 calls seen, 61 in set-up · last new one 2 s ago · 1234 calls/s";
    assert_eq!(message(&status), format!("2 LOST · {expected}"));
    let unharmed = StatusFigures { losses: 0, ..status };
    assert_eq!(message(&unharmed), format!("{expected} · no losses"));
    let denied_only = Live::new(Detail::StatusLine).of_denied_calls().message(&status);
    assert_eq!(denied_only, format!("2 LOST · 1 denied, the last one mount, to sh · {expected}"));
}

#[test]
fn a_line_is_cut_to_the_width_at_any_width() {
    let colored = format!("{} · no losses", MarkMeaning::Incomplete.paint("2 LOST · 42 calls"));
    for line in [
        "waiting for 厨房/网站-0, 厨房/网站-1 · no losses",
        "42 calls seen · last new one 2 s ago · 1234 calls/s · no losses",
        "waiting for e\u{301}te\u{301}/👩‍🍳-0 · no losses",
        &colored,
        "",
    ] {
        for columns in 0..120 {
            let shown = cut(line, columns);
            let width = measure_text_width(&shown);
            assert!(width <= columns, "{width} of {columns}: {shown:?}");
            let is_whole = measure_text_width(line) <= columns;
            assert_eq!(shown == line, is_whole, "{columns}: {shown:?}");
            assert!(is_whole || columns == 0 || width + 3 >= columns, "{columns}: {shown:?}");
        }
    }
    assert_eq!(cut("waiting for 厨房", 15), "waiting for 厨…");
    assert_eq!(cut("waiting for 厨房", 14), "waiting for …");
    assert!(cut(&colored, 5).ends_with("\u{1b}[0m"), "the colour ends with the line");
}

const WIDTHS: [usize; 3] = [40, 80, 200];

/// A view that is so wide.
fn view(columns: fn() -> Option<usize>) -> Live {
    Live { columns, ..Live::new(Detail::Lines) }
}

fn call(name: &'static str) -> NewCall {
    NewCall {
        seconds: 1.234,
        cgroup: escape("/docker/1"),
        abi: Abi::X86_64,
        number: 0,
        name: Some(name),
        invocation: None,
        pid: 8508,
        command: escape("ng\u{1b}inx"),
        outcome: None,
        denied_in_phase: None,
        argument: None,
    }
}

fn place(phase: Phase, container: Option<&str>) -> Place {
    Place { phase, container: container.map(escape) }
}

#[test]
fn a_call_of_the_only_container_has_no_label_and_the_workload_no_phase() {
    let live = view(|| None);
    let line = |phase| live.line_of(&call("read"), &place(phase, None));
    assert_eq!(line(Phase::Workload).as_deref(), Some(r"+1.23s  read  ng\x1binx[8508]"));
    assert_eq!(
        line(Phase::ContainerInit).as_deref(),
        Some(r"+1.23s  read  ng\x1binx[8508]  (container-init)")
    );
    assert_eq!(line(Phase::Setup), None, "the set-up is one line");
    let verbose = view(|| None).with_values();
    let shown = verbose.line_of(&call("mount"), &place(Phase::Setup, Some("web")));
    assert_eq!(shown.as_deref(), Some(r"+1.23s  mount  ng\x1binx[8508]  (setup)  web"));
    assert_eq!(
        view(|| None).without_calls().line_of(&call("read"), &place(Phase::Workload, None)),
        None
    );
}

#[test]
fn a_denied_call_is_shown_in_whatever_phase_it_was_made() {
    let denied = NewCall { outcome: Some(DenyOutcome::Errno(1)), ..call("mount") };
    let line = |phase| view(|| None).line_of(&denied, &place(phase, Some("web"))).expect("a line");
    assert_eq!(line(Phase::Setup), r"+1.23s  denied: mount  EPERM  ng\x1binx[8508]  (setup)  web");
    assert_ne!(
        crate::color::paint(&line(Phase::Workload)),
        line(Phase::Workload),
        "it has a colour"
    );
}

#[test]
fn marks_say_what_happens_to_a_container() {
    let marks = [
        (Mark::Starts, "web starts"),
        (
            Mark::SetUp { by: Some(escape("runc:[1:CHILD]")), calls: 61 },
            "web: 61 set-up syscalls by runc (-v shows them)",
        ),
        (
            Mark::SetUp { by: Some(escape("crun")), calls: 1 },
            "web: 1 set-up syscall by crun (-v shows them)",
        ),
        (
            Mark::SetUp { by: None, calls: 2 },
            "web: 2 set-up syscalls by the runtime (-v shows them)",
        ),
        (Mark::Program { command: escape("n\u{7}"), pid: 12 }, r"web runs n\x07[12]"),
        (Mark::Ended { had_started: true }, "web ended"),
        (Mark::Ended { had_started: false }, "web ended before its program ran"),
    ];
    for (mark, words) in marks {
        let line = view(|| None).mark_line(1.2, &mark, &escape("web"));
        assert_eq!(line, format!("+1.20s  -- {words}"));
    }
    let set_up = Mark::SetUp { by: Some(escape("runc")), calls: 61 };
    let verbose = view(|| None).with_values().mark_line(1.2, &set_up, &escape("web"));
    assert_eq!(verbose, "+1.20s  -- web: 61 set-up syscalls by runc");
}

#[test]
fn marks_fit_and_name_the_end_of_a_long_label() {
    let shop = escape("shop/web-7d9c5bb8b7-2xk4v/nginx");
    let set_up = || Mark::SetUp { by: Some(escape("runc")), calls: 61 };
    for (columns, line) in [
        (view(|| Some(40)), "+1.20s  -- …2xk4v/nginx: 61 set-up sysc…"),
        (
            view(|| Some(80)),
            "+1.20s  -- …b-7d9c5bb8b7-2xk4v/nginx: 61 set-up syscalls by runc (-v shows them)",
        ),
        (
            view(|| Some(200)),
            "+1.20s  -- shop/web-7d9c5bb8b7-2xk4v/nginx: 61 set-up syscalls by runc (-v shows them)",
        ),
    ] {
        assert_eq!(columns.mark_line(1.2, &set_up(), &shop), line);
    }
    let starts = view(|| Some(40)).mark_line(1.2, &Mark::Starts, &shop);
    assert_eq!(starts, "+1.20s  -- …d9c5bb8b7-2xk4v/nginx starts");
    for mark in [Mark::Starts, set_up(), Mark::Ended { had_started: false }] {
        let line = view(|| Some(5)).mark_line(1.2, &mark, &shop);
        assert_eq!(line, "+1.2…");
    }
}

#[test]
fn a_line_with_a_label_fits_and_the_label_keeps_its_end() {
    let line = r"+12.34s  sched_getaffinity  ng\x1binx[123456]  (container-init)";
    for label in [
        "web",
        "0123456789ab",
        "shop/web-7d9c5bb8b7-2xk4v/nginx",
        "厨房/网站-0/厨房网站厨房网站厨房",
    ] {
        for columns in (1..=120).chain(WIDTHS) {
            let shown = labelled(line, Some(&escape(label)), Some(columns));
            let width = measure_text_width(&shown);
            assert!(width <= columns, "{width} of {columns}: {shown:?}");
            let end: String = label.chars().rev().take(3).collect();
            let end: String = end.chars().rev().collect();
            assert_eq!(columns > 2 * LABEL, shown.ends_with(&end), "{columns}: {shown:?}");
            let needed = measure_text_width(line) + 2 + measure_text_width(label);
            let whole = format!("{line}  {label}");
            assert_eq!(columns >= needed, shown == whole, "{columns}: {shown:?}");
        }
        assert_eq!(labelled(line, Some(&escape(label)), None), format!("{line}  {label}"));
    }
    let shop = escape("shop/web-7d9c5bb8b7-2xk4v/nginx");
    let short = "+1.23s  openat  nginx[8508]";
    assert_eq!(labelled(short, Some(&shop), Some(40)), "+1.23s  openat  nginx[850…  …2xk4v/nginx");
    assert_eq!(labelled(short, Some(&escape("web")), Some(40)), format!("{short}  web"));
    assert_eq!(labelled(short, Some(&shop), Some(80)), format!("{short}  {shop}"));
    assert_eq!(labelled(short, None, Some(10)), "+1.23s  o…");
}
