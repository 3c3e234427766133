//! Pasted text, and the syscalls that it names.
//!
//! [`recognisers`] lists the kinds of lines: each is a [`found::Recogniser`]. [`Decoder`] asks them
//! about every line and counts what they find; [`under`] evaluates a profile on the result, and
//! [`render`] writes it for people.

mod audit_records;
mod carrier;
pub mod found;
mod numbers;
pub mod recognisers;
pub mod recorded;
pub mod render;
mod startup_errors;
mod strace;
pub mod under;

use std::collections::BTreeMap;

use serde::Serialize;

use self::{
    found::{Asked, CallId, DecodedLine, FilterEffect, Recogniser, Sighted},
    under::Evaluation,
};
use crate::{
    syscalls::{Abi, errno},
    text::{Escaped, escape_bytes},
};

/// The longest line that is looked at, in bytes: a record has at most 8970
/// (`MAX_AUDIT_MESSAGE_LENGTH` in the kernel's `include/uapi/linux/audit.h`), and strace can be
/// asked for long texts.
const LONGEST: usize = 1 << 20;
/// How much of a line is shown, in characters.
const SHOWN: usize = 60;

/// What a text names.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Decoded {
    /// The syscalls: one entry for each ABI, number, action and command; the most frequent first.
    pub calls: Vec<DecodedCall>,
    /// The log shows no gap, and every record could be read.
    pub complete: bool,
    /// The lines that say that records are missing.
    pub missing: MissingEntry,
    /// The records that could not be read as a whole. The call is listed where it could be read.
    pub damaged: u64,
    /// What no recogniser knows.
    pub unrecognised: Unrecognised,
    /// What a reader has to know, in sentences.
    pub remarks: Vec<String>,
    /// How many syscalls are not listed because other commands made them than those that are asked
    /// for, or nobody knows which.
    pub left_out: u64,
}

/// One syscall.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DecodedCall {
    /// How often the text has it.
    pub count: u64,
    /// Its name; absent where it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'static str>,
    /// Its number.
    pub number: i64,
    /// Its ABI; absent for another machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub abi: Option<Abi>,
    /// The `AUDIT_ARCH` of another machine, in hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arch: Option<String>,
    /// What a filter did with it; absent where the text does not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<FilterEffect>,
    /// The command that made it; absent where the text does not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<Escaped>,
    /// How often it failed, of the count.
    pub failed: u64,
    /// How often with which error number, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub errnos: BTreeMap<String, u64>,
    /// What a profile makes of it, when one was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<Evaluation>,
    /// How often in a whole record, of the count.
    #[serde(skip)]
    pub records: u64,
}

/// The lines that say that records are missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MissingEntry {
    /// How many there are.
    pub lines: u64,
    /// How many records they name; others name no number.
    pub records: u64,
}

/// The lines that no recogniser knows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Unrecognised {
    /// How many.
    pub lines: u64,
    /// The first one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<FirstLine>,
}

/// A line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FirstLine {
    /// Its number, from 1.
    pub line: u64,
    /// How it begins.
    pub text: Escaped,
}

impl Decoded {
    /// No line says anything.
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty() && self.complete && self.remarks.is_empty()
    }
}

/// What makes two sightings one entry.
type Key = (CallId, Option<FilterEffect>, Option<Escaped>);

/// How often, and with which result.
#[derive(Default)]
struct Tally {
    count: u64,
    failed: u64,
    errnos: BTreeMap<String, u64>,
    records: u64,
}

/// Reads lines.
struct Decoder<'a> {
    recognisers: Vec<Box<dyn Recogniser>>,
    asked: Asked<'a>,
    found: BTreeMap<Key, Tally>,
    decoded: Decoded,
}

/// Decodes a text.
pub fn decode(text: &[u8], asked: Asked<'_>) -> Decoded {
    let mut decoder = Decoder {
        recognisers: recognisers::all(),
        asked,
        found: BTreeMap::new(),
        decoded: Decoded::default(),
    };
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    for (number, line) in (1..).zip(text.split(|byte| *byte == b'\n')) {
        if !line.trim_ascii().is_empty() {
            decoder.line(number, line);
        }
    }
    decoder.end()
}

