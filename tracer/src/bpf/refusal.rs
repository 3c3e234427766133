//! The kernel's refusal of a map or a program, for people to read.

use std::{error::Error, fmt, io};

use aya::programs::ProgramError;

use crate::text::escape;

/// The lines of the verifier's log that are shown: the last ones say why.
const LINES_SHOWN: usize = 5;
/// How lines of the verifier's log begin that say what it cost, and stand behind the reason
/// (`kernel/bpf/verifier.c`).
const FIGURES: [&str; 3] = ["processed ", "verification time ", "stack depth "];
const MEMORY: &str = "\n\nhint: the maps of the kernel side count as memory of tracer's own cgroup: raise its limit (memory.max, or the memory limit of the container or unit)";
const LOCKDOWN: &str = "\n\nhint: most likely the kernel is locked down for confidentiality, so that no program may read its memory: boot with lockdown=integrity or without lockdown";

/// Why the kernel refused a program.
#[derive(Debug)]
pub struct Refusal {
    /// What was said, in one line.
    said: String,
    /// The end of the verifier's log.
    log: Vec<String>,
    /// What to do, where that can be text.
    hint: &'static str,
}

impl Refusal {
    /// Keeps the end of the verifier's log; the whole of it goes to the log of this program.
    pub(super) fn new(program: &str, error: &ProgramError) -> Self {
        let ProgramError::LoadError { io_error, verifier_log } = error else {
            return Self { said: causes(error), log: Vec::new(), hint: "" };
        };
        let whole = verifier_log.to_string();
        if !whole.trim().is_empty() {
            log::info!("the verifier's log of {program}:");
            whole.lines().for_each(|line| log::info!("{}", escape(line)));
        }
        Self::of_load(io_error, &whole)
    }

    fn of_load(error: &io::Error, whole: &str) -> Self {
        let log = last_lines(whole);
        let hint =
            if log.iter().any(|line| may_not_read(line)) { LOCKDOWN } else { memory_hint(error) };
        Self { said: error.to_string(), log, hint }
    }

    /// In one line, without the hint.
    pub(super) fn in_one_line(&self) -> String {
        let log = self.log.iter().map(|line| line.trim());
        [self.said.as_str()].into_iter().chain(log).collect::<Vec<_>>().join("; ")
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.said)?;
        if !self.log.is_empty() {
            formatter.write_str("; the verifier's last lines (-v shows all):")?;
        }
        for line in &self.log {
            write!(formatter, "\n  {line}")?;
        }
        formatter.write_str(self.hint)
    }
}

/// The last lines that say something, safe to print.
fn last_lines(log: &str) -> Vec<String> {
    let says = |line: &&str| {
        !line.trim().is_empty() && !FIGURES.iter().any(|figure| line.starts_with(figure))
    };
    let mut lines: Vec<String> = log
        .lines()
        .rev()
        .filter(says)
        .take(LINES_SHOWN)
        .map(|line| escape(line.trim_end()).into())
        .collect();
    lines.reverse();
    lines
}

/// The verifier knows no such function for this program: under lockdown=confidentiality those that
/// read the kernel's memory are not to be had (`kernel/trace/bpf_trace.c`). A line that shows an
/// instruction is none of these.
fn may_not_read(line: &str) -> bool {
    line.contains("bpf_probe_read")
        && ["cannot use", "unknown func"].iter().any(|said| line.contains(said))
}

/// What to do when memory is lacking.
pub(super) fn memory_hint(error: &io::Error) -> &'static str {
    if error.kind() == io::ErrorKind::OutOfMemory { MEMORY } else { "" }
}

/// An error and its causes in one line; one that the text before already ends with is not said
/// again.
pub(super) fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        next = cause.source();
        let cause = cause.to_string();
        if !text.ends_with(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use aya::maps::MapError;

    use super::*;

    fn error(number: i32) -> io::Error {
        io::Error::from_raw_os_error(number)
    }

    #[test]
    fn a_long_log_is_told_by_its_last_lines() {
        let mut log: String = (0..2288).map(|line| format!("{line}: (b7) r1 = 0\n")).collect();
        log.push_str(
            "R1 invalid mem access\nverification time 12 usec\nstack depth 64\nprocessed 9 insns\n",
        );
        let refusal = Refusal::of_load(&error(libc::EACCES), &log);
        let text = refusal.to_string();
        assert_eq!(text.lines().count(), 1 + LINES_SHOWN, "{text}");
        assert!(text.starts_with("Permission denied (os error 13); the verifier's last"), "{text}");
        assert!(text.ends_with("\n  2287: (b7) r1 = 0\n  R1 invalid mem access"), "{text}");
        assert_eq!(refusal.in_one_line().lines().count(), 1);
        let bare = Refusal::of_load(&error(libc::EINVAL), "");
        assert_eq!(bare.to_string(), "Invalid argument (os error 22)");
    }

    #[test]
    fn a_kernel_whose_memory_may_not_be_read_is_told_as_locked_down() {
        for said in [
            "program of this type cannot use other bpf_probe_read#4",
            "program of this type cannot use helper bpf_probe_read_kernel#113",
            "unknown func bpf_probe_read_kernel#113",
        ] {
            let text = Refusal::of_load(&error(libc::EINVAL), &format!("7: (85) call\n{said}\n"));
            assert!(text.to_string().contains("\n\nhint: most likely the kernel is locked down"));
            assert!(!text.in_one_line().contains("hint"), "{text}");
        }
        let other = "9: (85) call bpf_probe_read_kernel#113\nR3 invalid mem access 'scalar'\n";
        let text = Refusal::of_load(&error(libc::EACCES), other).to_string();
        assert!(!text.contains("hint"), "{text}");
    }

    #[test]
    fn a_lack_of_memory_has_a_hint() {
        let text = Refusal::of_load(&error(libc::ENOMEM), "").to_string();
        assert!(text.contains("(os error 12)\n\nhint: ") && text.contains("memory.max"), "{text}");
        assert_eq!(memory_hint(&error(libc::EINVAL)), "");
    }

    #[test]
    fn what_was_said_is_not_said_again() {
        let map = || MapError::CreateError { name: "STATS".into(), io_error: error(libc::EINVAL) };
        let expected = "failed to create map `STATS`: Invalid argument (os error 22)";
        assert_eq!(causes(&map()), expected);
        let loading = aya::EbpfError::MapError(map());
        assert_eq!(causes(&loading), format!("map error: {expected}"));
    }
}
