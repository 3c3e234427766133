//! What the documents show to be typed: tracer understands each line, and the lines that need no
//! kernel do what is said there. Others are run by the tiers that have what they need.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;
use tests::typed::{ENGINES, KERNEL, POD, Typed, typed, workspace};
use tests::{temporary_directory, write_program};
use tracer::cli::Cli;
use tracer::recording::json::to_json;

use crate::program::ROLE;
use crate::recordings::web_server;
use crate::rederive::of;
use crate::report::served;

tests::trials! {
    tracer_understands_every_line,
    every_line_that_only_asks_files_does_what_it_says,
    each_line_is_run_by_a_tier,
}

/// Commands that read and write files, and nothing else.
const ASK_FILES: [&str; 10] = [
    "completions",
    "convert",
    "decode",
    "diff",
    "explain",
    "lint",
    "man-pages",
    "profile",
    "report",
    "review",
];
/// Lines that end with another status than 0, and the status.
const STATUS: [(&str, i32); 8] = [
    ("tracer diff old.json new.json --fail-on added", 5),
    ("tracer diff main/web.json pr/web.json --fail-on beyond-default,dangerous", 5),
    ("tracer diff seccomp.json new/profile.json --fail-on added", 5),
    ("tracer diff seccomp.json seccomp-new/profile.json --fail-on added", 5),
    ("tracer lint p.json", 4),
    ("tracer lint custom.json", 4),
    ("dmesg | tracer decode", 3),
    ("tracer decode audit.log --profile web.json", 3),
];

/// Lines that no tier runs, and why.
const NOT_RUN: [(&str, &str); 5] = [
    ("sudo apt install ./target/dist/tracer_0.1.0_amd64.deb", "it changes the machine"),
    (
        "sudo install -D -m 644 profiles/learn.json /var/lib/kubelet/seccomp/profiles/learn.json",
        "it changes the machine",
    ),
    (
        "kubectl --namespace shop patch deployment web --patch-file profile.kubernetes.yaml",
        "the cluster tier applies such a patch in the day of docs/kubernetes.md",
    ),
    (
        "docker build --file Containerfile --tag localhost/tracer:0.1.0 .",
        "the cluster tier makes the image as the Containerfile says",
    ),
    (
        "kubectl debug node/NODE -it --profile=sysadmin --image=localhost/tracer:0.1.0 -- \
         /tracer --wait --cgroup UID-OR-ID --out /host/var/tmp/profile.json",
        "it needs somebody at a terminal",
    ),
];

/// The lines that run tracer, which are no forms.
fn lines() -> Vec<(Typed, Vec<String>)> {
    let lines = typed().into_iter().filter(|typed| !typed.is_form());
    lines.filter_map(|typed| typed.words_of_tracer().map(|words| (typed, words))).collect()
}

/// `--follow` reads what the kernel sends.
fn asks_files(words: &[String]) -> bool {
    let is_endless = words.iter().any(|word| word == "--follow");
    !is_endless && words.get(1).is_some_and(|command| ASK_FILES.contains(&command.as_str()))
}

fn tracer_understands_every_line() {
    let lines = lines();
    assert!(lines.len() > 50, "the lines are found: {}", lines.len());
    let mistyped =
        lines.iter().filter(|(_, words)| Cli::read(words.iter().map(OsString::from)).is_err());
    let mistyped: Vec<_> = mistyped.map(|(typed, _)| typed).collect();
    assert!(mistyped.is_empty(), "{mistyped:?}");
}

/// Each line is run by a tier, or has a reason why it is not; and each list names lines that are
/// there. The lines of xtask are read by its own tests.
fn each_line_is_run_by_a_tier() {
    let typed: Vec<Typed> = typed().into_iter().filter(|typed| !typed.is_form()).collect();
    let kernel = KERNEL.map(|(line, _)| line);
    let is_run = |typed: &Typed| {
        let line = typed.line.as_str();
        let is_of_cluster = typed.page == "docs/kubernetes.md" && typed.is_of_script;
        is_of_cluster
            || line.starts_with("cargo xtask ")
            || [&kernel[..], &ENGINES, &[POD]].concat().contains(&line)
            || NOT_RUN.iter().any(|(other, _)| *other == line)
            || typed.words_of_tracer().is_some_and(|words| asks_files(&words))
    };
    let missing: Vec<&Typed> = typed.iter().filter(|typed| !is_run(typed)).collect();
    assert!(missing.is_empty(), "nobody runs {missing:#?}");
    let named = [&kernel[..], &ENGINES, &[POD], &STATUS.map(|(line, _)| line)].concat();
    for line in named.into_iter().chain(NOT_RUN.map(|(line, _)| line)) {
        assert!(typed.iter().any(|typed| typed.line == line), "nobody types: {line}");
    }
}

