//! What is tried, and what came of it.

use std::fs;

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::{Value, json};

use super::container::{Ended, Installed, PROGRAM};
use crate::workspace::Workspace;

/// The status with which the program ends by itself.
const DONE: &str = "42";
/// A user that the root file system does not know.
const SOMEBODY: u32 = 1234;
/// What the program needs by itself.
const OF_THE_PROGRAM: [&str; 5] = ["execve", "exit", "exit_group", "pause", "rt_sigreturn"];
/// Calls that runc needs for one process and not for another, beside the required ones.
const BY_PROCESS: [&str; 4] = ["fchown", "fcntl", "epoll_ctl", "getpid"];
const ENOSYS: u32 = 38;
const EPERM: u32 = 1;

/// What the profile answers to the missing call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Answer {
    Enosys,
    Eperm,
    KillProcess,
    KillThread,
}

/// What is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Process {
    Root,
    User,
    NoNewPrivs,
}

/// The base set of a runtime, as tracer has it.
#[derive(Deserialize)]
pub(crate) struct Base {
    runtime: String,
    calls: Vec<Call>,
    #[serde(default)]
    optional: Vec<Call>,
}

#[derive(Deserialize)]
struct Call {
    name: String,
    #[serde(default)]
    required: bool,
}

/// Containers under one profile.
pub(crate) struct Attempt {
    call: String,
    answer: Answer,
    process: Process,
}

/// What came of one command of a runtime; one for each message.
pub(crate) struct Seen {
    pub(crate) runtime: String,
    pub(crate) version: String,
    pub(crate) call: String,
    pub(crate) answer: Answer,
    pub(crate) process: Process,
    pub(crate) stage: &'static str,
    /// None when the command did not end.
    pub(crate) status: Option<u8>,
    pub(crate) message: String,
    pub(crate) is_started: bool,
}

impl Answer {
    const ALL: [Self; 4] = [Self::Enosys, Self::Eperm, Self::KillProcess, Self::KillThread];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Enosys => "enosys",
            Self::Eperm => "eperm",
            Self::KillProcess => "kill-process",
            Self::KillThread => "kill-thread",
        }
    }

    fn action(self) -> &'static str {
        match self {
            Self::Enosys | Self::Eperm => "SCMP_ACT_ERRNO",
            Self::KillProcess => "SCMP_ACT_KILL_PROCESS",
            Self::KillThread => "SCMP_ACT_KILL_THREAD",
        }
    }
}

impl Process {
    const ALL: [Self; 3] = [Self::Root, Self::User, Self::NoNewPrivs];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::User => "user",
            Self::NoNewPrivs => "no-new-privs",
        }
    }

    pub(crate) fn user(self) -> u32 {
        if self == Self::Root { 0 } else { SOMEBODY }
    }

    pub(crate) fn has_no_new_privs(self) -> bool {
        self == Self::NoNewPrivs
    }
}

impl Base {
    pub(crate) fn read(workspace: &Workspace, runtime: &str) -> Result<Self> {
        let path = workspace.root().join(format!("profiles/runtime/{runtime}.json"));
        let text = fs::read_to_string(&path)
            .with_context(|| format!("failed to read {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} is no base set", path.display()))
    }

    /// Every attempt. crun is tried with all of it. runc takes seconds, and more when one of its
    /// threads is killed and the others wait: there, what no process needs is tried once.
    pub(crate) fn plan(&self) -> Vec<Attempt> {
        let mut plan = Vec::new();
        for process in Process::ALL {
            for answer in Answer::ALL {
                let calls = self.calls.iter().filter(|call| self.is_tried(call, answer, process));
                let attempt = |call: &Call| Attempt { call: call.name.clone(), answer, process };
                plan.extend(calls.map(attempt));
            }
        }
        plan
    }

    fn is_tried(&self, call: &Call, answer: Answer, process: Process) -> bool {
        let by_process = call.required || BY_PROCESS.contains(&call.name.as_str());
        match (self.runtime.as_str(), answer, process) {
            ("crun", ..) => true,
            (_, Answer::KillThread, process) => call.required && process == Process::Root,
            (_, _, Process::Root) => true,
            _ => by_process,
        }
    }

