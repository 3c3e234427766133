//! The filters of `enforce`: what they do with every call, and whether that is what libseccomp's
//! filters do.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tests::{Stop, require};
use tracer::profile::filter::{self, Instruction};
use tracer::profile::oci;
use tracer::profile::policy::{Policy, PolicyError, RuleContext, Verdict};
use tracer::syscalls::{self, Abi, HOST, entries};

use crate::filter_profiles::{contradictions, made_of_lengths, profiles};

tests::trials! {
    the_program_does_what_the_policy_says,
    a_long_profile_fits,
    libseccomp_says_the_same,
    what_contradicts_itself_is_refused_by_both,
}

const X86_64: u32 = 0xc000_003e;
const I386: u32 = 0x4000_0003;
const AARCH64: u32 = 0xc000_00b7;
const X32: u32 = 0x4000_0000;
/// A call as a filter sees it.
#[derive(Clone, Copy, Debug)]
struct Call {
    architecture: u32,
    number: u32,
    arguments: [u64; 6],
}

impl Call {
    /// A word of `struct seccomp_data`.
    fn word(&self, offset: u32) -> u32 {
        match offset {
            0 => self.number,
            4 => self.architecture,
            8 | 12 => 0,
            _ => {
                let at = offset - 16;
                let argument = self.arguments[at as usize / 8];
                if at.is_multiple_of(8) { argument as u32 } else { (argument >> 32) as u32 }
            }
        }
    }

    fn abi(&self) -> Option<(Abi, u32)> {
        match (self.architecture, self.number) {
            (I386, number) => Some((Abi::I386, number)),
            (X86_64, number) if number < X32 => Some((Abi::X86_64, number)),
            (X86_64, number) => Some((Abi::X32, number - X32)),
            _ => None,
        }
    }
}

/// Runs a classic BPF program, with the instructions that the two compilers use.
fn run(program: &[Instruction], call: &Call) -> u32 {
    let (mut at, mut loaded) = (0, 0);
    loop {
        let Instruction { code, jt, jf, k } = program[at];
        at += 1;
        let by = |holds: bool| usize::from(if holds { jt } else { jf });
        match code {
            0x20 => loaded = call.word(k),
            0x54 => loaded &= k,
            0x05 => at += k as usize,
            0x15 => at += by(loaded == k),
            0x25 => at += by(loaded > k),
            0x35 => at += by(loaded >= k),
            0x45 => at += by(loaded & k != 0),
            0x06 => return k,
            _ => panic!("instruction {code:#x} at {}", at - 1),
        }
    }
}

/// What the kernel takes for the verdict (`seccomp(2)`).
fn number(verdict: Verdict) -> u32 {
    match verdict {
        Verdict::Allow => 0x7fff_0000,
        Verdict::Log => 0x7ffc_0000,
        Verdict::Trace(with) => 0x7ff0_0000 | u32::from(with),
        Verdict::Errno(errno) => 0x0005_0000 | u32::from(errno),
        Verdict::Trap => 0x0003_0000,
        Verdict::KillThread => 0,
        Verdict::KillProcess => 0x8000_0000,
    }
}

fn try_policy(profile: &Value) -> Result<Policy, PolicyError> {
    let profile =
        oci::read(profile.to_string().as_bytes()).unwrap_or_else(|error| panic!("{error}"));
    Policy::new(&profile, &RuleContext::default())
}

fn policy(profile: &Value) -> Policy {
    try_policy(profile).expect("a policy")
}

/// Every number that has a meaning somewhere, and some that have none, through every entrance.
fn numbers() -> Vec<(u32, u32)> {
    let plain = (0..=560).chain([600, 1000, 4095, 0x3fff_ffff]);
    let mut calls: Vec<_> = plain.flat_map(|number| [(X86_64, number), (I386, number)]).collect();
    calls.extend((0..=560).map(|number| (X86_64, X32 | number)));
    for odd in [X32 | 1000, 0x7fff_ffff, 0x8000_0000, u32::MAX - 1, u32::MAX] {
        calls.extend([(X86_64, odd), (I386, odd)]);
    }
    calls.extend([(AARCH64, 0), (AARCH64, u32::MAX), (0, 0)]);
    calls
}

/// Arguments on both sides of what the rules compare with.
fn arguments(profile: &Value) -> Vec<[u64; 6]> {
    let mut found = BTreeSet::from([[0; 6], [u64::MAX; 6]]);
    // The first argument distinguishes the calls behind i386's `socketcall` and `ipc`.
    found.extend((1..=25).map(|first| [first, 0, 0, 0, 0, 0]));
    for rule in profile["syscalls"].as_array().into_iter().flatten() {
        let mut vectors = vec![[0_u64; 6]];
        for condition in rule["args"].as_array().into_iter().flatten() {
            let index = condition["index"].as_u64().expect("a number") as usize;
            let value = condition["value"].as_u64().expect("a number");
            let two = condition["valueTwo"].as_u64().unwrap_or(0);
            let around = [value.wrapping_sub(1), value, value.wrapping_add(1)];
            let far = [value ^ 1 << 32, value ^ 1 << 63, two, two | !value, two ^ 1, 1, u64::MAX];
            let with = |vector: &[u64; 6], value| {
                let mut vector = *vector;
                vector[index] = value;
                vector
            };
            let all = around.into_iter().chain(far);
            let all: Vec<_> =
                all.flat_map(|to| vectors.iter().map(move |it| with(it, to))).collect();
            vectors.extend(all);
        }
        found.extend(vectors);
    }
    found.into_iter().collect()
}

