//! `tracer report`: what recordings show, as a page or in Markdown.

use std::path::Path;

use anyhow::{Context, Result};

use super::decided::{beside, tell};
use crate::{
    cli,
    command::{Exit, environment::owner, input, recordings, usage::usage},
    message::{print, print_err},
    output::SingleFile,
    profile::{DeriveError, Profile, ProfileOptions},
    recording::{contribution::Contributions, merge::merge},
    text::escape_path,
    workbench::report::{RecordingReport, ReportSources, html, markdown},
};

/// How a report is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// A page for a browser.
    Html,
    /// Markdown.
    Markdown,
}

/// Writes a report.
///
/// # Errors
/// A recording or the decisions cannot be read, no recording shows a workload, or the report cannot be written.
pub fn run(options: &cli::Report) -> Result<Exit> {
    let (form, prints) = (form(&options.out)?, options.out == Path::new("-"));
    let file = (!prints).then(|| SingleFile::prepare(&options.out, owner())).transpose()?;
    let recordings = recordings::read_all(&options.recordings)?;
    let contributions = Contributions::of(&recordings, false);
    let merged = merge(&recordings, false).context("no recording was named")?;
    let mut profile_options = ProfileOptions::default();
    if let Some(decisions) = beside(&options.decisions, options.recordings.first().map(Path::new))?
    {
        tell(&decisions);
        profile_options = decisions.apply(None, profile_options)?;
    }
    let derivation = Profile::derive(std::slice::from_ref(&merged), &profile_options);
    let derivation = derivation.map_err(|error| match error {
        DeriveError::NoWorkload { cgroups, .. } => {
            DeriveError::NoWorkload { recordings: recordings.len(), cgroups }
        }
    })?;
    let names: Vec<_> = options.recordings.iter().map(|path| input::name(path)).collect();
    let report = RecordingReport::of(&ReportSources {
        recordings: &recordings,
        names: &names,
        contributions: &contributions,
        merged: &merged,
        derivation: &derivation,
    });
    let text = match form {
        Form::Html => html::write(&report),
        Form::Markdown => markdown::write(&report),
    };
    match file {
        None => print(&text).context("the standard output could not be written")?,
        Some(file) => {
            file.write(text.as_bytes())?;
            let state = if merged.complete { "complete" } else { "incomplete: it says why" };
            print_err(&format!(
                "{}: the report of {}, {state}",
                escape_path(&options.out),
                report.title
            ));
        }
    }
    Ok(Exit::Complete)
}

/// The form that a file's name asks for.
fn form(out: &Path) -> Result<Form> {
    let ending = out.extension().and_then(|ending| ending.to_str()).map(str::to_lowercase);
    match ending.as_deref() {
        Some("html" | "htm") => Ok(Form::Html),
        Some("md" | "markdown") => Ok(Form::Markdown),
        None if out == Path::new("-") => Ok(Form::Markdown),
        _ => Err(usage(&format!(
            "the report {} ends neither in .html nor in .md\n\nhint: name it like report.html, a page for a browser, or report.md, Markdown for a pull request",
            escape_path(out)
        ))),
    }
}
