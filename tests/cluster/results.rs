//! The files that a recording left in a directory.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;
use tracer::recording::Recording;

const EVIDENCE: &str = ".recording.json";

/// Texts by the names of the files.
#[derive(Debug)]
pub struct Results(BTreeMap<String, String>);

impl Results {
    /// Reads all files of the directory.
    pub fn read(directory: &Path) -> Self {
        let names = tests::file_names(directory).into_iter();
        let files = names.filter(|name| directory.join(name).is_file());
        let pairs = files.map(|name| {
            let text = fs::read_to_string(directory.join(&name));
            let text = text.unwrap_or_else(|error| panic!("cannot read {name}: {error}"));
            (name, text)
        });
        Self(pairs.collect())
    }

    /// The names of the profiles, without `.json`, sorted.
    pub fn profiles(&self) -> Vec<&str> {
        let names = self.0.keys().filter_map(|name| name.strip_suffix(EVIDENCE));
        let mut names: Vec<&str> = names.collect();
        names.sort_unstable();
        names
    }

    /// The text of a file.
    pub fn text(&self, name: &str) -> &str {
        let text = self.0.get(name);
        text.unwrap_or_else(|| panic!("no file {name} among {:?}", self.0.keys()))
    }

    /// The recording beside a profile.
    pub fn recording(&self, profile: &str) -> Recording {
        let text = self.text(&format!("{profile}{EVIDENCE}"));
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{profile}: {error}"))
    }

    /// The names that a profile allows.
    pub fn allowed(&self, profile: &str) -> Vec<String> {
        let text = self.text(&format!("{profile}.json"));
        let profile: Value = serde_json::from_str(text).expect("a profile is JSON");
        tests::allowed(&profile)
    }

    /// Asserts that there are profiles of these names and no others, and that their recordings are
    /// complete.
    pub fn are_complete(&self, profiles: &[&str]) {
        assert_eq!(self.profiles(), profiles);
        for profile in profiles {
            let recording = self.recording(profile);
            assert!(recording.complete, "{profile}: {:?}", recording.incomplete_reasons);
        }
    }

    /// Asserts that a profile allows the calls on the left, and none of those on the right.
    pub fn allow(&self, profile: &str, these: &[&str], not_those: &[&str]) {
        let allowed = self.allowed(profile);
        let has = |name: &&str| allowed.iter().any(|allowed| allowed == name);
        assert!(these.iter().all(has), "{profile} lacks some of {these:?}: {allowed:?}");
        assert!(!not_those.iter().any(has), "{profile} has some of {not_those:?}: {allowed:?}");
    }
}
