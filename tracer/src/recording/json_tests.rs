//! Tests of [`super`].

use super::*;
use crate::{
    encoding::EncodingError,
    recording::{
        Attach, DenyOutcome,
        testing::{self, cgroup, denied, numbered},
    },
    syscalls::Abi,
    text::escape,
};

fn recording() -> Recording {
    let mut calls = [(Abi::X86_64, 257), (Abi::I386, 96), (Abi::X86_64, 472)]
        .map(|(abi, number)| numbered(abi, number));
    calls[0].first_seen_seconds = Some(0.25);
    calls[0].command = Some(escape("web"));
    testing::recording(vec![cgroup("/docker/ab", calls.into())])
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
fn the_name_of_the_form_is_written_and_not_read() {
    let text = to_json(&recording());
    let named = "{\n  \"$schema\": \"urn:tracer:recording:1\",\n";
    assert!(text.starts_with(named), "{text}");
    let nothing = text.replace(named, "{\n");
    assert!(!nothing.contains("$schema"), "an earlier program wrote none");
    let other = text.replace(SCHEMA, "../\\u001b[2J.schema.json");
    for text in [&nothing, &other] {
        let read = from_json(text.as_bytes());
        assert_eq!(read.as_ref(), Ok(&recording()));
        assert_eq!(read.map(|read| to_json(&read)), Ok(to_json(&recording())));
    }
}

#[test]
fn text_that_is_not_json_is_placed() {
    let error = from_json(b"{\n  \"version\": 1,,\n").expect_err("two commas");
    assert!(matches!(error, RecordingError::NotJson { line: 2, column: 16, .. }), "{error:?}");
    let error = from_json(b"\xff").expect_err("not text");
    assert!(matches!(error, RecordingError::Encoding { .. }), "{error:?}");
}

#[test]
fn a_file_that_is_cut_off_anywhere_is_truncated() {
    let text = to_json(&recording());
    let end = text.trim_end().len();
    let empty = EncodingError::Empty;
    assert_eq!(from_json(b""), Err(RecordingError::Encoding { error: empty }));
    for length in 1..end {
        let error = from_json(&text.as_bytes()[..length]).expect_err("cut off");
        assert!(matches!(error, RecordingError::Truncated { .. }), "{length}: {error:?}");
    }
}

#[test]
fn other_json_is_no_recording() {
    for other in ["[]", "1", "\"text\"", "null", "true", " -1"] {
        let error = from_json(other.as_bytes()).expect_err(other);
        assert!(matches!(error, RecordingError::NoObject { .. }), "{other}: {error:?}");
    }
    for other in [r#"{"version":1}"#, r#"{"version":1,"tracer":2}"#] {
        let error = from_json(other.as_bytes()).expect_err(other);
        assert!(matches!(error, RecordingError::NotARecording { .. }), "{other}: {error:?}");
    }
    for other in
        ["{}", r#"{"defaultAction":"SCMP_ACT_ERRNO"}"#, r#"{"version":0}"#, r#"{"version":"1"}"#]
    {
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
    let expected = RecordingError::CgroupIndex { target: "all".into(), index: 1, cgroups: 1 };
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
    recording.cgroups[0].calls.push(numbered(Abi::I386, 96));
    let error = read(&recording).expect_err("twice");
    assert!(matches!(error, RecordingError::DuplicateCall { number: 96, .. }), "{error:?}");
}

#[test]
fn a_call_is_denied_once_in_each_way() {
    let mut recording = recording();
    let calls = [
        DenyOutcome::Errno(38),
        DenyOutcome::Errno(1),
        DenyOutcome::Signal,
        DenyOutcome::ThreadKilled,
    ];
    recording.cgroups[0]
        .calls
        .extend(calls.map(|outcome| denied(numbered(Abi::X86_64, 257), outcome)));
    assert_eq!(read(&recording).as_ref(), Ok(&recording));
    assert!(to_json(&recording).contains("\"errno\": 38"));
    recording.cgroups[0].calls.push(denied(numbered(Abi::X86_64, 257), DenyOutcome::Signal));
    let error = read(&recording).expect_err("twice");
    assert!(matches!(error, RecordingError::DuplicateCall { number: 257, .. }), "{error:?}");
}

#[test]
fn only_a_denied_call_says_how() {
    let lacks = Call { outcome: None, ..denied(numbered(Abi::X86_64, 1), DenyOutcome::Signal) };
    let has = Call { phase: Phase::Setup, ..denied(numbered(Abi::X86_64, 1), DenyOutcome::Signal) };
    for wrong in [lacks, has] {
        let mut recording = recording();
        recording.cgroups[0].calls.push(wrong);
        let error = read(&recording).expect_err("wrong");
        assert!(matches!(error, RecordingError::Refused { number: 1, .. }), "{error:?}");
    }
}

#[test]
fn only_a_denied_call_can_be_doubtful() {
    let doubtful = |call: Call| {
        let mut recording = recording();
        recording.cgroups[0].calls.push(Call { doubtful: true, ..call });
        read(&recording).map(drop)
    };
    assert_eq!(doubtful(denied(numbered(Abi::X86_64, 1), DenyOutcome::Errno(1))), Ok(()));
    let error = doubtful(numbered(Abi::X86_64, 1)).expect_err("it was made");
    assert!(matches!(error, RecordingError::Doubtful { number: 1, .. }), "{error:?}");
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

#[test]
fn a_loss_of_an_unknown_kind_is_never_complete() {
    let with = |count: &str| {
        let text = to_json(&recording());
        let losses = "\"losses\": {";
        assert!(text.contains(losses), "{text}");
        from_json(text.replace(losses, &format!("{losses} \"new_kind\": {count},")).as_bytes())
    };
    let unknown = Err(RecordingError::UnknownLoss { kind: "new_kind".into() });
    assert_eq!(with("7"), unknown);
    assert_eq!(with("true"), unknown);
    assert_eq!(with("0"), Ok(recording()), "none of it was lost");
}

#[test]
fn a_field_of_a_call_or_a_cgroup_that_is_not_known_is_refused() {
    for place in ["\"abi\":", "\"late_start\":"] {
        let text = to_json(&recording()).replacen(place, &format!("\"argument\": 3, {place}"), 1);
        let read = from_json(text.as_bytes());
        assert!(matches!(read, Err(RecordingError::NotARecording { .. })), "{read:?}");
    }
}

#[test]
fn a_time_that_is_none_is_refused() {
    for seconds in [-1.0, 1e300] {
        let mut wrong = recording();
        wrong.duration_seconds = seconds;
        assert!(matches!(read(&wrong), Err(RecordingError::Time { .. })), "{seconds}");
        let mut wrong = recording();
        wrong.cgroups[0].calls[0].first_seen_seconds = Some(seconds);
        let error = read(&wrong).expect_err("no time");
        assert!(error.to_string().contains("first_seen_seconds"), "{error}");
        assert!(error.to_string().len() < 100, "{error}");
    }
}

#[test]
fn a_number_without_a_name_has_no_name_of_another() {
    let mut wrong = recording();
    wrong.cgroups[0].calls[2] = Call { name: Some("openat".into()), ..numbered(Abi::X86_64, 400) };
    let error = RecordingError::NameOfAnother {
        abi: Abi::X86_64,
        number: 400,
        name: "openat".into(),
        known: 257,
    };
    assert_eq!(read(&wrong), Err(error));
}

#[test]
fn denials_beside_skipped_runs_are_doubtful_in_recordings_that_do_not_know_doubt() {
    let mut old = recording();
    old.cgroups[0].calls = vec![
        denied(numbered(Abi::X86_64, 83), DenyOutcome::Errno(14)),
        denied(numbered(Abi::X86_64, 84), DenyOutcome::ThreadKilled),
        denied(numbered(Abi::X86_64, 85), DenyOutcome::Signal),
    ];
    let doubtful = |recording: &Recording| -> Vec<i32> {
        let read = read(recording).expect("a recording");
        let calls = read.cgroups[0].calls.iter();
        calls.filter(|call| call.doubtful).map(|call| call.number).collect()
    };
    assert_eq!(doubtful(&old), [0; 0], "no run was skipped");
    old.losses.recursion_misses = 1;
    assert_eq!(doubtful(&old), [83], "what kills or sends a signal is seen for itself");
    old.host.btf = false;
    assert_eq!(doubtful(&old), [83, 85], "without BTF the signal is not");
    old.host.attach = Some(Attach::Raw);
    assert_eq!(doubtful(&old), [0; 0], "it says itself what is doubtful");
}
