//! What the settings of a unit mean, as a profile.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    architecture, groups,
    unit::{Assignment, FILTERS, assignments},
};
use crate::{
    profile::{
        Errno,
        oci::{Action, Architectures, Constraint, OciProfile, Rule, SeccompArch},
        policy::is_name,
    },
    syscalls::{Abi, closest, errno},
    text::escape,
};

/// The sections whose processes a filter is for (systemd.exec(5)).
const SECTIONS: [&str; 4] = ["Service", "Socket", "Mount", "Swap"];

/// Settings that make filters of their own, which refuse more (systemd.exec(5)).
const OTHERS: [&str; 12] = [
    "LockPersonality",
    "MemoryDenyWriteExecute",
    "PrivateDevices",
    "ProtectClock",
    "ProtectHostname",
    "ProtectKernelLogs",
    "ProtectKernelModules",
    "ProtectKernelTunables",
    "RestrictAddressFamilies",
    "RestrictNamespaces",
    "RestrictRealtime",
    "RestrictSUIDSGID",
];
/// How `systemctl show` writes `kill` (`SECCOMP_ERROR_NUMBER_KILL` in `src/shared/seccomp-util.h`).
const KILL_AS_NUMBER: &str = "2147483646";

/// The largest unit that is read, in bytes: a thousand times a large one, and few enough words that
/// groups in it take no time.
const MAX_BYTES: usize = 1 << 20;

/// What is wrong with a setting.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// Larger than any unit.
    #[error(
        "more than {MAX_BYTES} bytes, which no unit of systemd has\n\nhint: name the unit itself"
    )]
    TooLarge,
    /// No setting makes a filter.
    #[error(
        "a unit of systemd without SystemCallFilter= and SystemCallLog=: its processes run without a filter\n\nhint: `systemctl cat UNIT` prints a unit with its drop-ins"
    )]
    NoFilter,
    /// A group that does not exist.
    #[error(
        "line {line}: {} is no group of systemd {}{}\n\nhint: `systemd-analyze syscall-filter` lists the groups; a newer systemd may have more, write their calls in the place of the group",
        escape(group),
        groups::VERSION,
        meant(*closest)
    )]
    Group {
        /// The line, from 1.
        line: usize,
        /// The group.
        group: String,
        /// The group that was probably meant.
        closest: Option<&'static str>,
    },
    /// No error number.
    #[error(
        "line {line}: {} is no error number: write a name such as EPERM, a number from 1 to {}, or kill",
        escape(found),
        Errno::MAX
    )]
    Errno {
        /// The line, from 1.
        line: usize,
        /// What is there.
        found: String,
    },
    /// An error number for a call that is allowed.
    #[error(
        "line {line}: {} is allowed, and has an error number: systemd ignores the word, and the call is refused\n\nhint: write the call without the number; or with `~` before the list, when it shall fail with the number",
        escape(word)
    )]
    AllowedWithErrno {
        /// The line, from 1.
        line: usize,
        /// The word.
        word: String,
    },
    /// No architecture.
    #[error("line {line}: {} is no architecture: write native, x86-64, x86 or x32", escape(found))]
    Architecture {
        /// The line, from 1.
        line: usize,
        /// What is there.
        found: String,
    },
}

fn meant(closest: Option<&str>) -> String {
    closest.map_or_else(String::new, |name| format!("; {name} is probably meant"))
}

/// The filter of a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitFilter {
    /// What it means.
    pub profile: OciProfile,
    /// What systemd makes of it that its author may not expect, in sentences.
    pub notes: Vec<String>,
}

/// What happens to a call, in place of what the list says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Answer {
    Errno(u16),
    Kill,
}

/// A list of calls, as assignments make it.
#[derive(Default)]
struct List {
    /// Whether it lists what is let through, or what is logged; None before the first assignment.
    positive: Option<bool>,
    /// The calls of the list, those with an answer of their own as well.
    calls: BTreeMap<String, Option<Answer>>,
    /// What was done with each word, and the place of the last time.
    steps: BTreeMap<Step, usize>,
    /// How many steps there were.
    count: usize,
}

/// Calls that come into a list, or leave it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Step {
    /// A call or a group.
    word: String,
    adds: bool,
    own: Option<Answer>,
}

