//! The call that was meant by a name that is none.

use super::{Abi, entries, is_known};

/// How alike two names must be, from 0 to 1, for one to be proposed for the other.
const ALIKE: f64 = 0.7;
/// The longest word that is compared with names, in bytes: no name is like a longer one, and the time
/// of a comparison grows with the word.
pub const LONGEST: usize = 128;

/// Functions of the C library whose system call has another name (the "C library/kernel
/// differences" of section 2 of the Linux manual).
const FUNCTIONS: [(&str, &str); 6] = [
    ("fstatat", "newfstatat"),
    ("pread", "pread64"),
    ("pwrite", "pwrite64"),
    ("_exit", "exit_group"),
    ("sigwait", "rt_sigtimedwait"),
    ("raise", "tgkill"),
];

/// The known name that is most like a name, when one is.
///
/// Prefixes that headers and kernel sources put before a name (`__NR_`, `SYS_`, `sys_`) do not
/// count, nor does case.
pub fn closest(name: &str) -> Option<&'static str> {
    if name.len() > LONGEST {
        return None;
    }
    let lower = name.to_lowercase();
    let bare = ["__nr_", "sys_", "__x64_sys_"].iter().find_map(|prefix| lower.strip_prefix(prefix));
    let wanted = bare.unwrap_or(&lower);
    if let Some((_, call)) = FUNCTIONS.iter().find(|(function, _)| *function == wanted) {
        return Some(call);
    }
    let mut best = None;
    let mut likeness = ALIKE;
    for (_, candidate) in Abi::ALL.into_iter().flat_map(entries) {
        let score = strsim::normalized_damerau_levenshtein(wanted, candidate);
        // On a tie the first stays: x86_64's names come before those of i386 alone.
        if score > likeness {
            (best, likeness) = (Some(candidate), score);
        }
    }
    debug_assert!(best.is_none_or(is_known));
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_finds_its_call() {
        assert_eq!(closest("opnat"), Some("openat"));
        assert_eq!(closest("clone_3"), Some("clone3"));
        assert_eq!(closest("epol_wait"), Some("epoll_wait"));
        assert_eq!(closest("gettimofday"), Some("gettimeofday"));
    }

    #[test]
    fn prefixes_and_case_do_not_count() {
        assert_eq!(closest("__NR_openat"), Some("openat"));
        assert_eq!(closest("SYS_READ"), Some("read"));
        assert_eq!(closest("__x64_sys_clone3"), Some("clone3"));
    }

    #[test]
    fn functions_lead_to_their_calls() {
        assert_eq!(closest("fstatat"), Some("newfstatat"));
        assert_eq!(closest("pread"), Some("pread64"));
        for (_, call) in FUNCTIONS {
            assert!(is_known(call), "{call}");
        }
    }

    #[test]
    fn nothing_is_proposed_for_something_else() {
        assert_eq!(closest("completely_different"), None);
        assert_eq!(closest(""), None);
        assert_eq!(closest("x"), None);
    }
}
