//! Running children: one line for each step, and the whole story when one fails.

use std::{
    fmt::Write as _,
    io::{self, IsTerminal as _, Write as _},
    process::{Command, Output, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

/// Runs a child and returns what it wrote to standard output. Prints nothing.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = capture(command)?;
    if !output.status.success() {
        bail!("{}", failure(command, &output));
    }
    text(output.stdout, command)
}

/// Runs a child as a step whose output matters only when it fails.
pub(crate) fn quiet(title: &str, command: &mut Command) -> Result<()> {
    step(title, command).map(drop)
}

/// Runs a child as a step whose standard error is shown also when it succeeds. Returns its standard
/// output.
pub(crate) fn diagnosed(title: &str, command: &mut Command) -> Result<String> {
    let output = step(title, command)?;
    eprint!("{}", String::from_utf8_lossy(&output.stderr));
    text(output.stdout, command)
}

/// Runs a child as a step whose output the caller wants to see as it comes.
pub(crate) fn streamed(title: &str, command: &mut Command) -> Result<()> {
    eprintln!("{title}");
    let started = Instant::now();
    let status =
        command.status().with_context(|| format!("failed to start: {}", describe(command)))?;
    let seconds = started.elapsed().as_secs_f32();
    if !status.success() {
        eprintln!("{title}: failed ({seconds:.1} s)");
        bail!("{status}: {}", describe(command));
    }
    eprintln!("{title}: ok ({seconds:.1} s)");
    Ok(())
}

/// Does a piece of work as a step: its title first, then how it ended and how long it took, on one
/// line. On a terminal the line shows the time as it passes.
fn with_progress<T>(title: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let started = Instant::now();
    let on_terminal = io::stderr().is_terminal();
    let (done, is_done) = mpsc::channel::<()>();
    eprint!("{title} ...");
    let result = thread::scope(|scope| {
        if on_terminal {
            scope.spawn(move || {
                while is_done.recv_timeout(Duration::from_secs(1)) == Err(RecvTimeoutError::Timeout)
                {
                    // A closed standard error must not end the work.
                    let seconds = started.elapsed().as_secs();
                    let _ = write!(io::stderr(), "\r{title} ... {seconds} s");
                }
            });
        }
        let result = work();
        drop(done);
        result
    });
    let word = if result.is_ok() { "ok" } else { "failed" };
    let start = if on_terminal { format!("\r{title} ...") } else { String::new() };
    eprintln!("{start} {word} ({:.1} s)", started.elapsed().as_secs_f32());
    result
}

/// A command line that can be pasted into a shell, with the variables that are set for it.
pub(crate) fn describe(command: &Command) -> String {
    let mut line = String::new();
    if let Some(directory) = command.get_current_dir() {
        let _ = write!(line, "cd {} && ", quoted(&directory.to_string_lossy()));
    }
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            let value = quoted(&value.to_string_lossy());
            let _ = write!(line, "{}={value} ", name.display());
        }
    }
    line.push_str(&quoted(&command.get_program().to_string_lossy()));
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&quoted(&argument.to_string_lossy()));
    }
    line
}

fn step(title: &str, command: &mut Command) -> Result<Output> {
    with_progress(title, || {
        let output = capture(command)?;
        if output.status.success() { Ok(output) } else { bail!("{}", failure(command, &output)) }
    })
}

fn capture(command: &mut Command) -> Result<Output> {
    command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("failed to start: {}", describe(command)))
}

fn text(bytes: Vec<u8>, command: &Command) -> Result<String> {
    String::from_utf8(bytes)
        .with_context(|| format!("printed invalid UTF-8: {}", describe(command)))
}

fn failure(command: &Command, output: &Output) -> String {
    let mut story = format!("{}: {}", output.status, describe(command));
    for stream in [&output.stdout, &output.stderr] {
        // Cargo's messages for programs repeat in JSON what it prints for people on standard error.
        for line in String::from_utf8_lossy(stream).lines().filter(|line| !line.starts_with('{')) {
            story.push('\n');
            story.push_str(line);
        }
    }
    story
}

/// A word as bash reads it. The flags for the compiler are separated by a control character.
fn quoted(word: &str) -> String {
    let is_plain =
        |character: char| character.is_ascii_alphanumeric() || "-_./=:,+@%".contains(character);
    if word.contains(|character: char| character.is_ascii_control()) {
        return format!("$'{}'", word.chars().map(escaped).collect::<String>());
    }
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

fn escaped(character: char) -> String {
    match character {
        '\\' | '\'' => format!("\\{character}"),
        _ if character.is_ascii_control() => format!("\\x{:02x}", u32::from(character)),
        _ => character.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_described_command_can_be_pasted() {
        let mut command = Command::new("ls");
        command.args(["-l", "it's here", ""]).env("A", "b c").env_remove("D").current_dir("/tmp");
        assert_eq!(describe(&command), r"cd /tmp && A='b c' ls -l 'it'\''s here' ''");
    }

    #[test]
    fn control_characters_survive_the_shell() {
        assert_eq!(quoted("a\x1f'b\\"), r"$'a\x1f\'b\\'");
    }

    #[test]
    fn a_failure_has_the_status_the_command_and_the_output() -> Result<()> {
        let mut command = Command::new("sh");
        command.args(["-c", "echo out; echo err >&2; exit 3"]);
        let Err(error) = output(&mut command) else { bail!("exit status 3 went unnoticed") };
        let story = error.to_string();
        for part in ["exit status: 3", "sh -c", "\nout", "\nerr"] {
            assert!(story.contains(part), "{part:?} is not in {story:?}");
        }
        Ok(())
    }
}