/// Reads the filter of a unit: of a unit file with its drop-ins one after the other, or of what
/// `systemctl show` prints.
///
/// # Errors
/// It has none, or systemd would ignore a part of it.
pub fn read(text: &str) -> Result<UnitFilter, UnitError> {
    if text.len() > MAX_BYTES {
        return Err(UnitError::TooLarge);
    }
    let (mut filter, mut log) = (List::default(), List::default());
    let (mut refusal, mut architectures) = (Answer::Kill, BTreeSet::new());
    let (mut notes, mut unknown) = (Vec::new(), BTreeSet::new());
    let mut others = BTreeSet::new();
    for one in assignments(text) {
        if !FILTERS.contains(&one.key.as_str()) {
            let is_on = !matches!(one.value.as_str(), "" | "no" | "false" | "off" | "0");
            others.extend(OTHERS.iter().find(|other| is_on && **other == one.key));
            continue;
        }
        if let Some(section) = one.section.as_deref().filter(|name| !SECTIONS.contains(name)) {
            notes.push(format!(
                "line {}: systemd reads no {}= in the section [{section}]",
                one.line, one.key
            ));
            continue;
        }
        match one.key.as_str() {
            "SystemCallFilter" => filter.assign(&one, true, &mut unknown)?,
            "SystemCallLog" => log.assign(&one, false, &mut unknown)?,
            "SystemCallErrorNumber" => refusal = error_number(&one)?,
            _ if one.value.is_empty() => architectures.clear(),
            _ => {
                for word in one.value.split_whitespace() {
                    let known = architecture::of_word(word).ok_or_else(|| {
                        let found = word.to_owned();
                        UnitError::Architecture { line: one.line, found }
                    })?;
                    architectures.insert(known.token());
                }
            }
        }
    }
    filter.finish();
    log.finish();
    if filter.positive.is_none() && log.positive.is_none() {
        return Err(UnitError::NoFilter);
    }
    if !others.is_empty() {
        let others: Vec<&str> = others.into_iter().copied().collect();
        notes.push(format!(
            "these settings are filters of their own and refuse more, which is not read: {}",
            others.join(", ")
        ));
    }
    for name in unknown {
        let meant = closest(&name).map(|name| format!("; {name} is probably meant"));
        notes.push(format!(
            "systemd ignores {}, which no ABI has{}",
            escape(&name),
            meant.unwrap_or_default()
        ));
    }
    let architectures = architectures.into_iter().filter_map(SeccompArch::from_token).collect();
    Ok(UnitFilter { profile: profile(&filter, &log, refusal, architectures), notes })
}

fn error_number(one: &Assignment) -> Result<Answer, UnitError> {
    match one.value.as_str() {
        "" => Ok(Answer::Kill),
        value => answer(one.line, value),
    }
}

fn answer(line: usize, text: &str) -> Result<Answer, UnitError> {
    if matches!(text, "kill" | KILL_AS_NUMBER) {
        return Ok(Answer::Kill);
    }
    let number = text.parse().ok().filter(|number| (1..=Errno::MAX).contains(number));
    let found = || UnitError::Errno { line, found: text.to_owned() };
    number.or_else(|| errno::number(text)).map(Answer::Errno).ok_or_else(found)
}

impl List {
    fn assign(
        &mut self,
        one: &Assignment,
        is_filter: bool,
        unknown: &mut BTreeSet<String>,
    ) -> Result<(), UnitError> {
        let line = one.line;
        if one.value.is_empty() {
            *self = Self::default();
            return Ok(());
        }
        let (inverted, words) = match one.value.strip_prefix('~') {
            Some(words) => (true, words),
            None => (false, one.value.as_str()),
        };
        if self.positive.is_none() && is_filter && !inverted {
            self.step(Step { word: "@default".to_owned(), adds: true, own: None });
        }
        let positive = *self.positive.get_or_insert(!inverted);
        for word in words.split_whitespace() {
            let (name, own) = match word.split_once(':').filter(|_| is_filter) {
                Some((_, _)) if !inverted => {
                    return Err(UnitError::AllowedWithErrno { line, word: word.to_owned() });
                }
                Some((name, number)) => (name, Some(answer(line, number)?)),
                None => (word, None),
            };
            // What an allowlist loses with a number stays in the list, and fails with the number.
            let adds = positive != inverted || positive && own.is_some();
            if is_known(line, name, unknown)? {
                self.step(Step { word: name.to_owned(), adds, own: own.filter(|_| adds) });
            }
        }
        Ok(())
    }

