//! Numbers of syscalls: a list of nothing else (`59 317`), or `syscall=317` anywhere in a line.

use super::found::{Asked, CallId, DecodedLine, Recogniser, Sighted};
use crate::{
    audit::AuditedCall,
    syscalls::{Abi, HOST},
};

/// See the module.
pub struct Numbers;

/// Words that may stand in a list.
const WORDS: [&str; 5] = ["syscall", "syscalls", "syscall:", "syscalls:", "nr"];
/// Keys of a number.
const KEYS: [&str; 3] = ["syscall=", "SYSCALL=", "nr="];

impl Recogniser for Numbers {
    fn line(&mut self, line: &str, asked: &Asked<'_>) -> Option<DecodedLine> {
        let abi = asked.abi;
        let is_between = |char: char| char.is_whitespace() || ",;[](){}\"".contains(char);
        let tokens = || line.split(is_between).filter(|token| !token.is_empty());
        let keyed = |token: &str| KEYS.iter().find_map(|key| number(token.strip_prefix(key)?));
        let is_listed =
            |token: &str| WORDS.contains(&token) || number(token).or(keyed(token)).is_some();
        let is_list = tokens().all(is_listed);
        let in_list = |token: &str| number(token).filter(|_| is_list);
        let arch =
            tokens().find_map(|token| u32::from_str_radix(token.strip_prefix("arch=")?, 16).ok());
        let numbers = tokens().filter_map(|token| keyed(token).or_else(|| in_list(token)));
        let calls: Vec<Sighted> =
            numbers.map(|number| Sighted::once(call(number, arch, abi))).collect();
        if calls.is_empty() {
            return None;
        }
        let assumed = format!(
            "numbers without an architecture are taken for those of {}; --abi names another ABI",
            abi.name()
        );
        let remarks = if arch.is_some() { Vec::new() } else { vec![assumed] };
        Some(DecodedLine { calls, remarks, ..DecodedLine::default() })
    }
}

/// Decimal, or hexadecimal digits behind `0x`.
pub(super) fn number(text: &str) -> Option<i64> {
    match text.strip_prefix("0x") {
        Some(digits) if !digits.starts_with(['+', '-']) => i64::from_str_radix(digits, 16).ok(),
        Some(_) => None,
        None if text.starts_with('+') => None,
        None => text.parse().ok(),
    }
}

/// The call that a number is, of an architecture as audit records name it when there is one.
pub(super) fn call(number: i64, arch: Option<u32>, abi: Abi) -> CallId {
    let Some(arch) = arch else { return CallId::shown(number, abi) };
    match HOST.abis.iter().find(|known| known.audit_arch == arch) {
        Some(known) => CallId::shown(number, known.abi),
        None => AuditedCall::Foreign(arch, number).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls(line: &str, abi: Abi) -> Option<Vec<CallId>> {
        let found = Numbers.line(line, &Asked { abi, profile: None, commands: &[] })?;
        Some(found.calls.into_iter().map(|call| call.call).collect())
    }

    #[test]
    fn lists_are_read_in_the_abi_that_is_named() {
        let natives = [59, 317].map(|number| CallId::Ours(Abi::X86_64, number));
        for list in
            ["59 317", "59,317", " [59, 0x13d] ", "syscalls: 59 317", "syscall=59 syscall=317"]
        {
            assert_eq!(calls(list, Abi::X86_64).as_deref(), Some(&natives[..]), "{list}");
        }
        let i386 = calls("59 317", Abi::I386).expect("a list");
        assert_eq!(
            i386.iter().map(|call| call.name()).collect::<Vec<_>>(),
            [Some("oldolduname"), Some("move_pages")]
        );
        let marked = calls("1073742344", Abi::X86_64).expect("a list");
        assert_eq!(marked, [CallId::Ours(Abi::X32, 520)]);
        assert_eq!(marked, calls("520", Abi::X32).expect("a list"));
    }

    #[test]
    fn a_key_is_found_in_any_line() {
        let line = "sandbox: denied syscall=317, by 4 rules";
        assert_eq!(calls(line, Abi::X86_64), Some(vec![CallId::Ours(Abi::X86_64, 317)]));
        let line = "arch=40000003 syscall=96";
        assert_eq!(calls(line, Abi::X86_64), Some(vec![CallId::Ours(Abi::I386, 96)]));
        let line = "arch=c00000b7 syscall=96";
        assert_eq!(calls(line, Abi::X86_64), Some(vec![CallId::Foreign(0xc000_00b7, 96)]));
    }

    #[test]
    fn other_lines_are_no_lists() {
        let others = ["", "59 lines", "12:30:01 317", "1.5 2", "syscall=", "syscalls", "59-61"];
        for line in others.into_iter().chain(["99999999999999999999", "syscall=0xg", "0x", "+5"]) {
            assert_eq!(calls(line, Abi::X86_64), None, "{line}");
        }
        let huge = calls("9223372036854775807 -1", Abi::X86_64).expect("a list");
        assert_eq!(huge, [i64::MAX, -1].map(|number| CallId::Ours(Abi::X86_64, number)));
        assert!(huge.iter().all(|call| call.name().is_none()));
    }
}
