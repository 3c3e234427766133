//! `tracer lint`: what is wrong with profiles, and the corrected files.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::{
    decisions::linting::{self, LintedDecisions},
    environment::owner,
    exit::Exit,
    input::{self, ExpectedFile},
    usage::usage,
};
use crate::{
    cli::{FailOn, FixLevel, Lint, LintFormat},
    json,
    message::{print, print_err},
    output::{Destination, formats::PROFILE},
    text::escape_path,
    workbench::lint::{
        LintReport,
        consumer::Audience,
        finding::Severity,
        fixing::{self, Extent, Fixed},
        lint,
        report::{self, LintedFile},
    },
};

/// The columns of a line where nobody says how many there are.
const COLUMNS: usize = 80;

/// A file with what was found in it.
struct File {
    /// None of a file of decisions.
    path: Option<PathBuf>,
    name: String,
    text: String,
    report: LintReport,
}

/// Checks the files.
///
/// # Errors
/// The options cannot be meant, or nothing can be printed. A file that cannot be read or written is
/// named in the output, and the exit code says so.
pub fn run(options: &Lint) -> Result<Exit> {
    let audience = Audience::parse(&options.audience).map_err(|error| usage(&error))?;
    let is_input = |path: &Path| path == Path::new("-");
    if options.fix.is_some()
        && options.files.len() > 1
        && options.files.iter().any(|path| is_input(path))
    {
        return Err(usage(&"--fix of standard input prints the profile: name no other file"));
    }
    let (mut files, mut failed) = (Vec::new(), false);
    for path in &options.files {
        match lint_file(path, options, &audience) {
            Ok(file) => files.push(file),
            Err(error) => {
                print_err(&format!("error: {error:#}"));
                failed = true;
            }
        }
    }
    match decisions(options, &files) {
        Ok(linted) => files.extend(linted),
        Err(error) => {
            print_err(&format!("error: {error:#}"));
            failed = true;
        }
    }
    let text = written(&files, options.format());
    match options.fix {
        // The corrected text is what was asked for.
        Some(_) if options.files.iter().any(|path| is_input(path)) => print_err(&text),
        _ => print(&text).context("the standard output could not be written")?,
    }
    if failed {
        return Ok(Exit::Failed);
    }
    let worst = files.iter().filter_map(|file| file.report.worst()).max();
    let limit = match options.fail_on {
        FailOn::Error => Severity::Error,
        FailOn::Warning => Severity::Warning,
    };
    Ok(if worst.is_some_and(|worst| worst >= limit) { Exit::Findings } else { Exit::Complete })
}

/// Checks a file. With `--fix`, corrects it first: the findings are then those that are left.
fn lint_file(path: &Path, options: &Lint, audience: &Audience) -> Result<File> {
    let mut bytes = input::read(ExpectedFile::Profile, path)?;
    if let Some(extent) = options.fix {
        let extent = match extent {
            FixLevel::Safe => Extent::Safe,
            FixLevel::All => Extent::All,
        };
        let fixed = fixing::fix(&bytes, audience, extent);
        if path == Path::new("-") {
            let text = fixed.as_ref().map_or(bytes.as_slice(), |fixed| fixed.text.as_bytes());
            print(&String::from_utf8_lossy(text))
                .context("the standard output could not be written")?;
        } else if let Some(fixed) = &fixed {
            replace(path, fixed)?;
        }
        if let Some(fixed) = fixed {
            bytes = fixed.text.into_bytes();
        }
    }
    let report = lint(&bytes, audience);
    let name = if path == Path::new("-") { "stdin".to_owned() } else { escape_path(path).into() };
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Ok(File { path: Some(path.to_owned()), name, text, report })
}

/// Checks the decisions that count for the files.
fn decisions(options: &Lint, files: &[File]) -> Result<Vec<File>> {
    let profiles = files.iter().filter_map(|file| Some((file.path.as_deref()?, &*file.text)));
    let linted = linting::lint_decisions(&options.decisions, &profiles.collect::<Vec<_>>())?;
    let file = |LintedDecisions { name, text, report }| File { path: None, name, text, report };
    Ok(linted.into_iter().map(file).collect())
}

/// Writes a corrected file; what it was is kept.
fn replace(path: &Path, fixed: &Fixed) -> Result<()> {
    let name = escape_path(path);
    let writing = || format!("{name} could not be corrected");
    let destination = Destination::prepare(path, owner()).and_then(Destination::keeping_profiles);
    let destination = destination.with_context(writing)?;
    destination.write(&[(PROFILE, fixed.text.as_bytes())]).with_context(writing)?;
    let changes: Vec<String> =
        fixed.changes.iter().map(|(code, count)| format!("{code} ({count})")).collect();
    let old =
        destination.old_of(PROFILE).map(|old| format!("; {} is what it was", escape_path(&old)));
    print_err(&format!("{name}: corrected: {}{}", changes.join(", "), old.unwrap_or_default()));
    Ok(())
}

fn written(files: &[File], format: LintFormat) -> String {
    let linted: Vec<LintedFile<'_>> = files
        .iter()
        .map(|File { name, text, report, .. }| LintedFile { name, text, report })
        .collect();
    match format {
        LintFormat::Text => {
            let columns = columns();
            let texts: Vec<String> =
                linted.iter().map(|file| report::text::write(file, columns)).collect();
            texts.join("\n")
        }
        LintFormat::Json => json::pretty(&report::json::output(&linted)),
        LintFormat::Sarif => json::pretty(&report::sarif::log(&linted)),
        LintFormat::Github => linted.iter().map(report::github::write).collect(),
    }
}

/// The width of the terminal.
fn columns() -> usize {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok();
    size.map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0).unwrap_or(COLUMNS)
}
