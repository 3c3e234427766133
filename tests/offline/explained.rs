//! `tracer explain`: what is said of real profiles and of recordings, word for word.

use std::fs;
use std::path::Path;

use clap::Parser;
use tests::temporary_directory;
use tracer::cli::Cli;
use tracer::command::{self, Exit, UsageError};
use tracer::profile::policy::{Policy, RuleContext};
use tracer::profile::{Profile, ProfileOptions};
use tracer::recording::json::to_json;
use tracer::recording::{Call, Phase};
use tracer::syscalls::{self, Abi};
use tracer::text::escape;
use tracer::workbench::document::Document;
use tracer::workbench::explain::{self, ExplainSubject, one, render};
use tracer_ebpf::arguments::LOWER_HALF;

use crate::golden;
use crate::recordings::{call, recording, web_server, with_values};

tests::trials! {
    profiles_are_explained_as_agreed,
    syscalls_are_explained_as_agreed,
    every_syscall_can_be_explained,
    the_command_reads_what_it_is_given,
}

fn of_file(name: &str) -> Policy {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../profiles").join(name);
    let bytes = fs::read(path).expect("the file can be read");
    let Ok(Document::Profile { profile, .. }) = Document::read(&bytes) else { panic!("{name}") };
    Policy::new(&profile, &RuleContext::default()).expect("a policy")
}

fn profiles_are_explained_as_agreed() {
    let names = ["learned/nginx", "learned/postgres", "audit", "deny-all"];
    for name in names {
        let policy = of_file(&format!("{name}.json"));
        let subject = ExplainSubject {
            name: "profile.json",
            policy: &policy,
            recording: None,
            is_derived: false,
        };
        let explanation = explain::explain(&subject);
        let of = name.rsplit('/').next().unwrap_or_default();
        for width in [40, 80, 200] {
            golden::check(
                &format!("explain/{of}-{width}.txt"),
                &render::whole(&explanation, width),
            );
        }
    }
}

fn syscalls_are_explained_as_agreed() {
    let mut seen = web_server();
    let socket = call(Abi::X86_64, "socket", Phase::Workload);
    let socket = Call {
        first_seen_seconds: Some(0.25),
        command: Some(escape("nginx")),
        count: Some(12),
        ..socket
    };
    seen.cgroups[0].calls.push(with_values(socket, 0, LOWER_HALF, Some(&[1, 2, 40])));
    let derivation = Profile::derive(std::slice::from_ref(&seen), &ProfileOptions::default());
    let derivation = derivation.expect("a profile");
    let policy = derivation.profile.policy();
    let subject = ExplainSubject {
        name: "web.recording.json",
        policy: &policy,
        recording: Some(&seen),
        is_derived: true,
    };
    for name in ["socket", "statx", "clone3", "bpf", "fcntl64"] {
        let reasons = derivation.profile.allowed.get(name).into_iter().flatten();
        let reasons = reasons.map(ToString::to_string).collect();
        let explained = one::explain(&subject, name, reasons).expect("it is a syscall");
        golden::check(
            &format!("explain/of-{name}.txt"),
            &render::one("web.recording.json", &explained, 80),
        );
    }
    let explanation = explain::explain(&subject);
    golden::check("explain/recording-80.txt", &render::whole(&explanation, 80));
}

fn every_syscall_can_be_explained() {
    let policy = of_file("learned/nginx.json");
    let subject = ExplainSubject { name: "p", policy: &policy, recording: None, is_derived: false };
    for abi in Abi::ALL {
        for (_, name) in syscalls::entries(abi) {
            let explained = one::explain(&subject, name, Vec::new()).expect(name);
            assert!(!render::one("p", &explained, 80).is_empty(), "{name}");
        }
    }
}

fn the_command_reads_what_it_is_given() {
    let directory = temporary_directory();
    let path = directory.path().join("web.recording.json");
    let empty = directory.path().join("empty.recording.json");
    fs::write(&path, to_json(&web_server())).expect("a file can be written");
    fs::write(&empty, to_json(&recording(Vec::new()))).expect("a file can be written");
    let run = |words: &[&str]| {
        let words = ["tracer", "explain"].iter().chain(words);
        command::run(&Cli::try_parse_from(words).expect("it can be understood"))
    };
    let path = path.to_str().expect("the path is text");
    for words in [&[path][..], &[path, "statx"], &[path, "332", "--json"], &["docker-default"]] {
        assert_eq!(run(words).expect("it is explained"), Exit::Complete, "{words:?}");
    }
    let error = run(&[path, "statxx"]).expect_err("no syscall");
    assert!(error.is::<UsageError>() && error.to_string().contains("statx meant"), "{error}");
    let error = run(&[empty.to_str().expect("the path is text")]).expect_err("nothing in it");
    assert!(format!("{error:#}").contains("no call of a workload"), "{error:#}");
}