impl Decoder<'_> {
    fn line(&mut self, number: u64, bytes: &[u8]) {
        let found = if bytes.len() > LONGEST { None } else { self.recognise(bytes) };
        if let Some(found) = found {
            self.add(found);
            return;
        }
        let unrecognised = &mut self.decoded.unrecognised;
        unrecognised.lines += 1;
        unrecognised.first.get_or_insert_with(|| FirstLine { line: number, text: start(bytes) });
    }

    fn recognise(&mut self, bytes: &[u8]) -> Option<DecodedLine> {
        let line = String::from_utf8_lossy(bytes);
        let line = line.trim_end_matches('\r');
        let held = carrier::unwrapped(line);
        held.iter().find_map(|line| {
            self.recognisers.iter_mut().find_map(|recogniser| recogniser.line(line, &self.asked))
        })
    }

    fn add(&mut self, found: DecodedLine) {
        let found = self.leave_out(found);
        let DecodedLine { calls, missing, is_damaged, remarks } = found;
        for Sighted { call, action, command, count, failed, errno, is_record } in calls {
            let tally = self.found.entry((call, action, command)).or_default();
            tally.count = tally.count.saturating_add(count);
            tally.records = tally.records.saturating_add(if is_record { count } else { 0 });
            tally.failed = tally.failed.saturating_add(failed);
            if let Some(number) = errno {
                let name = errno::name(number).map_or_else(|| number.to_string(), str::to_owned);
                *tally.errnos.entry(name).or_default() += 1;
            }
        }
        if let Some(missing) = missing {
            let known = &mut self.decoded.missing;
            known.lines += 1;
            known.records = known.records.saturating_add(missing.records.unwrap_or_default());
        }
        self.decoded.damaged += u64::from(is_damaged);
        for remark in remarks {
            if !self.decoded.remarks.contains(&remark) {
                self.decoded.remarks.push(remark);
            }
        }
    }

    /// What a line says of the commands that are asked for. A record that could not be read matters
    /// unless it is known to be of another one.
    fn leave_out(&mut self, found: DecodedLine) -> DecodedLine {
        let asked = self.asked.commands;
        if asked.is_empty() || found.calls.is_empty() {
            return found;
        }
        let is_asked = |call: &Sighted| {
            call.command.as_ref().is_some_and(|command| asked.iter().any(|one| one.is(command)))
        };
        let (calls, others): (Vec<_>, Vec<_>) = found.calls.into_iter().partition(is_asked);
        let count = others.iter().fold(0_u64, |sum, call| sum.saturating_add(call.count));
        self.decoded.left_out = self.decoded.left_out.saturating_add(count);
        if !calls.is_empty() {
            return DecodedLine { calls, ..found };
        }
        let may_be_asked = others.iter().any(|call| call.command.is_none());
        let is_damaged = found.is_damaged && may_be_asked;
        DecodedLine { calls, is_damaged, remarks: Vec::new(), ..found }
    }

    fn end(mut self) -> Decoded {
        for at in 0..self.recognisers.len() {
            let found = self.recognisers[at].end();
            self.add(found);
        }
        let mut decoded = self.decoded;
        decoded.complete = decoded.missing.lines == 0 && decoded.damaged == 0;
        decoded.calls = self.found.into_iter().map(entry).collect();
        if let Some(policy) = self.asked.profile {
            for call in &mut decoded.calls {
                call.profile = call.abi.and_then(|abi| under::evaluate(policy, abi, call.number));
            }
        }
        // Sorted by ABI and number before, so that the order is the same each time.
        decoded.calls.sort_by_key(|call| std::cmp::Reverse(call.count));
        decoded
    }
}

fn entry(((call, action, command), tally): (Key, Tally)) -> DecodedCall {
    let (abi, arch) = match call {
        CallId::Ours(abi, _) => (Some(abi), None),
        CallId::Foreign(arch, _) => (None, Some(format!("{arch:x}"))),
    };
    let Tally { count, failed, errnos, records } = tally;
    DecodedCall {
        count,
        name: call.name(),
        number: call.number(),
        abi,
        arch,
        action,
        command,
        failed,
        errnos,
        profile: None,
        records,
    }
}

/// How a line begins.
fn start(bytes: &[u8]) -> Escaped {
    // A character has at most four bytes.
    let begin = &bytes[..bytes.len().min(4 * SHOWN)];
    let text = String::from_utf8_lossy(begin.trim_ascii());
    let cut: String = text.chars().take(SHOWN).collect();
    let is_whole = begin.len() == bytes.len() && cut.len() == text.len();
    escape_bytes(if is_whole { cut } else { cut + "..." }.as_bytes())
}
