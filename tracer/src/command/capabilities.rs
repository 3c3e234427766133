//! By whose capabilities the conditions of a profile are judged.

use std::{collections::BTreeSet, fs};

use anyhow::{Context, Result};

use super::usage::usage;
use crate::{profile::capability::Capability, text::escape};

/// The capabilities that decide which rules count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CapabilityBasis {
    /// The capabilities.
    pub(super) set: BTreeSet<Capability>,
    /// Whose they are, for people.
    whose: String,
    /// How to judge otherwise.
    hint: &'static str,
}

impl CapabilityBasis {
    fn new(set: impl IntoIterator<Item = Capability>, whose: impl Into<String>) -> Self {
        Self { set: set.into_iter().collect(), whose: whose.into(), hint: "" }
    }

    /// Those of this process: of its bounding set, which what it executes cannot leave.
    pub(super) fn own() -> Result<Self> {
        let hint = "; --caps docker judges as in a container of Docker's";
        Ok(Self { hint, ..Self::current()? })
    }

    fn current() -> Result<Self> {
        let status = fs::read_to_string("/proc/self/status").context("/proc/self/status")?;
        let mask = mask(&status).context("/proc/self/status has no CapBnd line")?;
        Ok(Self::new(Capability::from_mask(mask), "tracer's own bounding set"))
    }

    /// Those of a target that no process is known of.
    pub(super) fn assumed() -> Self {
        let whose = "Docker's default set, because no process of the target was seen";
        Self { hint: "; --caps changes that", ..Self::new(Capability::dockers(), whose) }
    }

    /// Those of a process of the target.
    pub(super) fn of_target(mask: u64, pid: u32) -> Self {
        let whose = format!("the target's bounding set (process {pid})");
        Self::new(Capability::from_mask(mask), whose)
    }

    /// Those that were typed: `docker`, `none`, `current`, or a list.
    pub(super) fn typed(typed: &str) -> Result<Self> {
        match typed {
            "docker" => Ok(Self::new(Capability::dockers(), "Docker's default set (--caps)")),
            "none" => Ok(Self::new([], "none (--caps)")),
            "current" => Self::current(),
            list => {
                let set = list.split(',').map(str::trim).map(named).collect::<Result<Vec<_>>>()?;
                Ok(Self::new(set, "those of --caps"))
            }
        }
    }

    /// Which of the capabilities that conditions name are there, in a sentence.
    pub(super) fn describe(&self, asked: &BTreeSet<Capability>) -> String {
        let names = |of: Vec<&Capability>| {
            let names: Vec<String> = of.into_iter().map(Capability::to_string).collect();
            if names.is_empty() { "none of them".to_owned() } else { names.join(", ") }
        };
        let (with, without): (Vec<_>, Vec<_>) = asked.iter().partition(|it| self.set.contains(it));
        let without = if without.is_empty() {
            String::new()
        } else {
            format!("; without {}", names(without))
        };
        format!(
            "conditions on capabilities are judged by {}: with {}{without}{}",
            self.whose,
            names(with),
            self.hint
        )
    }
}

fn named(name: &str) -> Result<Capability> {
    let known = Capability::from_typed(name);
    known.ok_or_else(|| {
        usage(&format!(
            "--caps: `{}` is no capability; write docker, none, current, or names such as CAP_SYS_ADMIN or sys_admin, with commas",
            escape(name)
        ))
    })
}

/// The bounding set that a file `/proc/PID/status` shows (`proc(5)`).
pub(super) fn mask(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("CapBnd:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}
