//! One line of strace.

use crate::syscalls::errno;

/// What stands before the event: `[pid 7393<sh>] 03:39:24.17 [  59] `.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Prefix<'a> {
    /// The process.
    pub(super) pid: Option<u32>,
    /// Its command (`-Y`).
    pub(super) command: Option<&'a str>,
    /// The number of the call (`-n`).
    pub(super) number: Option<i64>,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event<'a> {
    /// A call began; it may have returned.
    Begun { name: &'a str, outcome: Outcome },
    /// A call returned that began in an earlier line.
    Resumed { name: &'a str, outcome: Outcome },
    /// A filter sent SIGSYS for a call of this architecture.
    BadSyscall { name: &'a str, arch: &'a str },
    /// The process ended.
    Ended { by_sigsys: bool },
    /// The process makes calls of this ABI from here on.
    Mode { pid: u32, name: &'a str },
    /// A signal, or a message of strace.
    Other,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    /// It failed.
    pub(super) failed: bool,
    /// With this error number.
    pub(super) errno: Option<u16>,
}

/// Reads a line; None when it is not one of strace.
pub(super) fn read(line: &str) -> Option<(Prefix<'_>, Event<'_>)> {
    if let Some((_, text)) = line.split_once("[ Process PID=") {
        let (pid, text) = text.split_once(" runs in ")?;
        let (name, _) = text.split_once(" mode. ]")?;
        return Some((Prefix::default(), Event::Mode { pid: pid.parse().ok()?, name }));
    }
    let (prefix, text) = prefix(line.trim());
    let event = if let Some(text) = text.strip_prefix("+++ ") {
        text.strip_suffix(" +++")?;
        Event::Ended { by_sigsys: text.starts_with("killed by SIGSYS") }
    } else if let Some(text) = text.strip_prefix("--- ") {
        signal(text)?
    } else if text.starts_with("strace: Process ") {
        Event::Other
    } else if let Some(text) = text.strip_prefix("<... ") {
        let (name, text) = text.split_once(" resumed>")?;
        Event::Resumed { name: is_name(name).then_some(name)?, outcome: outcome(text)? }
    } else {
        let (name, text) = text.split_once('(')?;
        Event::Begun { name: is_name(name).then_some(name)?, outcome: outcome(text)? }
    };
    Some((prefix, event))
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Takes what stands before the event.
fn prefix(line: &str) -> (Prefix<'_>, &str) {
    let mut prefix = Prefix::default();
    let mut rest = line;
    if let Some((process, behind)) = process(rest) {
        (prefix.pid, prefix.command) = (Some(process.0), process.1);
        rest = behind;
    }
    loop {
        rest = rest.trim_start();
        if let Some((within, behind)) = rest.strip_prefix('[').and_then(|it| it.split_once(']')) {
            // A number has four columns; an instruction pointer has eight or sixteen.
            match within.trim() {
                number if within.len() < 8 && number.parse::<i64>().is_ok() => {
                    prefix.number = number.parse().ok();
                }
                pointer if pointer.bytes().all(|it| it.is_ascii_hexdigit() || it == b'?') => {}
                _ => return (prefix, rest),
            }
            rest = behind;
            continue;
        }
        match rest.split_once(' ') {
            Some((time, behind)) if is_time(time) => rest = behind,
            _ => return (prefix, rest),
        }
    }
}

/// `03:39:24`, `03:39:24.171352`, `1700000000.123456`, `0.000347`.
fn is_time(word: &str) -> bool {
    word.starts_with(|char: char| char.is_ascii_digit())
        && word.contains([':', '.'])
        && word.bytes().all(|byte| byte.is_ascii_digit() || b":.".contains(&byte))
}

/// `[pid 7393]`, `[pid 7393<sh>]`, `7393`, `7393<sh>`, and what follows.
fn process(line: &str) -> Option<((u32, Option<&str>), &str)> {
    let (text, rest) = match line.strip_prefix("[pid ") {
        Some(text) => text.split_once("] ")?,
        None => {
            // The name of a command may have spaces in it.
            let end = match line.split_once('<') {
                Some((digits, named)) if is_digits(digits) => {
                    digits.len() + 1 + named.find("> ")? + 1
                }
                _ => line.find(' ')?,
            };
            line.split_at(end)
        }
    };
    let text = text.trim();
    let (digits, command) = match text.strip_suffix('>').and_then(|text| text.split_once('<')) {
        Some((digits, command)) => (digits, Some(command)),
        None => (text, None),
    };
    let pid = is_digits(digits).then(|| digits.parse().ok()).flatten()?;
    Some(((pid, command), rest))
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `SIGSYS {si_signo=SIGSYS, si_code=SYS_SECCOMP, ..., si_syscall=__NR_getpriority,
/// si_arch=AUDIT_ARCH_X86_64} ---`, or another signal.
fn signal(text: &str) -> Option<Event<'_>> {
    let text = text.strip_suffix(" ---")?;
    if !text.contains("si_code=SYS_SECCOMP") {
        return Some(Event::Other);
    }
    let field = |key: &str| {
        let (_, value) = text.split_once(key)?;
        value.split([',', '}', ' ']).next()
    };
    let name = field("si_syscall=")?.trim_start_matches("__NR_");
    Some(Event::BadSyscall { name, arch: field("si_arch=")? })
}

/// What follows the arguments: ` = 0`, ` = -1 ENOENT (...)`, ` = ?`, or that the call goes on.
fn outcome(text: &str) -> Option<Outcome> {
    if text.ends_with("<unfinished ...>") {
        return Some(Outcome::default());
    }
    // The arguments may hold the same signs: the last ones count.
    let mut results =
        text.rmatch_indices(" = ").map(|(at, sign)| (&text[..at], &text[at + sign.len()..]));
    let is_result = |(before, result): &(&str, &str)| {
        before.trim_end().ends_with(')')
            && result.starts_with(|char: char| char.is_ascii_digit() || "-?".contains(char))
    };
    let (_, result) = results.find(is_result)?;
    let Some(error) = result.strip_prefix("-1 ") else { return Some(Outcome::default()) };
    let name = error.split(' ').next().unwrap_or_default();
    // The others, such as ERESTARTSYS, reach no caller.
    Some(match errno::number(name) {
        Some(number) => Outcome { failed: true, errno: Some(number) },
        None => Outcome { failed: name.starts_with("(errno"), errno: None },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begun(line: &str) -> (Prefix<'_>, &str, Outcome) {
        match read(line) {
            Some((prefix, Event::Begun { name, outcome })) => (prefix, name, outcome),
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn what_stands_before_a_call_is_taken_off() {
        let none = Prefix::default();
        let of = |pid| Prefix { pid: Some(pid), ..none };
        let call = "close(3)                                = 0";
        for (before, expected) in [
            ("", none),
            ("7393  ", of(7393)),
            ("[pid 13902] ", of(13902)),
            ("[pid  1390] ", of(1390)),
            ("7417  03:39:24.224259 ", of(7417)),
            ("03:39:24 ", none),
            ("1795750964.472917 ", none),
            ("     0.000347 ", none),
            ("[   3] ", Prefix { number: Some(3), ..none }),
            ("[   3] [00007f3051905ad7] ", Prefix { number: Some(3), ..none }),
            ("[????????????????] ", none),
            ("[pid 13902] 1795750964.49 [  14] ", Prefix { number: Some(14), ..of(13902) }),
            ("17640<sh> ", Prefix { command: Some("sh"), ..of(17640) }),
            ("17640<a b> ", Prefix { command: Some("a b"), ..of(17640) }),
            ("[pid 17636<sh>] ", Prefix { command: Some("sh"), ..of(17636) }),
        ] {
            let line = format!("{before}{call}");
            assert_eq!(begun(&line), (expected, "close", Outcome::default()), "{line}");
        }
    }

    #[test]
    fn results_are_read() {
        let failed = |errno| Outcome { failed: true, errno };
        for (line, expected) in [
            ("brk(NULL) = 0x562074c36000", Outcome::default()),
            ("exit_group(0)                           = ?", Outcome::default()),
            ("wait4(-1,  <unfinished ...>", Outcome::default()),
            ("getpid() = 17635<sh>", Outcome::default()),
            ("close(3) = 0 <0.000012>", Outcome::default()),
            (
                "ioctl(1, TCGETS, 0x7ffe) = -1 ENOTTY (Inappropriate ioctl for device)",
                failed(Some(25)),
            ),
            ("pause() = ? ERESTARTNOHAND (To be restarted if no handler)", Outcome::default()),
            ("foo(1) = -1 (errno 524)", failed(None)),
            (r#"write(1, "a) = -1 EPERM (b)", 17) = 17"#, Outcome::default()),
            ("clock_nanosleep(CLOCK_REALTIME, 0, {...} <unfinished ...>) = ?", Outcome::default()),
        ] {
            assert_eq!(begun(line).2, expected, "{line}");
        }
        let resumed = read("7422  <... wait4 resumed>, 0, NULL) = -1 ECHILD (No child processes)");
        let event = Event::Resumed { name: "wait4", outcome: failed(Some(10)) };
        assert_eq!(resumed.map(|(_, event)| event), Some(event));
    }

    #[test]
    fn what_is_no_call_is_told_apart() {
        let event = |line| read(line).map(|(_, event)| event);
        assert_eq!(event("+++ exited with 0 +++"), Some(Event::Ended { by_sigsys: false }));
        let killed = "13431 +++ killed by SIGSYS (core dumped) +++";
        assert_eq!(event(killed), Some(Event::Ended { by_sigsys: true }));
        let child = "[pid 5] --- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=6} ---";
        assert_eq!(event(child), Some(Event::Other));
        assert_eq!(event("strace: Process 1234 attached"), Some(Event::Other));
        let sigsys = "13431 --- SIGSYS {si_signo=SIGSYS, si_code=SYS_SECCOMP, si_call_addr=0x7f, si_syscall=__NR_getpriority, si_arch=AUDIT_ARCH_X86_64} ---";
        let refused = Event::BadSyscall { name: "getpriority", arch: "AUDIT_ARCH_X86_64" };
        assert_eq!(event(sigsys), Some(refused));
        let mode = "strace: [ Process PID=17694 runs in 32 bit mode. ]";
        assert_eq!(event(mode), Some(Event::Mode { pid: 17694, name: "32 bit" }));
        for other in [
            "",
            "x",
            "int main(void)",
            "value = read(fd)",
            "a.b(c) = 1",
            "mount(2) failed",
            "(",
            "[",
            "[pid ",
            "5<a",
            "é(1) = 0",
        ] {
            assert_eq!(event(other), None, "{other}");
        }
    }
}