    /// Does something with a word. The last time that the same is done with it counts.
    fn step(&mut self, step: Step) {
        self.steps.insert(step, self.count);
        self.count += 1;
    }

    /// Does what was said, in its order.
    fn finish(&mut self) {
        let mut steps: Vec<(Step, usize)> = std::mem::take(&mut self.steps).into_iter().collect();
        steps.sort_by_key(|(_, place)| *place);
        for (step, _) in steps {
            for call in named(&step.word) {
                if step.adds {
                    self.calls.insert(call, step.own);
                } else {
                    self.calls.remove(&call);
                }
            }
        }
    }

    fn has(&self, call: &str) -> bool {
        self.calls.contains_key(call)
    }
}

/// Whether a word stands for calls; a name that is none is noted.
fn is_known(line: usize, word: &str, unknown: &mut BTreeSet<String>) -> Result<bool, UnitError> {
    if word.starts_with('@') {
        return match groups::calls(word) {
            Some(_) => Ok(true),
            None => {
                let (group, closest) = (word.to_owned(), groups::closest(word));
                Err(UnitError::Group { line, group, closest })
            }
        };
    }
    if !is_name(word) {
        unknown.insert(word.to_owned());
    }
    Ok(is_name(word))
}

/// The calls that a word stands for.
fn named(word: &str) -> Vec<String> {
    match groups::calls(word) {
        // Groups name calls of all processors.
        Some(calls) => {
            calls.iter().filter(|call| is_name(call)).map(|it| (*it).to_owned()).collect()
        }
        None => vec![word.to_owned()],
    }
}

/// What happens to a call: an action, and its number.
type Effect = (Action, Option<u16>);

fn refused(answer: Answer) -> Effect {
    match answer {
        Answer::Errno(number) => (Action::Errno, Some(number)),
        Answer::Kill => (Action::KillProcess, None),
    }
}

fn profile(
    filter: &List,
    log: &List,
    refusal: Answer,
    architectures: Vec<SeccompArch>,
) -> OciProfile {
    let is_logged = |call: Option<&str>| match log.positive {
        None => false,
        Some(positive) => call.is_some_and(|call| log.has(call)) == positive,
    };
    let passing = |call: Option<&str>| match is_logged(call) {
        true => (Action::Log, None),
        false => (Action::Allow, None),
    };
    let allows = filter.positive == Some(true);
    let effect = |call: &str| match filter.calls.get(call) {
        Some(Some(own)) => refused(*own),
        Some(None) if !allows => refused(refusal),
        None if allows => refused(refusal),
        _ => passing(Some(call)),
    };
    let default = if allows { refused(refusal) } else { passing(None) };
    let mut rules: Vec<Rule> = Vec::new();
    let calls: BTreeSet<&String> = filter.calls.keys().chain(log.calls.keys()).collect();
    for call in calls {
        let (action, errno) = effect(call);
        if (action, errno) == default {
            continue;
        }
        match rules.iter_mut().find(|rule| (rule.action, rule.errno) == (action, errno)) {
            Some(rule) => rule.names.push(call.clone()),
            None => rules.push(rule(vec![call.clone()], action, errno)),
        }
    }
    // Without a list no ABI is killed.
    let every = || Abi::ALL.map(SeccompArch::Ours).into();
    let listed = if architectures.is_empty() { every() } else { architectures };
    OciProfile {
        default_action: default.0,
        default_errno: default.1,
        architectures: Architectures::Listed(listed),
        flags: None,
        listener_path: None,
        listener_metadata: None,
        syscalls: rules,
        remarks: Vec::new(),
    }
}

/// A rule without conditions.
fn rule(names: Vec<String>, action: Action, errno: Option<u16>) -> Rule {
    Rule {
        names,
        action,
        errno,
        conditions: Vec::new(),
        includes: Constraint::default(),
        excludes: Constraint::default(),
        comment: None,
    }
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
