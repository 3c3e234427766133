//! `tracer report`: the page and the Markdown of recordings made by hand, word for word; their
//! numbers against the recordings' own JSON; and names that try to get out of their places.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::slice;

use clap::Parser;
use serde_json::Value;
use tests::temporary_directory;
use tracer::cli::Cli;
use tracer::command::{self, Exit, UsageError};
use tracer::profile::{Profile, ProfileOptions};
use tracer::recording::contribution::Contributions;
use tracer::recording::json::to_json;
use tracer::recording::merge::merge;
use tracer::recording::{Call, ContainerIdentity, DenyOutcome, Phase, Recording};
use tracer::syscalls::{self, Abi};
use tracer::text::{Escaped, escape};
use tracer::workbench::report::{RecordingReport, ReportSources, html, markdown};
use tracer_ebpf::arguments::LOWER_HALF;

use crate::decided::{decisions, entry};
use crate::golden;
use crate::program::tracer;
use crate::recordings::{call, denied, full, recording, web_server, with_values};
use crate::rederive::{Directory, of};

tests::trials! {
    a_report_is_as_agreed,
    the_numbers_are_those_of_the_recording,
    the_numbers_of_several_recordings_are_those_of_all,
    what_is_missing_is_said_with_the_remedy,
    hostile_names_stay_text_on_the_page,
    hostile_names_stay_code_in_markdown,
    the_page_loads_and_runs_nothing_else,
    the_policy_names_the_style_and_the_script,
    a_large_recording_makes_a_small_page,
    the_command_writes_what_the_name_asks_for,
    the_profile_of_a_report_is_as_decided,
}

/// A recording with everything that a report shows.
pub(crate) fn served() -> Recording {
    let mut seen = web_server();
    let container = ContainerIdentity {
        engine: Some("docker".into()),
        id: "0123456789abcdef".repeat(4),
        name: Some("web".into()),
        namespace: None,
        pod: None,
        workload: None,
        image: Some("docker.io/library/nginx:latest".into()),
        user: None,
    };
    seen.cgroups[0].container = Some(container);
    let socket = call(Abi::X86_64, "socket", Phase::Workload);
    seen.cgroups[0].calls.push(with_values(socket, 0, LOWER_HALF, Some(&[1, 2, 40])));
    seen.cgroups[0].calls.push(call(Abi::X86_64, "ptrace", Phase::Workload));
    for (index, call) in seen.cgroups[0].calls.iter_mut().enumerate() {
        call.first_seen_seconds = Some(index as f64 * 0.125);
        call.count = Some(1 + index as u64 * 97);
        let by = if call.phase == Phase::Workload { "nginx" } else { "runc:[2:INIT]" };
        call.command = Some(escape(by));
    }
    let refused = denied(Abi::X86_64, "keyctl", DenyOutcome::Errno(1), Phase::Workload);
    let refused = Call {
        first_seen_seconds: Some(3.5),
        command: Some(escape("nginx")),
        count: Some(2),
        ..refused
    };
    seen.cgroups[0].calls.push(refused);
    seen
}

pub(crate) fn report_of(recordings: &[Recording], names: &[&str]) -> RecordingReport {
    let names: Vec<Escaped> = names.iter().map(|name| escape(name)).collect();
    let contributions = Contributions::of(recordings, false);
    let merged = merge(recordings, false).expect("a recording");
    let derivation = Profile::derive(slice::from_ref(&merged), &ProfileOptions::default());
    RecordingReport::of(&ReportSources {
        recordings,
        names: &names,
        contributions: &contributions,
        merged: &merged,
        derivation: &derivation.expect("a profile"),
    })
}

fn a_report_is_as_agreed() {
    let report = report_of(&[served()], &["web.recording.json"]);
    let version = format!("tracer {}", env!("CARGO_PKG_VERSION"));
    let page = html::write(&report).replace(&version, "tracer VERSION");
    golden::check("report/web.html", &page);
    golden::check("report/web.md", &markdown::write(&report));
    let mut second = served();
    second.started = "2026-01-03T03:04:05Z".into();
    second.cgroups[0].calls.push(call(Abi::X86_64, "getrandom", Phase::Workload));
    let report = report_of(&[served(), second], &["one.recording.json", "two.recording.json"]);
    golden::check("report/two.md", &markdown::write(&report));
    let report = report_of(&[full()], &["full.recording.json"]);
    golden::check("report/full.md", &markdown::write(&report));
}

