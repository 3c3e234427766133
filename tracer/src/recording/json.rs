//! Reading and writing recording files.
//!
//! The form is described by `docs/recording.schema.json`. A file is evidence that someone hands in: what is read is checked
//! before anything is derived from it, and no text of it reaches an error message unescaped.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::error::Category;

use super::{Call, Cgroup, Phase, Recording, VERSION, event::NewCall};
use crate::{
    syscalls::{self, Abi},
    text,
};

/// The largest file that is read, in bytes.
pub const MAX_BYTES: usize = 256 << 20;
/// The longest text of a recording, in bytes: names, paths, sentences. A path has at most 4096 bytes (`PATH_MAX`), and
/// several times as many when it is escaped.
pub const MAX_TEXT: usize = 64 << 10;
/// The longest argument of a command, in bytes: the kernel takes 128 KiB (`MAX_ARG_STRLEN`), escaped.
pub const MAX_ARGUMENT: usize = 1 << 20;

/// Why a file is not read as a recording.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordingError {
    /// Larger than anything this program writes.
    #[error("{bytes} bytes are more than a recording has (at most {MAX_BYTES})")]
    TooLarge {
        /// The size.
        bytes: usize,
    },
    /// Not JSON.
    #[error("not JSON: line {line}, column {column}: {message}")]
    NotJson {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What is wrong there.
        message: String,
    },
    /// The JSON ends too early.
    #[error("truncated: the file ends in line {line}, column {column}, before the recording does")]
    Truncated {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
    /// JSON of another form.
    #[error("not a recording of tracer: line {line}, column {column}: {message}")]
    NotARecording {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What is wrong there.
        message: String,
    },
    /// JSON without the version that every recording has.
    #[error("not a recording of tracer: it has no \"version\" that is a number from 1")]
    NoVersion,
    /// Written by a newer program, in a form that this one does not know.
    #[error("the recording has version {found}, this program reads {VERSION}: use a newer tracer")]
    NewerVersion {
        /// Its version.
        found: u64,
    },
    /// A target has a cgroup that the recording does not.
    #[error("target {target:?} names cgroup {index}, but the recording has {cgroups}")]
    CgroupIndex {
        /// The target's name.
        target: String,
        /// The index.
        index: usize,
        /// How many cgroups there are.
        cgroups: usize,
    },
    /// A text is longer than anything this program writes.
    #[error("{field} has {bytes} bytes, more than the {limit} that a recording allows")]
    LongText {
        /// Which text.
        field: &'static str,
        /// Its length.
        bytes: usize,
        /// The longest that is allowed.
        limit: usize,
    },
    /// A number goes by another name than its own.
    #[error("call {number} of {} is {expected:?}, but the recording calls it {name:?}", abi.name())]
    WrongName {
        /// The ABI.
        abi: Abi,
        /// The number.
        number: i32,
        /// The name that the number has.
        expected: &'static str,
        /// The name that the recording gives.
        name: String,
    },
    /// A call comes twice in a cgroup.
    #[error("call {number} of {} comes twice in cgroup {path:?}", abi.name())]
    DuplicateCall {
        /// The cgroup.
        path: String,
        /// The ABI.
        abi: Abi,
        /// The number.
        number: i32,
    },
    /// A denied call without the way it was refused, or another call with one.
    #[error("call {number} of {} in cgroup {path:?}: only a denied call has \"refused\" and \"during\", and it has both", abi.name())]
    Refused {
        /// The cgroup.
        path: String,
        /// The ABI.
        abi: Abi,
        /// The number.
        number: i32,
    },
}

/// Writes a recording: the same bytes for the same recording, a newline at the end.
pub fn to_json(recording: &Recording) -> String {
    let mut text = serde_json::to_string_pretty(recording).expect("a recording has a JSON form");
    text.push('\n');
    text
}

/// A first sight of a call as one line of JSON.
pub fn event_line(event: &NewCall) -> String {
    let mut line = serde_json::to_string(event).expect("an event has a JSON form");
    line.push('\n');
    line
}

/// The checks of the host as JSON.
pub fn checks(checks: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(checks).expect("checks have a JSON form");
    text.push('\n');
    text
}

