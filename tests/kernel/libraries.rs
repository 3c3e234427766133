//! A profile that was learned with one C library, and a program with another one.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use tests::{Outcome, Stop, Tracer, temporary_directory, tool};

tests::trials! {
    what_was_learned_with_glibc_serves_musl,
    what_was_learned_with_musl_serves_glibc,
}

const SIGSYS: i32 = 31;

/// The same program with both libraries.
struct Programs {
    directory: TempDir,
}

impl Programs {
    fn compile() -> Result<Self, Stop> {
        let programs = Self { directory: temporary_directory() };
        for (compiler, name, link) in [("cc", "glibc", "-pthread"), ("musl-gcc", "musl", "-static")]
        {
            let compiler = tool(compiler).map_err(Stop::Skip)?;
            let mut command = Command::new(&compiler);
            command.args(["-O1", "fixtures/streams.c", link, "-o"]).arg(programs.path(name));
            let output = command.output().expect("the compiler starts");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(programs)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

/// Learns with one program, and gives the path of a profile that kills.
fn learn(program: &Path, directory: &Path, arguments: &[&str]) -> PathBuf {
    let program = program.to_str().expect("the path is text");
    let learned = Tracer::new()
        .args(["--default-action", "kill-process", "--runtime", "none"])
        .args(arguments)
        .command([program])
        .run()
        .exits(0);
    let path = directory.join("profile.json");
    fs::copy(learned.directory().join("profile.json"), &path).expect("the profile is copied");
    path
}

fn enforce(profile: &Path, program: &Path) -> Outcome {
    let [profile, program] = [profile, program].map(|path| path.to_str().expect("text"));
    Tracer::new().without_out().args(["enforce", "--profile", profile]).command([program]).run()
}

/// With `--alternatives` it serves the other program, and without it does not.
fn serves(from: &str, to: &str) -> Result<(), Stop> {
    let programs = Programs::compile()?;
    let [learned, other] = [from, to].map(|name| programs.path(name));
    let profile = learn(&learned, programs.directory.path(), &["--alternatives"]);
    for program in [&learned, &other] {
        let outcome = enforce(&profile, program).exits(0);
        assert_eq!(outcome.stdout, "done\n", "{}", program.display());
    }
    let profile = learn(&learned, programs.directory.path(), &[]);
    assert_eq!(enforce(&profile, &learned).exits(0).stdout, "done\n");
    let killed = enforce(&profile, &other);
    assert_eq!(killed.status.signal(), Some(SIGSYS), "{}", killed.status);
    Ok(())
}

fn what_was_learned_with_glibc_serves_musl() -> Result<(), Stop> {
    serves("glibc", "musl")
}

fn what_was_learned_with_musl_serves_glibc() -> Result<(), Stop> {
    serves("musl", "glibc")
}
