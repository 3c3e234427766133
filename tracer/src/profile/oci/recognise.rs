//! What a file is that was named in the place of another one.

use std::fmt;

use super::{
    ReadError,
    mistaken::{Mistaken, at},
    read,
};

/// A file that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecognisedFile {
    /// A profile.
    Profile,
    /// Another one.
    Other(Mistaken),
}

impl fmt::Display for RecognisedFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Profile => formatter.write_str("a profile"),
            Self::Other(mistaken) => formatter.write_str(&mistaken.what()),
        }
    }
}

/// What a file is, when it is known. A profile with faults is one all the same.
pub fn recognise(bytes: &[u8]) -> Option<RecognisedFile> {
    match read::value(bytes) {
        Ok(value) => match Mistaken::json(&value) {
            Some(mistaken) => Some(RecognisedFile::Other(mistaken)),
            None => at(&value, "defaultAction").map(|_| RecognisedFile::Profile),
        },
        Err(ReadError::Mistaken(mistaken)) => Some(RecognisedFile::Other(mistaken)),
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_apart() {
        let profile = recognise(br#"{"defaultAction":"no action"}"#);
        assert_eq!(profile, Some(RecognisedFile::Profile));
        let pod = recognise(b"apiVersion: v1\nkind: Pod\n").expect("a pod");
        assert_eq!(pod.to_string(), "a Kubernetes object (kind Pod)");
        let recording = recognise(br#"{"version":1,"cgroups":[],"losses":{}}"#);
        assert_eq!(recording, Some(RecognisedFile::Other(Mistaken::Recording)));
        for other in [&b"{}"[..], b"[1]", b"hello", b"\xff"] {
            assert_eq!(recognise(other), None);
        }
    }
}