/// Reads a recording and checks it.
pub fn from_json(bytes: &[u8]) -> Result<Recording, RecordingError> {
    if bytes.len() > MAX_BYTES {
        return Err(RecordingError::TooLarge { bytes: bytes.len() });
    }
    check_version(bytes)?;
    let recording: Recording =
        serde_json::from_slice(bytes).map_err(|error| refused(&error, bytes))?;
    check_texts(&recording)?;
    check_targets(&recording)?;
    recording.cgroups.iter().try_for_each(check_calls)?;
    Ok(recording)
}

/// The one field that every version has. Read first, so that a file of a newer form is told from a broken one.
#[derive(Deserialize)]
struct Header {
    version: Option<serde_json::Value>,
}

fn check_version(bytes: &[u8]) -> Result<(), RecordingError> {
    let header: Header = serde_json::from_slice(bytes).map_err(|error| refused(&error, bytes))?;
    match header.version.and_then(|version| version.as_u64()) {
        None | Some(0) => Err(RecordingError::NoVersion),
        Some(found) if found > u64::from(VERSION) => Err(RecordingError::NewerVersion { found }),
        Some(_) => Ok(()),
    }
}

fn refused(error: &serde_json::Error, bytes: &[u8]) -> RecordingError {
    let (line, column) = (error.line(), error.column());
    let message = error.to_string();
    let position = format!(" at line {line} column {column}");
    let message = text::escape(message.strip_suffix(&position).unwrap_or(&message));
    match error.classify() {
        // So the parser calls a number that is cut off after its sign or point.
        Category::Syntax
            if message == "invalid number"
                && matches!(bytes, [.., b'.' | b'-' | b'+' | b'e' | b'E']) =>
        {
            RecordingError::Truncated { line, column }
        }
        Category::Eof => RecordingError::Truncated { line, column },
        Category::Data => RecordingError::NotARecording { line, column, message },
        Category::Syntax | Category::Io => RecordingError::NotJson { line, column, message },
    }
}

fn check_targets(recording: &Recording) -> Result<(), RecordingError> {
    let cgroups = recording.cgroups.len();
    for target in &recording.targets {
        if let Some(&index) = target.cgroups.iter().find(|index| **index >= cgroups) {
            return Err(RecordingError::CgroupIndex {
                target: target.name.clone(),
                index,
                cgroups,
            });
        }
    }
    Ok(())
}

fn check_calls(cgroup: &Cgroup) -> Result<(), RecordingError> {
    let mut seen = BTreeSet::new();
    for call in &cgroup.calls {
        let (abi, number) = (call.abi, call.number);
        let path = || cgroup.path.clone();
        if !seen.insert((abi, number, call.refused)) {
            return Err(RecordingError::DuplicateCall { path: path(), abi, number });
        }
        let denied = call.phase == Phase::Denied;
        if call.refused.is_some() != denied || call.during.is_some() != denied {
            return Err(RecordingError::Refused { path: path(), abi, number });
        }
        check_name(call)?;
    }
    Ok(())
}

/// A name that this program does not know may come from a newer one; a known number has but one name.
fn check_name(call: &Call) -> Result<(), RecordingError> {
    let (abi, number) = (call.abi, call.number);
    match (&call.name, syscalls::name(abi, number)) {
        (Some(name), Some(expected)) if name != expected => {
            Err(RecordingError::WrongName { abi, number, expected, name: name.clone() })
        }
        _ => Ok(()),
    }
}

fn check_texts(recording: &Recording) -> Result<(), RecordingError> {
    let host = &recording.host;
    bounded("\"tracer\"", &recording.tracer)?;
    bounded("\"started\"", &recording.started)?;
    bounded("the host's \"kernel\"", &host.kernel)?;
    bounded("the host's \"arch\"", &host.arch)?;
    for target in &recording.targets {
        bounded("a target's \"name\"", &target.name)?;
        bounded("a target's \"runtime\"", target.runtime.as_deref().unwrap_or_default())?;
        bounded("a target's \"image\"", target.image.as_deref().unwrap_or_default())?;
    }
    for cgroup in &recording.cgroups {
        bounded("a cgroup's \"path\"", &cgroup.path)?;
        for call in &cgroup.calls {
            bounded("a call's \"name\"", call.name.as_deref().unwrap_or_default())?;
            bounded("a call's \"command\"", call.command.as_deref().unwrap_or_default())?;
        }
    }
    for path in &recording.late_starts {
        bounded("a path of \"late_starts\"", path)?;
    }
    for reason in &recording.incomplete_reasons {
        bounded("a reason for being incomplete", reason)?;
    }
    for argument in recording.command.iter().flat_map(|command| &command.arguments) {
        bounded_by(MAX_ARGUMENT, "an argument of the command", argument)?;
    }
    let derived = recording.derived.iter();
    for added in derived.clone().flat_map(|derived| &derived.added) {
        bounded("an added call's \"name\"", &added.name)?;
        bounded("an added call's \"reason\"", &added.reason)?;
    }
    for excluded in derived.flat_map(|derived| &derived.excluded) {
        bounded("an excluded call", excluded)?;
    }
    Ok(())
}

