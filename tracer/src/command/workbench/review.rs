//! `tracer review`: asks about the syscalls of a profile that nobody decided about, and writes the
//! answers to `tracer.toml`.

mod answer;
mod store;

use std::{
    io::{self, BufRead, Write},
    path::Path,
};

use anyhow::{Context, Result};

use self::{
    answer::{InputLine, Reply, ask},
    store::Store,
};
use super::{
    explain::{derive, reasons},
    input::Input,
    width::columns,
};
use crate::{
    cli,
    command::{Exit, capabilities::CapabilityBasis, decisions::today, recordings, usage::usage},
    message::print_err,
    profile::{Derivation, policy::Policy},
    recording::Recording,
    text::escape_path,
    workbench::{
        decisions::NewDecision,
        explain::{
            ExplainSubject,
            one::{self, Explained},
            render,
        },
        review::{Questions, questions},
    },
};

/// Asks on the terminal; standard input that is none has the answers as lines.
///
/// # Errors
/// See [`review`].
pub fn run(options: &cli::Review) -> Result<Exit> {
    review(options, &mut io::stdin().lock(), &mut io::stdout().lock())
}

/// Asks, and takes the answers from anywhere.
///
/// # Errors
/// A file cannot be read or written, or nothing can be asked.
pub fn review(
    options: &cli::Review,
    answers: &mut dyn BufRead,
    questions: &mut dyn Write,
) -> Result<Exit> {
    if options.file == Path::new("-") {
        return Err(usage(&"`-` cannot be reviewed, because standard input has the answers"));
    }
    let basis = match &options.caps {
        Some(typed) => CapabilityBasis::typed(typed)?,
        None => CapabilityBasis::assumed(),
    };
    let reviewed = Reviewed::read(&options.file, &basis)?;
    let mut store = Store::open(options.decisions_file.as_deref(), &options.file, today())?;
    let found = reviewed.questions(&store);
    let decided = talk(&reviewed, &found, &mut store, (answers, questions))?;
    print_err(&closing(&found, decided, &store));
    Ok(Exit::Complete)
}

/// What is reviewed.
struct Reviewed {
    name: String,
    policy: Policy,
    recording: Option<Recording>,
    derivation: Option<Derivation>,
    is_derived: bool,
}

impl Reviewed {
    fn read(path: &Path, basis: &CapabilityBasis) -> Result<Self> {
        Ok(match Input::read(path, basis)? {
            Input::Profile { name, policy } => {
                let recording = recordings::beside(path);
                let derivation =
                    recording.as_ref().and_then(|recording| derive(recording, None).ok());
                Self { name, policy, recording, derivation, is_derived: false }
            }
            Input::Recording { name, recording } => {
                let derivation = derive(&recording, None).with_context(|| name.clone())?;
                let (policy, recording) = (derivation.profile.policy(), Some(*recording));
                Self { name, policy, recording, derivation: Some(derivation), is_derived: true }
            }
        })
    }

    fn questions(&self, store: &Store) -> Questions {
        questions(&self.policy, self.recording.as_ref(), |name| store.is_decided(name))
    }

    /// What is known of a syscall.
    fn explained(&self, name: &str) -> Option<Explained> {
        let subject = ExplainSubject {
            name: &self.name,
            policy: &self.policy,
            recording: self.recording.as_ref(),
            is_derived: self.is_derived,
        };
        let reasons = reasons(&subject, name, self.derivation.as_ref());
        one::explain(&subject, name, reasons)
    }
}

/// Asks one question after the other; how many were answered by a decision.
fn talk(
    reviewed: &Reviewed,
    found: &Questions,
    store: &mut Store,
    (answers, questions): (&mut dyn BufRead, &mut dyn Write),
) -> Result<usize> {
    let (mut decided, count) = (0, found.syscalls.len());
    for (at, (name, cause)) in found.syscalls.iter().enumerate() {
        let mut text = format!("{} of {count}: {name}: {cause}\n", at + 1);
        if let Some(explained) = reviewed.explained(name) {
            text.push_str(&render::one(&reviewed.name, &explained, columns()));
        }
        if let Some(ended) = store.ended(name) {
            text.push_str(&format!("decided before: {ended}; this has ended\n"));
        }
        say(questions, &text)?;
        let answer = ask(today(), |prompt| {
            say(questions, prompt)?;
            InputLine::read(answers).context("the answers could not be read")
        })?;
        match answer {
            Reply::Decided { choice, because, until } => {
                store.add(&NewDecision { choice, syscall: name, because: &because, until })?;
                decided += 1;
            }
            Reply::Skip => {}
            Reply::Quit => break,
        }
        say(questions, "\n")?;
    }
    Ok(decided)
}

fn say(questions: &mut dyn Write, text: &str) -> Result<()> {
    let said = questions.write_all(text.as_bytes()).and_then(|()| questions.flush());
    said.context("the standard output could not be written")
}

/// What came of it.
fn closing(found: &Questions, decided: usize, store: &Store) -> String {
    let path = escape_path(store.path());
    let left = found.syscalls.len() - decided;
    let mut text = match (decided, left) {
        (0, 0) => "nothing is left to decide\n".to_owned(),
        (0, left) => format!("nothing was decided; undecided: {left}\n"),
        (decided, 0) => format!("{path}: decisions written: {decided}; nothing is undecided\n"),
        (decided, left) => {
            format!("{path}: decisions written: {decided}; undecided: {left}\n")
        }
    };
    if !found.for_some_arguments.is_empty() {
        text.push_str(&format!(
            "note: a default refuses some arguments of {}: a decision is about whole syscalls, and none was asked for\n",
            found.for_some_arguments.join(", ")
        ));
    }
    if decided > 0 {
        text.push_str("hint: derive the profile again, and the decisions are in it: `tracer profile NAME.recording.json -o NAME.json`\n");
    }
    text
}
