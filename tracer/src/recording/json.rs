//! Reading and writing recording files.
//!
//! The form is described by `docs/recording.schema.json`. A file is evidence that someone hands in:
//! what is read is checked before anything is derived from it, and no text of it reaches an error
//! message unescaped.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize, de::IgnoredAny};
use serde_json::{Map, Value, error::Category};

use super::{
    Call, Cgroup, Circumstances, ContainerIdentity, Losses, Phase, Recording, VERSION, Workload,
    arguments, denied,
    event::NewCall,
    limits::{MAX_SECONDS, MAX_TEXT},
    parser_message::plain,
};
pub use super::{limits::MAX_BYTES, recording_error::RecordingError};
use crate::{
    encoding, syscalls,
    text::{Escaped, escape},
};

/// The longest argument of a command, in bytes: the kernel takes 128 KiB (`MAX_ARG_STRLEN`),
/// escaped.
pub const MAX_ARGUMENT: usize = 1 << 20;

/// The name of the form that is written: the `$id` of `docs/recording.schema.json`. A name and no
/// address, so that nothing is looked up in a network. A reader ignores it.
pub const SCHEMA: &str = "urn:tracer:recording:1";

/// A recording as its file has it.
#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    #[serde(flatten)]
    recording: &'a Recording,
}

/// Writes a recording: the same bytes for the same recording, a newline at the end.
pub fn to_json(recording: &Recording) -> String {
    crate::json::pretty(&Document { schema: SCHEMA, recording })
}

/// A first sight of a call as one line of JSON.
pub fn event_line(event: &NewCall) -> String {
    let mut line = serde_json::to_string(event).expect("an event has a JSON form");
    line.push('\n');
    line
}

/// Reads a recording and checks it.
pub fn from_json(bytes: &[u8]) -> Result<Recording, RecordingError> {
    if bytes.len() > MAX_BYTES {
        return Err(RecordingError::TooLarge { bytes: bytes.len() });
    }
    encoding::check(bytes).map_err(|error| RecordingError::Encoding { error })?;
    check_object(bytes)?;
    check_version(bytes)?;
    let mut recording: Recording =
        serde_json::from_slice(bytes).map_err(|error| refused(&error, bytes))?;
    check_texts(&recording)?;
    check_times(&recording)?;
    check_targets(&recording)?;
    recording.cgroups.iter().try_for_each(check_calls)?;
    denied::doubt(&mut recording);
    Ok(recording)
}

/// Well-formed JSON that is no object has an error of its own.
fn check_object(bytes: &[u8]) -> Result<(), RecordingError> {
    let found = match bytes.trim_ascii().first() {
        Some(b'[') => "a list",
        Some(b'"') => "text",
        Some(b'n') => "null",
        Some(b't' | b'f') => "true or false",
        Some(b'0'..=b'9' | b'-') => "a number",
        _ => return Ok(()),
    };
    serde_json::from_slice::<IgnoredAny>(bytes).map_err(|error| refused(&error, bytes))?;
    Err(RecordingError::NoObject { found })
}

/// The one field that every version has. Read first, so that a file of a newer form is
/// distinguished from a broken one.
#[derive(Deserialize)]
struct Header {
    version: Option<Value>,
    losses: Option<Value>,
}

fn check_version(bytes: &[u8]) -> Result<(), RecordingError> {
    let header: Header = serde_json::from_slice(bytes).map_err(|error| refused(&error, bytes))?;
    match header.version.and_then(|version| version.as_u64()) {
        None | Some(0) => Err(RecordingError::NoVersion),
        Some(found) if found > u64::from(VERSION) => Err(RecordingError::NewerVersion { found }),
        Some(_) => check_losses(header.losses.as_ref().and_then(|losses| losses.as_object())),
    }
}

/// A loss of a kind that this program does not know would be dropped in silence. None of it is no
/// loss.
fn check_losses(losses: Option<&Map<String, Value>>) -> Result<(), RecordingError> {
    let known = serde_json::to_value(Losses::default()).expect("losses have a JSON form");
    let unknown = losses
        .into_iter()
        .flatten()
        .find(|(kind, count)| known.get(kind.as_str()).is_none() && count.as_u64() != Some(0));
    match unknown {
        Some((kind, _)) => Err(RecordingError::UnknownLoss { kind: kind.clone() }),
        None => Ok(()),
    }
}

