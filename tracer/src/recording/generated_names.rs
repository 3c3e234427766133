//! The names that Kubernetes generates for pods, and the names of what made them.

/// What generated suffixes of names consist of (`k8s.io/apimachinery`, `pkg/util/rand`): no vowels,
/// and no digits like them.
const SUFFIX_ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
/// Length of the suffix that makes a pod's name unique (`k8s.io/apiserver`, `pkg/storage/names`).
const SUFFIX_LENGTH: usize = 5;
/// Lengths of the hash of a Deployment's template, a number of 32 bits in that alphabet.
const HASH_LENGTHS: std::ops::RangeInclusive<usize> = 6..=10;

/// The name of what made the pod: that of the pod less the generated suffixes. A pod that was named
/// by hand, and one of a `StatefulSet`, keeps its name.
pub fn workload(pod: &str) -> &str {
    let Some(owner) = less_suffix(pod) else { return pod };
    less_hash(owner).unwrap_or(owner)
}

/// A name less the suffix that makes it unique; None when it has none.
pub fn less_suffix(name: &str) -> Option<&str> {
    less_generated(name, SUFFIX_LENGTH..=SUFFIX_LENGTH)
}

/// The name of a `ReplicaSet` less the hash of its Deployment's template; None when it has none.
pub fn less_hash(name: &str) -> Option<&str> {
    less_generated(name, HASH_LENGTHS)
}

fn less_generated(name: &str, lengths: std::ops::RangeInclusive<usize>) -> Option<&str> {
    let (owner, suffix) = name.rsplit_once('-')?;
    let is_generated = lengths.contains(&suffix.len())
        && suffix.bytes().all(|byte| SUFFIX_ALPHABET.contains(&byte));
    (is_generated && !owner.is_empty()).then_some(owner)
}
