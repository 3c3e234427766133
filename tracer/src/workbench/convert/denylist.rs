//! The profile turned round: what it does not need is denied, and what nobody thought of passes.

use std::collections::{BTreeMap, BTreeSet};

use super::error::ConvertError;
use crate::{
    profile::{
        Errno,
        defaults::DefaultsEngine,
        oci::{Action, Architectures, Condition, Constraint, OciProfile, Rule, SeccompArch},
        policy::{CallDecision, Policy, Verdict},
    },
    syscalls::{self, Abi},
    workbench::{diff::diagram::regions, risk},
};

/// A profile that allows by default. It denies what Docker's default denies and every dangerous
/// call ([`risk`]), as far as the profile does not allow it.
///
/// # Errors
/// The conditions of a call are too many to be turned round.
pub fn denylist(policy: &Policy) -> Result<OciProfile, ConvertError> {
    let docker = DefaultsEngine::Docker.default_profile().policy();
    let calls: BTreeSet<&'static str> =
        Abi::ALL.into_iter().flat_map(syscalls::entries).map(|(_, name)| name).collect();
    let mut whole: BTreeMap<u16, Vec<String>> = BTreeMap::new();
    let mut partial = Vec::new();
    for name in calls {
        for (conditions, errno) in denied(policy, docker, name)? {
            match conditions.as_slice() {
                [] => whole.entry(errno).or_default().push(name.to_owned()),
                _ => partial.push(rule(vec![name.to_owned()], errno, conditions)),
            }
        }
    }
    let whole = whole.into_iter().map(|(errno, names)| rule(names, errno, Vec::new()));
    Ok(OciProfile {
        default_action: Action::Allow,
        default_errno: None,
        architectures: Architectures::Listed(Abi::ALL.map(SeccompArch::Ours).into()),
        flags: None,
        listener_path: None,
        listener_metadata: None,
        syscalls: whole.chain(partial).collect(),
        remarks: Vec::new(),
    })
}

/// The conditions under which a call is denied, and with which error number.
fn denied(
    policy: &Policy,
    docker: &Policy,
    name: &'static str,
) -> Result<Vec<(Vec<Condition>, u16)>, ConvertError> {
    let found = Abi::ALL.into_iter().find_map(|abi| {
        let number = syscalls::number(abi, name)?;
        Some((abi, u32::try_from(number).ok()?))
    });
    let Some((abi, number)) = found else { return Ok(Vec::new()) };
    let refuses = |verdict: Verdict| !verdict.lets_pass();
    let limit = match risk::dangerous(name) {
        Some(_) => refusal(docker, abi, number),
        None => decision(docker, abi, number),
    };
    let own = own(policy, name);
    if let (CallDecision::Always(limit), CallDecision::Always(own)) = (&limit, &own) {
        let denied = refuses(*limit) && refuses(*own);
        return Ok(if denied { vec![(Vec::new(), errno(*limit))] } else { Vec::new() });
    }
    let regions = regions(
        (abi, name),
        (&limit, docker.default_verdict()),
        (&own, policy.default_verdict()),
        |limit, own| refuses(limit) && refuses(own),
    );
    let regions = regions.map_err(|_| ConvertError::TooLarge { name: name.to_owned() })?;
    Ok(regions.into_iter().map(|(conditions, verdict)| (conditions, errno(verdict))).collect())
}

/// What a policy makes of a call.
fn decision(policy: &Policy, abi: Abi, number: u32) -> CallDecision {
    match policy.table(abi) {
        None => CallDecision::Always(Verdict::KillThread),
        Some(table) => {
            let default = || CallDecision::Always(policy.default_verdict());
            table.get(&number).cloned().unwrap_or_else(default)
        }
    }
}

/// The same, through the ABI that the policy lists and that has the call.
fn own(policy: &Policy, name: &str) -> CallDecision {
    let listed = Abi::ALL.into_iter().filter(|abi| policy.table(*abi).is_some());
    let mut numbers = listed.filter_map(|abi| {
        let number = u32::try_from(syscalls::number(abi, name)?).ok()?;
        Some(decision(policy, abi, number))
    });
    numbers.next().unwrap_or(CallDecision::Always(Verdict::KillThread))
}

/// Docker's refusal of a call whatever its arguments are, or EPERM where it allows some.
fn refusal(docker: &Policy, abi: Abi, number: u32) -> CallDecision {
    let always = docker.always(abi, number).filter(|verdict| verdict.refuses());
    CallDecision::Always(always.unwrap_or(Verdict::Errno(Errno::EPERM.get())))
}

fn errno(verdict: Verdict) -> u16 {
    match verdict {
        Verdict::Errno(number) => number,
        _ => Errno::EPERM.get(),
    }
}

fn rule(names: Vec<String>, errno: u16, conditions: Vec<Condition>) -> Rule {
    Rule {
        names,
        action: Action::Errno,
        errno: Some(errno),
        conditions,
        includes: Constraint::default(),
        excludes: Constraint::default(),
        comment: None,
    }
}