/// The text of the element with an id.
fn figure(page: &str, id: &str) -> String {
    let (_, rest) = page.split_once(&format!("id=\"{id}\">")).expect("the number is there");
    rest.split('<').next().unwrap_or_default().replace(',', "")
}

/// The calls of a recording's JSON.
fn calls_of(recording: &Recording) -> Vec<Value> {
    let json: Value = serde_json::from_str(&to_json(recording)).expect("JSON");
    let cgroups = json["cgroups"].as_array().expect("cgroups").clone();
    cgroups.iter().flat_map(|cgroup| cgroup["calls"].as_array().expect("calls").clone()).collect()
}

/// How many different calls have one of these phases.
fn count_of(calls: &[Value], phases: &[&str]) -> usize {
    let of = calls.iter().filter(|call| phases.iter().any(|phase| call["phase"] == *phase));
    let keys = of.map(|call| format!("{} {}", call["abi"], call["number"]));
    keys.collect::<BTreeSet<_>>().len()
}

fn check_numbers(recordings: &[Recording], names: &[&str]) {
    let page = html::write(&report_of(recordings, names));
    let calls: Vec<Value> = recordings.iter().flat_map(calls_of).collect();
    let seen = count_of(&calls, &["workload", "container-init"]);
    assert_eq!(figure(&page, "figure-seen"), seen.to_string());
    assert_eq!(figure(&page, "figure-denied"), count_of(&calls, &["denied"]).to_string());
    let made = calls.iter().filter(|call| call["phase"] != "denied");
    let made = made.filter_map(|call| call["count"].as_u64());
    let made = made.fold(0, u64::saturating_add).to_string();
    let plain = page.replace(',', "");
    assert!(plain.contains(&format!("<small>{made} calls in all phases")), "{made}");
    let rows = count_of(&calls, &["workload", "container-init", "setup"]);
    assert_eq!(page.matches("<tr><th class=\"name\" scope=\"row\">").count(), rows);
    let curve = page.split("aria-label=\"").nth(1).expect("the curve");
    assert!(curve.starts_with(&format!("{seen} syscalls were seen")), "the curve ends there");
}

fn the_numbers_are_those_of_the_recording() {
    check_numbers(&[served()], &["web.recording.json"]);
    check_numbers(&[full()], &["full.recording.json"]);
    let report = report_of(&[served()], &["web.recording.json"]);
    let derivation = Profile::derive(&[served()], &ProfileOptions::default()).expect("a profile");
    let names = derivation.profile.allowed.keys();
    let native = names.filter(|name| syscalls::number(Abi::X86_64, name).is_some()).count();
    // `clone3` fails, so that C libraries take `clone`.
    assert_eq!(report.figures.allowed, native);
    assert_eq!(report.discovery.quiet_seconds(), Some(10.5));
    let ptrace = report.explanation.beyond_defaults.iter().filter(|one| one.name == "ptrace");
    assert_eq!(ptrace.count(), 0, "the defaults allow ptrace on today's kernels");
    let vsock = |value: &str| value.contains("AF_VSOCK");
    let beyond = &report.explanation.beyond_defaults;
    assert!(beyond.iter().any(|one| one.value.as_deref().is_some_and(vsock)), "{beyond:?}");
}

fn the_numbers_of_several_recordings_are_those_of_all() {
    let mut second = served();
    second.started = "2026-01-03T03:04:05Z".into();
    second.cgroups[0].calls.push(call(Abi::I386, "getpid", Phase::Workload));
    check_numbers(&[served(), second.clone()], &["one", "two"]);
    let thrice = [served(), second.clone(), second];
    let report = report_of(&thrice, &["one", "two", "again"]);
    assert_eq!(report.figures.recordings, 2, "what is given twice counts once");
    let getpid = report.calls.iter().find(|one| one.abi == Abi::I386).expect("it is there");
    assert_eq!((getpid.run, getpid.recordings), (2, 1));
    assert_eq!(report.discovery.boundaries, [12.5]);
}