    /// The profile that allows everything that is needed but one call.
    fn profile_without(&self, missing: &str, answer: Answer) -> Value {
        let needed = self.calls.iter().map(|call| call.name.as_str()).chain(OF_THE_PROGRAM);
        let mut allowed: Vec<_> = needed.filter(|name| *name != missing).collect();
        allowed.sort_unstable();
        allowed.dedup();
        let mut profile = json!({
            "defaultAction": answer.action(),
            "architectures": ["SCMP_ARCH_X86_64"],
            "syscalls": [{ "names": allowed, "action": "SCMP_ACT_ALLOW" }],
        });
        match answer {
            Answer::Enosys => profile["defaultErrnoRet"] = ENOSYS.into(),
            Answer::Eperm => profile["defaultErrnoRet"] = EPERM.into(),
            // As tracer's own profiles: what the runtime only tries must not end it.
            _ if !self.optional.is_empty() => {
                let names: Vec<_> = self.optional.iter().map(|call| call.name.as_str()).collect();
                let rule =
                    json!({ "names": names, "action": "SCMP_ACT_ERRNO", "errnoRet": ENOSYS });
                profile["syscalls"].as_array_mut().expect("a list").push(rule);
            }
            _ => {}
        }
        profile
    }
}

impl Attempt {
    /// Runs one container, and creates, starts and enters another.
    pub(crate) fn perform(&self, base: &Base, runtime: &Installed) -> Result<Vec<Seen>> {
        let profile = base.profile_without(&self.call, self.answer);
        let mut seen = Vec::new();
        let mut note = |stage, ended: Ended, is_started| {
            seen.extend(self.seen(base, runtime, stage, ended, is_started));
        };
        // A killed thread leaves runc waiting: once is enough.
        if base.runtime == "crun" || self.answer != Answer::KillThread {
            let container = runtime.container(self.process, &[PROGRAM, "end"], &profile)?;
            let ended = container.command(&["run"], &[])?;
            let is_started = ended.status() == DONE;
            note("run", ended, is_started);
        }
        let container = runtime.container(self.process, &[PROGRAM], &profile)?;
        let created = container.command(&["create"], &[])?;
        if created.status() != "0" {
            note("create", created, false);
            return Ok(seen);
        }
        let mut ended = container.command(&["start"], &[])?;
        // What the created process wrote before it ended.
        ended.besides.extend(created.besides.iter().cloned());
        note("create", created, true);
        let is_started = container.runs_the_program(ended.status() == "0");
        note("start", ended, is_started);
        if is_started {
            let ended = container.command(&["exec"], &[PROGRAM, "end"])?;
            let is_started = ended.status() == DONE;
            note("exec", ended, is_started);
            if self.process == Process::Root {
                let user = format!("--user={SOMEBODY}:{SOMEBODY}");
                let ended = container.command(&["exec", &user], &[PROGRAM, "end"])?;
                let is_started = ended.status() == DONE;
                note("exec-user", ended, is_started);
            }
        }
        Ok(seen)
    }

    fn seen(
        &self,
        base: &Base,
        runtime: &Installed,
        stage: &'static str,
        ended: Ended,
        is_started: bool,
    ) -> Vec<Seen> {
        // The program is killed when it ends: that is not the runtime's.
        let of_the_program = ["exit", "exit_group"].contains(&self.call.as_str());
        let is_started = is_started || of_the_program && ended.message.is_empty();
        // What a command that worked writes is no error.
        let besides = if is_started { Vec::new() } else { ended.besides };
        let messages = [ended.message].into_iter().chain(besides);
        let seen = messages.map(|message| Seen {
            runtime: base.runtime.clone(),
            version: runtime.version.clone(),
            call: self.call.clone(),
            answer: self.answer,
            process: self.process,
            stage,
            is_started,
            status: ended.status,
            message,
        });
        seen.collect()
    }
}
