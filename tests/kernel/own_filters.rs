//! Programs that load filters of their own: under a profile that is enough for them, `tracer
//! verify` finds nothing.

use std::process::Command;

use tests::{Outcome, Stop, Tracer, temporary_directory, tool};

tests::trials! {
    firejail_under_its_learned_profile_is_green,
}

/// Runs the words under tracer; the exit status is tracer's own.
fn run(arguments: &[&str], words: &[&str]) -> Outcome {
    Tracer::new().without_out().args(arguments).args(["--ignore-status"]).command(words).run()
}

fn firejail_under_its_learned_profile_is_green() -> Result<(), Stop> {
    tool("firejail").map_err(Stop::Skip)?;
    let words =
        ["firejail", "--quiet", "--noprofile", "--seccomp", "sh", "-c", "mount -t tmpfs x /mnt"];
    let answers = Command::new(words[0]).args(&words[1..4]).arg("true").output();
    if !answers.is_ok_and(|output| output.status.success()) {
        return Err(Stop::Skip("firejail makes no sandbox here".to_owned()));
    }
    let directory = temporary_directory();
    let profile = directory.path().join("learned.json");
    let profile = profile.to_str().expect("text");
    let recordings: Vec<String> = (0..3)
        .map(|number| {
            let out = directory.path().join(format!("{number}.json")).display().to_string();
            run(&["--out", &out], &words).exits(0);
            out.replace(".json", ".recording.json")
        })
        .collect();
    let arguments = recordings.iter().map(String::as_str);
    let options = ["--out", profile, "--include", "mount", "--alternatives", "--error-paths"];
    Tracer::new().without_out().args(["profile"]).args(arguments).args(options).run().exits(0);
    run(&["verify", profile], &words).exits(0).says(&[
        "refused by another filter",
        "mount(",
        " = EPERM  mount[",
        "nothing was denied by the profile",
    ]);
    Ok(())
}
