//! `tracer completions`: what a shell makes of the script.

use std::process::Command;

use clap_complete::Shell;
use tests::{temporary_directory, tool};
use tracer::command::completions::script;

tests::trials! {
    bash_completes_commands_options_and_values,
    each_shell_has_a_script,
}

/// What bash offers for the last of these words.
fn offered(words: &[&str]) -> Vec<String> {
    let directory = temporary_directory();
    let path = directory.path().join("tracer.bash");
    std::fs::write(&path, script(Shell::Bash).expect("a script")).expect("written");
    let last = words.len() - 1;
    let ask = format!(
        r#"set -u; source "$1"; COMP_WORDS=({}); COMP_CWORD={last}; COMPREPLY=()
        _tracer tracer "${{COMP_WORDS[{last}]}}" "${{COMP_WORDS[{last} - 1]}}"
        printf '%s\n' "${{COMPREPLY[@]}}""#,
        words.join(" ")
    );
    let bash = tool("bash").expect("bash is part of every Debian");
    let output = Command::new(bash).args(["--norc", "-c", &ask, "bash"]).arg(&path).output();
    let output = output.expect("bash runs");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{words:?}");
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

fn bash_completes_commands_options_and_values() {
    assert_eq!(offered(&["tracer", "ver"]), ["verify"]);
    assert_eq!(offered(&["tracer", "--until"]), ["--until-quiet"]);
    assert_eq!(offered(&["tracer", "list", "--js"]), ["--json"]);
    assert_eq!(offered(&["tracer", "completions", "fi"]), ["fish"]);
    let all = offered(&["tracer", "\"\""]);
    assert!(!all.iter().any(|word| word.contains("internal")), "{all:?}");
}

fn each_shell_has_a_script() {
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::Elvish, Shell::PowerShell] {
        let script = script(shell).expect("a script");
        assert!(script.contains("until-quiet"), "{shell}");
    }
}