fn bounded(field: &'static str, text: &str) -> Result<(), RecordingError> {
    bounded_by(MAX_TEXT, field, text)
}

fn bounded_by(limit: usize, field: &'static str, text: &str) -> Result<(), RecordingError> {
    if text.len() > limit {
        return Err(RecordingError::LongText { field, bytes: text.len(), limit });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::{Host, Losses, Refusal, Target, TargetKind};

    fn call(abi: Abi, number: i32) -> Call {
        Call {
            abi,
            number,
            name: syscalls::name(abi, number).map(str::to_owned),
            phase: Phase::Workload,
            count: Some(3),
            first_seen_seconds: Some(0.25),
            command: Some("web".into()),
            ambiguous: false,
            refused: None,
            during: None,
        }
    }

    fn denied(abi: Abi, number: i32, refused: Refusal) -> Call {
        let during = Some(Phase::Workload);
        Call { phase: Phase::Denied, refused: Some(refused), during, ..call(abi, number) }
    }

    fn recording() -> Recording {
        Recording {
            version: VERSION,
            tracer: "0.1.0".into(),
            started: "2026-01-02T03:04:05Z".into(),
            duration_seconds: 12.5,
            host: Host { kernel: "6.18.44".into(), arch: "x86_64".into(), cpus: 2, btf: true },
            targets: vec![Target {
                name: "docker:web".into(),
                kind: TargetKind::Container,
                runtime: None,
                image: None,
                cgroups: vec![0],
            }],
            cgroups: vec![Cgroup {
                id: 4711,
                path: "/docker/ab".into(),
                late_start: false,
                exact: true,
                ambiguous: false,
                no_new_privs: false,
                calls: vec![call(Abi::X86_64, 257), call(Abi::I386, 96), call(Abi::X86_64, 472)],
            }],
            losses: Losses::default(),
            late_starts: Vec::new(),
            complete: true,
            incomplete_reasons: Vec::new(),
            command: None,
            derived: None,
        }
    }

    fn read(recording: &Recording) -> Result<Recording, RecordingError> {
        from_json(to_json(recording).as_bytes())
    }

    #[test]
    fn what_is_written_is_read_back() {
        let recording = recording();
        let text = to_json(&recording);
        assert!(text.ends_with("}\n"));
        assert_eq!(from_json(text.as_bytes()).as_ref(), Ok(&recording));
        assert_eq!(to_json(&from_json(text.as_bytes()).expect("a recording")), text);
    }

    #[test]
    fn text_that_is_not_json_is_placed() {
        let error = from_json(b"{\n  \"version\": 1,,\n").expect_err("two commas");
        assert!(matches!(error, RecordingError::NotJson { line: 2, column: 16, .. }), "{error:?}");
        let error = from_json(b"\xff").expect_err("not text");
        assert!(matches!(error, RecordingError::NotJson { .. }), "{error:?}");
    }

    #[test]
    fn a_file_that_is_cut_off_anywhere_is_truncated() {
        let text = to_json(&recording());
        let end = text.trim_end().len();
        for length in 0..end {
            let error = from_json(&text.as_bytes()[..length]).expect_err("cut off");
            assert!(matches!(error, RecordingError::Truncated { .. }), "{length}: {error:?}");
        }
    }

    #[test]
    fn other_json_is_no_recording() {
        for other in ["[]", "1", "\"text\"", r#"{"version":1}"#, r#"{"version":1,"tracer":2}"#] {
            let error = from_json(other.as_bytes()).expect_err(other);
            assert!(matches!(error, RecordingError::NotARecording { .. }), "{other}: {error:?}");
        }
        for other in [
            "{}",
            r#"{"defaultAction":"SCMP_ACT_ERRNO"}"#,
            r#"{"version":0}"#,
            r#"{"version":"1"}"#,
        ] {
            assert_eq!(from_json(other.as_bytes()), Err(RecordingError::NoVersion), "{other}");
        }
    }

    #[test]
    fn a_newer_form_is_told_from_a_broken_one() {
        let error = from_json(br#"{"version":2,"events":[]}"#).expect_err("newer");
        assert_eq!(error, RecordingError::NewerVersion { found: 2 });
        assert_eq!(
            error.to_string(),
            "the recording has version 2, this program reads 1: use a newer tracer"
        );
    }

    #[test]
    fn a_target_has_only_cgroups_of_the_recording() {
        let mut recording = recording();
        recording.targets[0].cgroups.push(1);
        let expected =
            RecordingError::CgroupIndex { target: "docker:web".into(), index: 1, cgroups: 1 };
        assert_eq!(read(&recording), Err(expected));
    }

    #[test]
    fn a_number_has_its_own_name() {
        let mut recording = recording();
        // i386's 96 under the name that x86_64 has for it.
        recording.cgroups[0].calls[1].name = Some("gettimeofday".into());
        let error = read(&recording).expect_err("a wrong name");
        assert_eq!(
            error.to_string(),
            "call 96 of i386 is \"getpriority\", but the recording calls it \"gettimeofday\""
        );
        // What a newer tracer knows, and what an older one did not.
        recording.cgroups[0].calls[1].name = None;
        recording.cgroups[0].calls[2].name = Some("newest".into());
        assert!(read(&recording).is_ok());
    }

    #[test]
    fn a_call_comes_once_in_a_cgroup() {
        let mut recording = recording();
        recording.cgroups[0].calls.push(call(Abi::I386, 96));
        let error = read(&recording).expect_err("twice");
        assert!(matches!(error, RecordingError::DuplicateCall { number: 96, .. }), "{error:?}");
    }

    #[test]
    fn a_call_is_denied_once_in_each_way() {
        let mut recording = recording();
        let calls = [Refusal::Errno(38), Refusal::Errno(1), Refusal::Signal, Refusal::ThreadKilled];
        recording.cgroups[0].calls.extend(calls.map(|refused| denied(Abi::X86_64, 257, refused)));
        assert_eq!(read(&recording).as_ref(), Ok(&recording));
        assert!(to_json(&recording).contains("\"errno\": 38"));
        recording.cgroups[0].calls.push(denied(Abi::X86_64, 257, Refusal::Signal));
        let error = read(&recording).expect_err("twice");
        assert!(matches!(error, RecordingError::DuplicateCall { number: 257, .. }), "{error:?}");
    }

    #[test]
    fn only_a_denied_call_says_how() {
        let lacks = Call { refused: None, ..denied(Abi::X86_64, 1, Refusal::Signal) };
        let has = Call { phase: Phase::Setup, ..denied(Abi::X86_64, 1, Refusal::Signal) };
        for wrong in [lacks, has] {
            let mut recording = recording();
            recording.cgroups[0].calls.push(wrong);
            let error = read(&recording).expect_err("wrong");
            assert!(matches!(error, RecordingError::Refused { number: 1, .. }), "{error:?}");
        }
    }

    #[test]
    fn texts_are_bounded() {
        let mut recording = recording();
        recording.cgroups[0].path = "/".repeat(MAX_TEXT);
        assert!(read(&recording).is_ok());
        recording.cgroups[0].path.push('x');
        let error = read(&recording).expect_err("too long");
        assert!(matches!(error, RecordingError::LongText { .. }), "{error:?}");
    }

    #[test]
    fn a_hostile_value_is_shown_escaped() {
        let text = to_json(&recording()).replace("\"workload\"", "\"\\u001b[2J\"");
        let error = from_json(text.as_bytes()).expect_err("no phase").to_string();
        assert!(!error.contains('\u{1b}') && error.contains("[2J"), "{error}");
    }
}
