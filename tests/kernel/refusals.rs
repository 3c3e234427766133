//! What the kernel refuses when tracer starts: one message, with the cause and what to do.

use std::{env, path::PathBuf};

use aya::{
    Ebpf,
    programs::{ProgramError, RawTracePoint},
};
use tests::{GROUND_TRUTH, Outcome, Stop, Tracer, kernel_tier, require, tool};

const NO_MOUNT: &str = "inject=fsopen:error=EPERM";

tests::trials! {
    a_map_without_memory_is_named_once_with_what_to_do,
    a_refused_question_of_what_the_kernel_can_do_is_reported_with_its_cause,
    a_refused_program_is_reported_in_a_few_lines,
    the_verifier_names_the_lines_of_the_sources,
}

/// tracer and its threads under strace, which is given one more option. It may mount nothing: one
/// thread makes all maps then, and loads the largest program.
fn run(option: &str) -> Result<Outcome, Stop> {
    let strace: PathBuf = require!(kernel_tier().and_then(|()| tool("strace")));
    let launcher = [strace.as_os_str()].into_iter().map(ToOwned::to_owned);
    let options =
        ["-f", "-s", "64", "-o", "/dev/stdout", "-e", option, "-e", NO_MOUNT, "--"].map(Into::into);
    let tracer = Tracer::new().launcher(launcher.chain(options));
    Ok(tracer.command([GROUND_TRUTH, "x86_64:getpid"]).run())
}

/// The number of the first call of bpf(2) whose line holds the parts, among those of its thread, as
/// strace counts them. Each line begins with the id of a thread.
fn number_of(parts: &[&str]) -> Result<usize, Stop> {
    let outcome = run("trace=bpf,fsopen")?.exits(0);
    let calls = outcome.stdout.lines().filter_map(|line| line.split_once(' '));
    let calls: Vec<_> = calls.filter(|(_, call)| call.trim_start().starts_with("bpf(")).collect();
    let found = calls.iter().position(|(_, call)| parts.iter().all(|part| call.contains(part)));
    let found = found.unwrap_or_else(|| panic!("{parts:?} in\n{}", outcome.stdout));
    let (thread, _) = calls[found];
    Ok(calls[..=found].iter().filter(|(other, _)| *other == thread).count())
}

/// Calls of bpf(2) fail, from this number on or only that one.
fn run_failing(error: &str, when: &str) -> Result<Outcome, Stop> {
    Ok(run(&format!("inject=bpf:error={error}:when={when}"))?.exits(1))
}

/// In which order maps are made differs from run to run. Before the first one, the loader asks
/// whether the kernel knows global data, by a map and a program of its own.
fn a_map_without_memory_is_named_once_with_what_to_do() -> Result<(), Stop> {
    const REFUSED: &str = "error: the kernel refused to make the map ";
    let map = number_of(&["BPF_MAP_CREATE", "aya_glo"])? + 2;
    let outcome = run_failing("ENOMEM", &map.to_string())?;
    let outcome = outcome.says(&[REFUSED, ": Cannot allocate memory", "\n\nhint: ", "memory.max"]);
    for once in ["the kernel refused", "Cannot allocate memory"] {
        assert_eq!(outcome.stderr.matches(once).count(), 1, "{once:?} in {}", outcome.stderr);
    }
    assert!(!outcome.stderr.contains("failed to create map"), "{}", outcome.stderr);
    outcome.writes_nothing();
    let outcome = run_failing("EINVAL", &map.to_string())?;
    let outcome = outcome.says(&[REFUSED, ": Invalid argument"]);
    assert!(!outcome.stderr.contains("memory"), "{}", outcome.stderr);
    Ok(())
}

fn a_refused_question_of_what_the_kernel_can_do_is_reported_with_its_cause() -> Result<(), Stop> {
    let question = number_of(&["BPF_MAP_CREATE", "aya_glo"])?;
    // For good: the first map is refused as well.
    let outcome = run_failing("ENOMEM", &format!("{question}+"))?;
    let parts = ["refused to make the map ", ": Cannot allocate memory", "memory.max"];
    outcome.says(&parts).writes_nothing();
    let outcome = run_failing("ENOMEM", &question.to_string())?;
    outcome.says(&["does not fail any more", "\n\nhint: run tracer again"]).writes_nothing();
    Ok(())
}

fn a_refused_program_is_reported_in_a_few_lines() -> Result<(), Stop> {
    let program = number_of(&["BPF_PROG_LOAD", "prog_name=\"sys_enter\""])?;
    // aya asks twice, the second time for the verifier's log. What is loaded beside it is not
    // refused.
    let outcome = run_failing("EACCES", &format!("{program}..{}", program + 1))?;
    let outcome = outcome.says(&["the kernel refused the program ", "Permission denied"]);
    assert!(outcome.stderr.lines().count() < 12, "{}", outcome.stderr);
    assert_eq!(outcome.stderr.matches("Permission denied").count(), 1, "{}", outcome.stderr);
    outcome.writes_nothing();
    Ok(())
}

/// Without the offsets of this kernel the verifier refuses the program. What it says is what `-v`
/// shows.
fn the_verifier_names_the_lines_of_the_sources() -> Result<(), Stop> {
    require!(kernel_tier());
    let object = env::var_os("TRACER_EBPF_OBJECT").expect("TRACER_EBPF_OBJECT: run cargo xtask");
    let mut ebpf = Ebpf::load_file(object).expect("the maps can be made");
    let program: &mut RawTracePoint =
        ebpf.program_mut("sys_enter").expect("the program").try_into().expect("a raw tracepoint");
    let log = match program.load() {
        Err(ProgramError::LoadError { verifier_log, .. }) => verifier_log.to_string(),
        other => panic!("a refusal of the verifier: {other:?}"),
    };
    let names_a_line = |line: &str| line.starts_with("; ") && line.contains(".rs:");
    assert!(log.lines().any(names_a_line), "{log}");
    Ok(())
}
