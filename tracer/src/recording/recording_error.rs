//! Why a file is not read as a recording.

use super::{VERSION, limits::MAX_BYTES};
use crate::{encoding::EncodingError, syscalls::Abi, text::Escaped};

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
        message: Escaped,
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
        message: Escaped,
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
