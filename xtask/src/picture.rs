//! `cargo xtask picture`: the terminal of a real run, as the picture in the README.

use std::{fs, io::Read as _, path::Path};

use anstyle_svg::Term;
use anyhow::{Context as _, Result, bail};

use crate::{command::describe, ebpf, program, root, workspace::Workspace};

/// The picture, by its path below the workspace.
const PICTURE: &str = "docs/terminal.svg";
/// What is traced, and where the profile goes. The command prints the same on every machine.
const ARGUMENTS: [&str; 7] = ["--user", "nobody", "--out", "profile.json", "--", "id", "-un"];
/// What colours the output of a program whose standard streams are no terminal.
const COLORS: [(&str, &str); 2] = [("TRACER_COLOR", "always"), ("CLICOLOR_FORCE", "1")];
/// The columns of the terminal. A page shows this many without making the letters small.
const COLUMNS: usize = 100;
/// A long list of syscalls loses its middle: this many lines stay at each end.
const KEPT: usize = 5;
/// The most bytes of a picture that a page loads.
const MOST_BYTES: usize = 30 * 1024;

/// Runs tracer as root, and draws what it printed.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    ebpf::build(workspace)?;
    let tracer = program::tracer(workspace, false)?;
    let printed = printed(workspace, &tracer)?;
    let typed = format!("$ sudo tracer {}\n", ARGUMENTS.join(" "));
    let picture = draw(&format!("{typed}{}", shortened(&printed)));
    if picture.len() > MOST_BYTES {
        bail!("the picture has {} bytes, {MOST_BYTES} are enough", picture.len());
    }
    let path = workspace.root().join(PICTURE);
    fs::write(&path, &picture).with_context(|| format!("failed to write {}", path.display()))?;
    println!("{}  {} bytes", path.display(), picture.len());
    Ok(())
}

/// What a run prints on both of its streams, in the order of time.
fn printed(workspace: &Workspace, tracer: &Path) -> Result<String> {
    let directory = workspace.target().join("picture");
    if directory.exists() {
        fs::remove_dir_all(&directory)
            .with_context(|| format!("failed to remove {}", directory.display()))?;
    }
    fs::create_dir_all(&directory)
        .with_context(|| format!("failed to create the directory {}", directory.display()))?;
    let variables = COLORS.map(|(name, value)| (name, value.into()));
    let variables = variables.into_iter().chain([("COLUMNS", COLUMNS.to_string().into())]);
    let mut command = root::command(workspace, tracer, variables)?;
    let (mut reader, writer) = std::io::pipe().context("failed to make a pipe")?;
    let other = writer.try_clone().context("failed to copy the end of a pipe")?;
    command.args(ARGUMENTS).current_dir(&directory).stdout(writer).stderr(other);
    let line = describe(&command);
    let mut child = command.spawn().with_context(|| format!("failed to start: {line}"))?;
    // It holds the ends of the pipe that are written to.
    drop(command);
    let mut printed = String::new();
    reader.read_to_string(&mut printed).with_context(|| format!("the output of: {line}"))?;
    let status = child.wait().with_context(|| format!("failed to wait for: {line}"))?;
    if !status.success() {
        bail!("{status}: {line}\n{printed}");
    }
    Ok(printed)
}

/// The output without the middle of the list of syscalls, whose lines begin with a time.
fn shortened(printed: &str) -> String {
    let is_call = |line: &str| without_style(line).starts_with('+');
    let calls = printed.lines().filter(|line| is_call(line)).count();
    let mut at = 0;
    let mut kept = Vec::new();
    for line in printed.lines() {
        if is_call(line) {
            at += 1;
            if at == KEPT + 1 && calls > 2 * KEPT {
                kept.push(format!("... ({} more)", calls - 2 * KEPT));
            }
            if at > KEPT && at + KEPT <= calls {
                continue;
            }
        }
        kept.extend(folded(line));
    }
    kept.join("\n") + "\n"
}

/// A line in as many as it takes, broken between words. Styles take no column.
fn folded(line: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut column = 0;
    for word in line.split_inclusive(' ') {
        let width = without_style(word).trim_end().chars().count();
        if column > 0 && column + width > COLUMNS {
            lines.push(String::new());
            column = 0;
        }
        column += without_style(word).chars().count();
        if let Some(last) = lines.last_mut() {
            last.push_str(word);
        }
    }
    lines
}

/// The text without its escape sequences for style, which end with `m`.
fn without_style(text: &str) -> String {
    let mut parts = text.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |plain, part| {
        plain + part.split_once('m').map_or("", |(_, following)| following)
    })
}

fn draw(text: &str) -> String {
    Term::new().render_svg(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOLD: &str = "\u{1b}[1m";
    const PLAIN: &str = "\u{1b}[0m";

    #[test]
    fn the_middle_of_a_long_list_is_left_out() {
        let calls: Vec<String> = (0..12).map(|at| format!("{BOLD}+0.{at}s{PLAIN} read")).collect();
        let text = format!("recording\n{}\ncomplete", calls.join("\n"));
        let lines: Vec<String> = shortened(&text).lines().map(without_style).collect();
        assert_eq!(lines.len(), 1 + KEPT + 1 + KEPT + 1);
        assert_eq!(lines[KEPT + 1], "... (2 more)");
        assert_eq!((lines[KEPT].as_str(), lines[KEPT + 2].as_str()), ("+0.4s read", "+0.7s read"));
        let short = "recording\n+0.1s read\ncomplete\n";
        assert_eq!(shortened(short), short);
    }

    #[test]
    fn a_long_line_is_folded_between_words() {
        let line = format!("{BOLD}{}{PLAIN}", "word ".repeat(30));
        let lines = folded(&line);
        assert_eq!(lines.concat(), line);
        let widths: Vec<usize> =
            lines.iter().map(|line| without_style(line).trim_end().len()).collect();
        assert_eq!(widths, [99, 49]);
    }

    #[test]
    fn names_are_no_markup_of_the_picture() {
        let picture = draw("<script>&\n");
        assert!(picture.contains("&lt;script&gt;&amp;"), "{picture}");
    }
}
