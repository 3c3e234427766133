//! `tracer man-pages`: the manual, a page for the program and one for each of its commands.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use clap::{Command, CommandFactory as _};
use clap_mangen::Man;

use super::Exit;
use crate::{
    cli::{Cli, ManPages},
    message::print,
    text::escape,
};

/// The section of the manual for commands of the system administrator (man-pages(7)).
const SECTION: &str = "8";

/// A page of the manual.
struct Page {
    /// The name of its file, as man(1) looks for it.
    file: String,
    /// In the language of man(7).
    text: Vec<u8>,
}

/// Writes the pages to a directory, which is made when it does not exist.
///
/// # Errors
/// The directory or a file cannot be written.
pub fn run(options: &ManPages) -> Result<Exit> {
    let directory = &options.directory;
    let shown = |path: &Path| escape(&path.to_string_lossy());
    fs::create_dir_all(directory)
        .with_context(|| format!("failed to make the directory {}", shown(directory)))?;
    for page in pages()? {
        let path = directory.join(&page.file);
        fs::write(&path, &page.text)
            .with_context(|| format!("failed to write {}", shown(&path)))?;
        print(&format!("{}\n", shown(&path)))
            .context("the standard output could not be written")?;
    }
    Ok(Exit::Complete)
}

/// All pages, that of the program first.
fn pages() -> Result<Vec<Page>> {
    let mut program = Cli::command().disable_help_subcommand(true);
    // Gives the commands the names by which they are called.
    program.build();
    let commands = program.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    let commands: Vec<Command> = commands.collect();
    let mut pages = vec![page(program, "tracer".to_owned())?];
    for command in commands {
        let name = format!("tracer-{}", command.get_name());
        pages.push(page(command, name)?);
    }
    Ok(pages)
}

fn page(command: Command, name: String) -> Result<Page> {
    let file = format!("{name}.{SECTION}");
    let man = Man::new(command.display_name(name.clone())).title(name).section(SECTION);
    let mut text = Vec::new();
    man.render(&mut text).with_context(|| format!("failed to make the page {file}"))?;
    Ok(Page { file, text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_has_a_page_with_all_its_options() {
        let pages = pages().expect("the pages are made");
        let mut program = Cli::command();
        program.build();
        let text_of = |file: &str| {
            let page = pages.iter().find(|page| page.file == file).expect(file);
            String::from_utf8(page.text.clone()).expect("text").replace("\\-", "-")
        };
        assert!(text_of("tracer.8").contains("--until-quiet"));
        for command in program.get_subcommands().filter(|one| one.get_name() != "help") {
            let file = format!("tracer-{}.8", command.get_name());
            if command.is_hide_set() {
                assert!(!pages.iter().any(|page| page.file == file), "{file}");
                continue;
            }
            let text = text_of(&file);
            for option in command.get_arguments().filter(|one| !one.is_hide_set()) {
                let Some(long) = option.get_long() else { continue };
                assert!(text.contains(&format!("--{long}")), "{file}: --{long}");
            }
        }
    }
}
