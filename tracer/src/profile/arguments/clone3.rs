//! `clone3`, whose flags no filter sees, and `clone`, which programs call in its place.

use std::collections::BTreeSet;

use tracer_ebpf::arguments::NEW_TIME;

use super::evidence::Evidence;
use crate::profile::{ArgumentChoice, Errno, ErrnoAnswer, ProfileOptions, Reason, model::Allowed};

/// The call whose flags are in memory.
pub(in crate::profile) const CLONE3: &str = "clone3";
/// The call that programs make where `clone3` is missing.
pub(in crate::profile) const CLONE: &str = "clone";

/// Takes `clone3` out of what is allowed, unless it was asked for or was seen to do what `clone`
/// cannot; the reasons for it.
pub(in crate::profile) fn take_clone3_out(
    allowed: &mut Allowed,
    evidence: &Evidence,
    options: &ProfileOptions,
) -> Option<BTreeSet<Reason>> {
    let is_kept = options.arguments == ArgumentChoice::Off
        || options.include().contains(CLONE3)
        || does_what_clone_cannot(evidence);
    allowed.remove(CLONE3).filter(|reasons| {
        if is_kept {
            allowed.insert(CLONE3.to_owned(), reasons.clone());
        }
        !is_kept
    })
}

fn does_what_clone_cannot(evidence: &Evidence) -> bool {
    let values = evidence.of(CLONE3).and_then(|seen| seen.values(0, NEW_TIME));
    values.is_some_and(|values| values.seen.contains_key(&NEW_TIME))
}

/// The answer to `clone3` where `clone` is allowed and it is not: the one number on which programs
/// go on to `clone`. Also where all other calls are answered so: Docker 20.10 reads no
/// `defaultErrnoRet`, and answers EPERM.
pub(in crate::profile) fn answer_to_clone3(
    allowed: &Allowed,
    seen: Option<BTreeSet<Reason>>,
    options: &ProfileOptions,
) -> Option<ErrnoAnswer> {
    let is_off = options.arguments == ArgumentChoice::Off;
    if is_off || !allowed.contains_key(CLONE) || allowed.contains_key(CLONE3) {
        return None;
    }
    let mut answer = ErrnoAnswer::new(Errno::ENOSYS);
    answer.reasons.insert(Reason::Hidden);
    answer.reasons.extend(seen.into_iter().flatten());
    Some(answer)
}
