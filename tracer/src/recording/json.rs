//! Reading and writing recording files.
//!
//! The form is described by `docs/recording.schema.json`. A file is evidence that someone hands in: what is read is checked
//! before anything is derived from it, and no text of it reaches an error message unescaped.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize, de::IgnoredAny};
use serde_json::{Map, Value, error::Category};

use super::{
    Call, Cgroup, Circumstances, ContainerIdentity, Losses, Phase, Recording, VERSION, Workload,
    arguments, denied, event::NewCall,
};
use crate::{
    encoding::{self, EncodingError},
    syscalls::{self, Abi},
    text,
};

/// The largest file that is read, in bytes.
pub const MAX_BYTES: usize = 256 << 20;
/// The longest time, in seconds: a thousand years, more than any number of merged recordings takes.
pub(super) const MAX_SECONDS: f64 = 3.2e10;
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
    /// The bytes are no text.
    #[error("{error}")]
    Encoding {
        /// What they are.
        error: EncodingError,
    },
    /// JSON, and no object.
    #[error("not a recording of tracer: it is {found}, and a recording is an object")]
    NoObject {
        /// What is there.
        found: &'static str,
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
    /// A number without a name goes by one that another number has.
    #[error("call {number} of {} has no name that this program knows, but the recording calls it {name:?}, which is call {known}", abi.name())]
    NameOfAnother {
        /// The ABI.
        abi: Abi,
        /// The number.
        number: i32,
        /// The name that the recording gives.
        name: String,
        /// The number that has this name.
        known: i32,
    },
    /// A time that is none.
    #[error("{field} is {seconds}, which is no time that a recording takes")]
    Time {
        /// Which one.
        field: &'static str,
        /// Its value.
        seconds: String,
    },
    /// Something is missing that this program does not know how to judge.
    #[error(
        "the recording counts a loss that this program does not know: {kind:?}: use a newer tracer"
    )]
    UnknownLoss {
        /// What it is called.
        kind: String,
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
    /// A call that was not denied, and that is in doubt: only a denial can be.
    #[error("call {number} of {} in cgroup {path:?}: only a denied call can be \"doubtful\"", abi.name())]
    Doubtful {
        /// The cgroup.
        path: String,
        /// The ABI.
        abi: Abi,
        /// The number.
        number: i32,
    },
    /// What a call says of its arguments is nothing that is ever written.
    #[error("call {number} of {} in cgroup {path:?}: of its \"arguments\", {wrong}", abi.name())]
    Arguments {
        /// The cgroup.
        path: String,
        /// The ABI.
        abi: Abi,
        /// The number.
        number: i32,
        /// What is wrong with them.
        wrong: &'static str,
    },
    /// A denied call without the way it was refused, or another call with one.
    #[error("call {number} of {} in cgroup {path:?}: only a denied call has \"refused\", \"during\" and \"circumstances\", and it has the first two", abi.name())]
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

/// What a command tells, as JSON.
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

/// What is well-formed and no object is told so.
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

/// The one field that every version has. Read first, so that a file of a newer form is told from a broken one.
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

/// A loss of a kind that this program does not know would be dropped in silence. None of it is no loss.
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
        if call.refused.is_some() != denied
            || call.during.is_some() != denied
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

/// A name that this program does not know may come from a newer one; a known number has but one name.
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
            let told =
                |of: fn(&Workload) -> &Option<String>| workload.and_then(|one| of(one).as_ref());
            for text in [told(|one| &one.kind), told(|one| &one.name)].into_iter().flatten() {
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