fn what_is_missing_is_said_with_the_remedy() {
    let mut lossy = served();
    lossy.losses.table_full = 7;
    let whole = Recording { started: "2026-01-03T03:04:05Z".into(), ..served() };
    let report = report_of(&[whole, lossy], &["whole.recording.json", "lossy.recording.json"]);
    for text in [html::write(&report), markdown::write(&report)] {
        for part in ["Incomplete", "map was full: 7", "trace fewer cgroups", "lossy.recording.json"]
        {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
    assert_eq!(report.completeness.lacking, [escape("lossy.recording.json")]);
}

const HOSTILE: &str = "</title><script>alert(1)</script>\"'><img src=x onerror=alert(1)>&lt;`|[x](http://example.com)@octocat #1 **b**\u{1b}[2J\u{202e}";

/// A recording in which every name is hostile.
pub(crate) fn hostile() -> Recording {
    let mut seen = full();
    seen.targets[0].name = HOSTILE.into();
    seen.targets[0].image = Some(HOSTILE.into());
    seen.targets[0].runtime = Some(HOSTILE.into());
    seen.tracer = HOSTILE.into();
    seen.started = HOSTILE.into();
    seen.host.kernel = HOSTILE.into();
    seen.incomplete_reasons = vec![HOSTILE.into()];
    seen.late_starts = vec![HOSTILE.into()];
    seen.command.as_mut().expect("a command").arguments = vec![escape(HOSTILE)];
    for cgroup in &mut seen.cgroups {
        cgroup.path = HOSTILE.into();
        if let Some(container) = &mut cgroup.container {
            container.name = Some(HOSTILE.into());
            container.image = Some(HOSTILE.into());
        }
        for call in &mut cgroup.calls {
            call.command = Some(escape(HOSTILE));
        }
    }
    seen
}

fn hostile_names_stay_text_on_the_page() {
    let page = html::write(&report_of(&[hostile()], &[HOSTILE]));
    assert_eq!(page.matches("<script").count(), 1, "the one of this program");
    assert_eq!(page.matches("</script").count(), 1);
    assert_eq!(page.matches("</title").count(), 1);
    assert_eq!(page.matches("<img").count(), 0);
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "it is shown");
    assert!(!page.contains('\u{1b}') && !page.contains('\u{202e}'));
    // Quotes end an attribute: every one of this program is followed by a space or by the end.
    for part in page.split("onerror").skip(1) {
        assert!(part.starts_with("=alert(1)&gt;"), "{}", &part[..40]);
    }
}

/// Markdown without its code spans.
fn outside_code(text: &str) -> String {
    let mut outside = String::new();
    let mut rest = text;
    while let Some(start) = rest.find('`') {
        outside.push_str(&rest[..start]);
        let fence = rest[start..].chars().take_while(|one| *one == '`').count();
        let mut at = start + fence;
        let end = loop {
            let next = at + rest[at..].find('`').expect("the span ends");
            let length = rest[next..].chars().take_while(|one| *one == '`').count();
            at = next + length;
            if length == fence {
                break at;
            }
        };
        rest = &rest[end..];
    }
    outside.push_str(rest);
    outside
}

fn hostile_names_stay_code_in_markdown() {
    let text = markdown::write(&report_of(&[hostile()], &[HOSTILE]));
    assert!(text.contains("@octocat"), "it is shown");
    let outside = outside_code(&text);
    for part in ["<script", "octocat", "example.com", "onerror", "#1", "**b**", "&lt;"] {
        assert!(!outside.contains(part), "{part}: {outside}");
    }
    // A line that is cut by a vertical line in a name would have more cells.
    let mut cells = 0;
    for line in text.lines() {
        let bare = line.replace("\\|", "").matches('|').count();
        if line.starts_with("|---") {
            cells = bare;
        } else if line.starts_with('|') && cells > 0 {
            assert_eq!(bare, cells, "{line}");
        } else {
            cells = 0;
        }
    }
}

fn the_page_loads_and_runs_nothing_else() {
    let page = html::write(&report_of(&[served()], &["web.recording.json"]));
    for part in ["http://", "https://", "//", "src=", "href=", "url(", "@import", " style="] {
        assert!(!page.contains(part), "{part}");
    }
    assert!(page.contains("default-src &#39;none&#39;"));
    for event in ["onclick", "onload", "onerror", "javascript:"] {
        assert!(!page.contains(event), "{event}");
    }
}

fn the_policy_names_the_style_and_the_script() {
    for text in [html::STYLE, html::SCRIPT] {
        let pipe = "sha256sum | cut -c-64 | tr a-f A-F | basenc --base16 -d | base64 -w0";
        let mut shell = Command::new("sh")
            .args(["-c", pipe])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell can be started");
        let mut input = shell.stdin.take().expect("a pipe");
        input.write_all(text.as_bytes()).expect("the shell reads");
        drop(input);
        let output = shell.wait_with_output().expect("the shell ends");
        let hash = String::from_utf8(output.stdout).expect("base64");
        let start: String = text.chars().take(20).collect();
        assert!(html::POLICY.contains(&format!("'sha256-{hash}'")), "sha256-{hash}: {start:?}");
    }
}

fn a_large_recording_makes_a_small_page() {
    let every = |name| Call {
        first_seen_seconds: Some(0.25),
        command: Some(escape("a-long-name-16ch")),
        count: Some(123_456),
        ..call(Abi::X86_64, name, Phase::Workload)
    };
    let all = syscalls::entries(Abi::X86_64).map(|(_, name)| every(name)).collect();
    let large = recording(vec![all]);
    let page = html::write(&report_of(slice::from_ref(&large), &["large.recording.json"]));
    assert!(page.len() < 300_000, "{} bytes", page.len());
    let many: Vec<Recording> = (0..200)
        .map(|index| Recording { started: format!("2026-01-02T03:04:05.{index:03}Z"), ..served() })
        .collect();
    let page = html::write(&report_of(&many, &vec!["web.recording.json"; 200]));
    assert!(page.len() < 300_000, "{} bytes", page.len());
    assert!(page.contains("and 140 more"), "the list of recordings is cut");
}

fn the_command_writes_what_the_name_asks_for() {
    let directory = temporary_directory();
    let path = |name: &str| directory.path().join(name).to_str().expect("text").to_owned();
    fs::write(path("web.recording.json"), to_json(&served())).expect("a file can be written");
    let idle = recording(vec![vec![call(Abi::X86_64, "mount", Phase::Setup)]]);
    fs::write(path("idle.recording.json"), to_json(&idle)).expect("a file can be written");
    let run = |input: &str, out: &str| {
        let words = ["tracer", "report", &path(input), "-o", out];
        command::run(&Cli::try_parse_from(words).expect("it can be understood"))
    };
    for (name, beginning) in
        [("a.html", "<!DOCTYPE html>"), ("a.HTM", "<!DOCTYPE html>"), ("a.md", "## Syscalls of ")]
    {
        let exit = run("web.recording.json", &path(name)).expect("it is written");
        assert_eq!(exit, Exit::Complete);
        let text = fs::read_to_string(path(name)).expect("the report is there");
        assert!(text.starts_with(beginning), "{name}: {text}");
    }
    let error = run("web.recording.json", &path("a.json")).expect_err("no report");
    assert!(error.is::<UsageError>() && error.to_string().contains(".html"), "{error}");
    let error = run("idle.recording.json", &path("b.html")).expect_err("no workload");
    assert!(format!("{error:#}").contains("no call of a workload"), "{error:#}");
    let error = run("missing.recording.json", &path("b.html")).expect_err("no file");
    assert!(format!("{error:#}").contains("missing.recording.json"), "{error:#}");
    let error = run("web.recording.json", &path("none/b.html")).expect_err("no directory");
    assert!(format!("{error:#}").contains("mkdir"), "{error:#}");
    assert!(!directory.path().join("b.html").exists(), "nothing is written");
}

fn the_profile_of_a_report_is_as_decided() {
    let directory = Directory::new();
    directory.recording("one", &of(&["read", "mount"]));
    fs::create_dir(directory.path("more")).expect("a directory");
    directory.recording("more/two", &of(&["read"]));
    decisions(&directory, "more/tracer.toml", "");
    let text = entry("allow", "\"bpf\"", "") + &entry("deny", "\"mount\"", "");
    decisions(&directory, "tracer.toml", &text);
    for (more, [bpf, mount]) in [
        (&[][..], [true, false]),
        (&["more/two.recording.json"], [true, false]),
        (&["--no-decisions"], [false, true]),
        (&["--decisions=more/tracer.toml"], [false, true]),
    ] {
        let words = [&["report", "one.recording.json", "--out=-"], more].concat();
        let run = tracer(directory.0.path(), &words);
        let (of_profile, _) = run.stdout.split_once("<details>").expect("what was made");
        let is_beyond = |name: &str| of_profile.contains(&format!("\n| `{name}` | "));
        assert_eq!([is_beyond("bpf"), is_beyond("mount")], [bpf, mount], "{run:?}");
        let says = "tracer.toml: allow bpf (a reason)\ndecided in ";
        assert!(run.code == Some(0) && run.stderr.contains(says) == bpf, "{run:?}");
    }
}
