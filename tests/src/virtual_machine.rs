//! What the program inside of a virtual machine and the one outside agree on: the checks, and how
//! their results are reported, one line of JSON each, on the second serial port.

use serde_json::{Value, json};

/// How the machine is set up in which a check runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setup {
    /// Two processors, and the kernel as it comes.
    Plain,
    /// Four processors, and a kernel that preempts whatever it can.
    Preemptive,
}

/// A check.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// Its name.
    pub name: &'static str,
    /// Where it runs.
    pub setup: Setup,
    /// Whether the short form has it.
    pub is_short: bool,
    /// Whether it is made on kernels that are new enough to trace, and on others.
    pub kernels: (bool, bool),
}

const fn plain(name: &'static str, is_short: bool) -> Check {
    Check { name, setup: Setup::Plain, is_short, kernels: (true, false) }
}

/// All of them, in the order in which a machine makes them.
pub const CHECKS: [Check; 14] = [
    plain("check", false),
    plain("truth", true),
    plain("strace", false),
    plain("cgroups", false),
    plain("denied", true),
    plain("verify", false),
    Check { kernels: (true, true), ..plain("enforce", false) },
    plain("no_btf", false),
    plain("capabilities", false),
    plain("container", true),
    plain("runc", false),
    plain("crun", false),
    Check { kernels: (false, true), ..plain("refused", false) },
    Check { setup: Setup::Preemptive, ..plain("storm", true) },
];

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As it should.
    Passed,
    /// Otherwise.
    Failed,
    /// Something that it needs was not there.
    Skipped,
}

impl Verdict {
    const ALL: [(Self, &'static str); 3] =
        [(Self::Passed, "pass"), (Self::Failed, "fail"), (Self::Skipped, "skip")];

    /// One word.
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(verdict, _)| *verdict == self).map_or("", |(_, word)| word)
    }
}

/// A line that the program in the machine reports.
#[derive(Clone, Debug, PartialEq)]
pub enum Report {
    /// A check ended.
    Ended {
        /// Which.
        check: String,
        /// How.
        verdict: Verdict,
        /// How long it took.
        seconds: f64,
        /// What went wrong, or what is missing.
        story: String,
    },
    /// Figures for people.
    Figures(String),
    /// All checks were made.
    Done,
}

impl Report {
    /// One line, without its end.
    pub fn line(&self) -> String {
        let value = match self {
            Self::Ended { check, verdict, seconds, story } => {
                json!({ "check": check, "verdict": verdict.word(), "seconds": seconds, "story": story })
            }
            Self::Figures(text) => json!({ "figures": text }),
            Self::Done => json!({ "done": true }),
        };
        value.to_string()
    }

    /// What a line says; nothing when it is none of these.
    pub fn parse(line: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(line.trim()).ok()?;
        let text = |name: &str| Some(value[name].as_str()?.to_owned());
        if value["done"] == true {
            return Some(Self::Done);
        }
        if let Some(figures) = text("figures") {
            return Some(Self::Figures(figures));
        }
        let word = text("verdict")?;
        let (verdict, _) = Verdict::ALL.into_iter().find(|(_, name)| *name == word)?;
        let seconds = value["seconds"].as_f64()?;
        Some(Self::Ended { check: text("check")?, verdict, seconds, story: text("story")? })
    }
}