fn check_times(recording: &Recording) -> Result<(), RecordingError> {
    let check = |field, seconds: f64| match (0.0..=MAX_SECONDS).contains(&seconds) {
        true => Ok(()),
        false => Err(RecordingError::Time { field, seconds: format!("{seconds:e}") }),
    };
    check("\"duration_seconds\"", recording.duration_seconds)?;
    for call in recording.cgroups.iter().flat_map(|cgroup| &cgroup.calls) {
        if let Some(seconds) = call.first_seen_seconds {
            check("a call's \"first_seen_seconds\"", seconds)?;
        }
        for (field, seconds) in call.circumstances.iter().flat_map(Circumstances::times) {
            check(field, seconds)?;
        }
    }
    Ok(())
}

fn refused(error: &serde_json::Error, bytes: &[u8]) -> RecordingError {
    let (line, column) = (error.line(), error.column());
    let message = encoding::without_position(&error.to_string(), line, column);
    let message = Escaped::joined(&plain(&message));
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
        // So the parser calls a number in the place of a word.
        Category::Syntax if serde_json::from_slice::<IgnoredAny>(bytes).is_ok() => {
            let message = escape("another kind of value is expected");
            RecordingError::NotARecording { line, column, message }
        }
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
        if !seen.insert((abi, number, call.outcome)) {
            return Err(RecordingError::DuplicateCall { path: path(), abi, number });
        }
        let denied = call.phase == Phase::Denied;
        if call.outcome.is_some() != denied
            || call.denied_in_phase.is_some() != denied
            || call.circumstances.is_some() && !denied
        {
            return Err(RecordingError::Refused { path: path(), abi, number });
        }
        if call.doubtful && !denied {
            return Err(RecordingError::Doubtful { path: path(), abi, number });
        }
        if let Some(wrong) = arguments::mistaken(&call.arguments) {
            return Err(RecordingError::Arguments { path: path(), abi, number, wrong });
        }
        check_name(call)?;
    }
    Ok(())
}

/// A name that this program does not know may come from a newer one; a known number has but one
/// name.
fn check_name(call: &Call) -> Result<(), RecordingError> {
    let (abi, number) = (call.abi, call.number);
    match (&call.name, syscalls::name(abi, number)) {
        (Some(name), Some(expected)) if name != expected => {
            Err(RecordingError::WrongName { abi, number, expected, name: name.clone() })
        }
        (Some(name), None) => match syscalls::number(abi, name) {
            Some(known) => {
                Err(RecordingError::NameOfAnother { abi, number, name: name.clone(), known })
            }
            None => Ok(()),
        },
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
        if let Some(ContainerIdentity {
            engine,
            id,
            name,
            namespace,
            pod,
            image,
            workload,
            user: _,
        }) = &cgroup.container
        {
            let workload = workload.as_ref();
            let texts =
                |of: fn(&Workload) -> &Option<String>| workload.and_then(|one| of(one).as_ref());
            for text in [texts(|one| &one.kind), texts(|one| &one.name)].into_iter().flatten() {
                bounded("a text of a container's \"workload\"", text)?;
            }
            bounded("a container's \"id\"", id)?;
            for text in [engine, name, namespace, pod, image].into_iter().flatten() {
                bounded("a text of a cgroup's \"container\"", text)?;
            }
        }
        for call in &cgroup.calls {
            bounded("a call's \"name\"", call.name.as_deref().unwrap_or_default())?;
            bounded("a call's \"command\"", call.command.as_deref().unwrap_or_default())?;
        }
    }
    for path in &recording.late_starts {
        bounded("a path of \"late_starts\"", path)?;
    }
    for path in &recording.contested {
        bounded("a path of \"contested\"", path)?;
    }
    for departure in &recording.departures {
        bounded("a departure's \"from\"", &departure.from)?;
        bounded("a departure's \"to\"", &departure.to)?;
        bounded("a departure's \"command\"", &departure.command)?;
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
    for decided in derived.clone().flat_map(|derived| &derived.decided) {
        bounded("a decision's \"name\"", &decided.name)?;
        bounded("a decision's \"because\"", &decided.because)?;
        bounded("a decision's \"until\"", decided.until.as_deref().unwrap_or_default())?;
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
#[path = "json_tests.rs"]
mod tests;