fn each_call(profile: &Value, mut check: impl FnMut(&Call)) {
    let all = arguments(profile);
    let few = arguments(&Value::Null);
    let limited = limited(profile);
    for (architecture, number) in numbers() {
        let call = Call { architecture, number, arguments: [0; 6] };
        let is_limited = call.abi().is_some_and(|call| limited.contains(&call));
        for arguments in if is_limited { &all } else { &few } {
            check(&Call { architecture, number, arguments: *arguments });
        }
    }
}

/// The calls that rules with conditions are about, and the entrances of i386 behind which they may
/// be.
fn limited(profile: &Value) -> BTreeSet<(Abi, u32)> {
    let rules = profile["syscalls"].as_array().into_iter().flatten();
    let rules = rules.filter(|rule| rule["args"].as_array().is_some_and(|args| !args.is_empty()));
    let names = rules.flat_map(|rule| rule["names"].as_array().cloned().unwrap_or_default());
    let names: BTreeSet<String> =
        names.filter_map(|name| name.as_str().map(str::to_owned)).collect();
    let calls = Abi::ALL.into_iter().flat_map(|abi| entries(abi).map(move |call| (abi, call)));
    let is_limited = |name: &str| names.contains(name) || ["ipc", "socketcall"].contains(&name);
    let calls = calls.filter(|(_, (_, name))| is_limited(name));
    calls.filter_map(|(abi, (number, _))| Some((abi, number.try_into().ok()?))).collect()
}

fn the_program_does_what_the_policy_says() {
    for (name, profile) in profiles() {
        let policy = policy(&profile);
        let program = filter::compile(&policy).expect("a program");
        each_call(&profile, |call| {
            let meant = match call.abi() {
                // A tracer skips a call by this number: it is no x32 call.
                Some((Abi::X32, _)) if call.number == u32::MAX => policy.default_verdict(),
                Some((abi, number)) => policy.decide(abi, number, &call.arguments),
                None => Verdict::KillThread,
            };
            assert_eq!(run(&program, call), number(meant), "{name}: {call:x?}");
        });
    }
}

fn a_long_profile_fits() {
    let (name, profile) = made_of_lengths().remove(1);
    let program = filter::compile(&policy(&profile)).expect("a program");
    assert!((500..4096).contains(&program.len()), "{name}: {} instructions", program.len());
    assert!(program.len() > HOST.native_names, "as many ranges as can be");
}

/// Debian's Python: python3-seccomp belongs to it.
const PYTHON: &str = "/usr/bin/python3";

/// libseccomp's program for a profile, and the names that this libseccomp does not know, each
/// behind its ABI.
fn libseccomp(profile: &Value) -> Result<(Vec<Instruction>, BTreeSet<String>), String> {
    let script: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/libseccomp.py");
    let mut command = Command::new(PYTHON);
    command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("{PYTHON}: {error}"))?;
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(profile.to_string().as_bytes()).expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() {
        return Err(said);
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let byte = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal");
    let bytes: Vec<u8> = (0..text.trim().len()).step_by(2).map(byte).collect();
    let instruction = |it: &[u8; 8]| Instruction {
        code: u16::from_le_bytes([it[0], it[1]]),
        jt: it[2],
        jf: it[3],
        k: u32::from_le_bytes([it[4], it[5], it[6], it[7]]),
    };
    let program = bytes.as_chunks().0.iter().map(instruction).collect();
    Ok((program, said.lines().map(str::to_owned).collect()))
}

/// Whether Debian's python3-seccomp is there.
fn has_libseccomp() -> Result<(), String> {
    let output = Command::new(PYTHON).args(["-c", "import seccomp"]).output();
    let there = output.is_ok_and(|output| output.status.success());
    there.then_some(()).ok_or("needs libseccomp for Python (python3-seccomp)".into())
}

fn libseccomp_says_the_same() -> Result<(), Stop> {
    for (name, profile) in profiles() {
        require!(agrees_with_libseccomp(&name, &policy(&profile), &profile));
    }
    Ok(())
}

/// Checks that the program of a policy does what libseccomp's does, for a profile in the OCI form
/// that means the same.
pub fn agrees_with_libseccomp(name: &str, policy: &Policy, profile: &Value) -> Result<(), String> {
    has_libseccomp()?;
    let (theirs, unknown) = libseccomp(profile).expect("it runs");
    let ours = filter::compile(policy).expect("a program");
    let is_unknown = |call: &Call| {
        let (abi, number) = call.abi()?;
        let name = syscalls::name(abi, number.try_into().ok()?)?;
        unknown.contains(&format!("{} {name}", abi.name())).then_some(())
    };
    each_call(profile, |call| {
        let (ours, theirs) = (run(&ours, call), run(&theirs, call));
        let same = ours == theirs || is_unknown(call).is_some();
        assert!(same, "{name}: ours {ours:#x}, theirs {theirs:#x}: {call:x?}");
    });
    Ok(())
}

fn what_contradicts_itself_is_refused_by_both() -> Result<(), Stop> {
    let checked = has_libseccomp();
    for profile in contradictions() {
        let error = try_policy(&profile).expect_err("a contradiction");
        assert!(matches!(error, PolicyError::Conflict { rule: 1, .. }), "{error}");
        if checked.is_ok() {
            let error = libseccomp(&profile).expect_err("a contradiction");
            assert!(error.contains("errno = -17"), "EEXIST: {error}");
        }
    }
    require!(checked);
    Ok(())
}