/// A directory with the files that the documents name, and tracer in its path.
fn directory() -> TempDir {
    let directory = temporary_directory();
    let path = |name: &str| directory.path().join(name);
    let root = workspace().canonicalize().expect("the workspace is there");
    symlink(root.join("profiles"), path("profiles")).expect("a link");
    for name in ["bin", "new", "main", "pr", "runs", "seccomp-new", "job"] {
        fs::create_dir(path(name)).expect("a directory can be made");
    }
    let program = env::current_exe().expect("the path of this program");
    let tracer = format!("#!/bin/sh\n{ROLE}=1 exec {} \"$@\"\n", program.display());
    write_program(path("bin/tracer"), tracer);
    let said = "runc create failed: unable to start container process: unable to apply caps: function not implemented";
    write_program(path("bin/docker"), format!("#!/bin/sh\necho '{said}' >&2\nexit 125\n"));
    write_program(path("bin/dmesg"), "#!/bin/sh\nexec cat audit.log\n");
    let learned = |name: &str| {
        fs::read(root.join("profiles/learned").join(name)).expect("an example can be read")
    };
    let (nginx, postgres) = (learned("nginx.json"), learned("postgres.json"));
    for name in ["web.json", "old.json", "profile.json", "seccomp.json", "main/web.json"] {
        fs::write(path(name), &nginx).expect("written");
    }
    for name in ["new.json", "new/profile.json", "seccomp-new/profile.json"] {
        fs::write(path(name), &postgres).expect("written");
    }
    let wide = r#"{"defaultAction": "SCMP_ACT_ALLOW"}"#;
    fs::write(path("pr/web.json"), wide).expect("written");
    let few = r#"{"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86_64"],
        "syscalls": [{"names": ["read", "execve"], "action": "SCMP_ACT_ALLOW"}]}"#;
    fs::write(path("p.json"), few).expect("written");
    fs::write(path("custom.json"), format!("// custom.json\n{wide}")).expect("written");
    let unit = "[Service]\nSystemCallFilter=@system-service\n";
    fs::write(path("nginx.service"), unit).expect("written");
    for name in ["audit.log", "seccomp.log"] {
        fs::copy(root.join("tests/corpus/log/audit.log"), path(name)).expect("copied");
    }
    let seen = to_json(&served());
    for name in ["web", "nginx", "NAME", "runs/one"] {
        fs::write(path(&format!("{name}.recording.json")), &seen).expect("written");
    }
    for name in ["monday", "tuesday", "job/profile"] {
        let recording = if name == "monday" { web_server() } else { of(&["read"]) };
        fs::write(path(&format!("{name}.recording.json")), to_json(&recording)).expect("written");
    }
    directory
}

fn shell(directory: &Path, line: &str) -> Output {
    let path = env::var("PATH").expect("a path");
    Command::new("sh")
        .args(["-c", line])
        .current_dir(directory)
        .env("PATH", format!("{}:{path}", directory.join("bin").display()))
        .env("GITHUB_STEP_SUMMARY", directory.join("summary.md"))
        .stdin(Stdio::null())
        .output()
        .expect("a shell")
}

fn every_line_that_only_asks_files_does_what_it_says() {
    let mut wrong = Vec::new();
    let asking: Vec<Typed> = lines()
        .into_iter()
        .filter(|(_, words)| asks_files(words))
        .map(|(typed, _)| typed)
        .collect();
    for Typed { page, line, .. } in asking.iter().filter(|typed| typed.page != "docs/kubernetes.md")
    {
        let directory = directory();
        let status = STATUS.iter().find(|(other, _)| other == line).map_or(0, |(_, code)| *code);
        let Output { status: ended, stdout, stderr } = shell(directory.path(), line);
        let said = [stdout, stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
        if ended.code() != Some(status) {
            wrong.push(format!("{page}: {line}\n{ended}, not {status}\n{}", said.concat()));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), asking.len(), wrong.join("\n"));
}
