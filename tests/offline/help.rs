//! What `--help` says, word for word: golden files. `BLESS=1` writes them anew.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::Path;

use clap::{Command, CommandFactory};
use tracer::cli::Cli;

tests::trials! {
    help_is_as_agreed,
    every_option_says_what_it_does,
}

const DIRECTORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/offline/golden/help");

/// The help of the command and of those below it, by file name.
fn collect(command: &mut Command, name: &str, found: &mut BTreeMap<String, String>) {
    let help = command.render_long_help().to_string();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    found.insert(format!("{name}.txt"), lines.join("\n") + "\n");
    for below in command.get_subcommands_mut() {
        if !below.is_hide_set() && below.get_name() != "help" {
            let name = format!("{name}-{}", below.get_name());
            collect(below, &name, found);
        }
    }
}

fn help_is_as_agreed() {
    let mut command = Cli::command().term_width(100);
    command.build();
    let mut found = BTreeMap::new();
    collect(&mut command, "tracer", &mut found);

    let directory = Path::new(DIRECTORY);
    if env::var_os("BLESS").is_some() {
        fs::create_dir_all(directory).expect("the directory of golden files can be made");
        for name in tests::file_names(directory) {
            fs::remove_file(directory.join(name)).expect("an old golden file can be removed");
        }
        for (name, text) in &found {
            fs::write(directory.join(name), text).expect("a golden file can be written");
        }
    }
    let names: Vec<&str> = found.keys().map(String::as_str).collect();
    assert_eq!(
        tests::file_names(directory),
        names,
        "one golden file each; BLESS=1 writes them anew"
    );
    for (name, text) in &found {
        let golden = fs::read_to_string(directory.join(name)).expect("a golden file can be read");
        assert_eq!(*text, golden, "{name} differs; BLESS=1 writes it anew");
    }
}

fn every_option_says_what_it_does() {
    fn check(command: &Command, silent: &mut Vec<String>) {
        for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
            if argument.get_help().is_none() {
                silent.push(format!("{} {}", command.get_name(), argument.get_id()));
            }
        }
        for below in command.get_subcommands() {
            check(below, silent);
        }
    }
    let mut silent = Vec::new();
    check(&Cli::command(), &mut silent);
    assert!(silent.is_empty(), "without a word of help: {silent:?}");
}
