//! What a traced command gets from tracer, which runs as root: nothing but what tracer itself was
//! given.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use tests::{Running, Stop, Tracer, cgroup_mount, tool, tracer_program};

tests::trials! {
    a_command_gets_no_descriptor_and_no_signal_mask_of_tracers,
    a_command_of_another_user_cannot_reach_tracer,
    the_cgroup_guard_by_hand_gives_nobody_more_than_they_have,
}

/// `nobody`
const USER: u32 = 65534;

fn a_command_gets_no_descriptor_and_no_signal_mask_of_tracers() -> Result<(), Stop> {
    let script = "echo descriptors $(for one in /proc/$$/fd/*; do readlink $one; done)
        grep -E '^Sig(Blk|Ign|Cgt)' /proc/self/status";
    let shell = tool("sh").map_err(Stop::Skip)?;
    let script = [shell.display().to_string(), "-c".into(), script.into()];
    let alone = Running::start(Command::new(&script[0]).args(&script[1..])).finish();
    let traced = Tracer::new().command(&script).run().exits(0);
    let lines = |text: &str| -> Vec<String> {
        let is_compared = |line: &&str| line.starts_with("descriptors") || line.starts_with("Sig");
        // Pipes have numbers of their own.
        let kind = |word: &str| word.split(":[").next().unwrap_or_default().to_owned();
        let kinds = |line: &str| line.split(' ').map(kind).collect::<Vec<_>>().join(" ");
        text.lines().filter(is_compared).map(kinds).map(without_the_c_librarys).collect()
    };
    let (alone, traced) = (String::from_utf8_lossy(&alone.stdout).into_owned(), traced.stdout);
    assert_eq!(lines(&traced), lines(&alone), "as without tracer");
    assert_eq!(lines(&traced).len(), 4, "{traced}");
    Ok(())
}

/// Signals 32 to 34 belong to the C library, which takes them over when a program has threads
/// (`nptl(7)`; musl's `pthread_impl.h`): each program's own library sets them anew.
fn without_the_c_librarys(line: String) -> String {
    const INTERNAL: u64 = 0b111 << 31;
    match line.split_once(":\t") {
        Some((name, mask)) => {
            let mask = u64::from_str_radix(mask, 16).expect("a mask of signals");
            format!("{name}: {:x}", mask & !INTERNAL)
        }
        None => line,
    }
}

fn a_command_of_another_user_cannot_reach_tracer() -> Result<(), Stop> {
    let shell = tool("sh").map_err(Stop::Skip)?.display().to_string();
    // The command's parent is tracer; its cgroup is root's.
    let script = "head -c 1 /proc/$PPID/mem && echo read it
        kill -STOP $PPID && echo stopped it
        own=$(sed -n s/^0:://p /proc/self/cgroup)
        mkdir \"$1/$own/mine\" && echo made one
        echo $$ > \"$1/cgroup.procs\" && echo left
        echo ended";
    let mount = cgroup_mount().display().to_string();
    let command = [shell.as_str(), "-c", script, "sh", &mount];
    let outcome = Tracer::new().args(["--user", &USER.to_string()]).command(command).run().exits(0);
    assert_eq!(outcome.stdout.trim(), "ended", "{}", outcome.stderr);
    Ok(())
}

/// `internal-cgroup-guard` is for tracer itself; anyone may type it.
fn the_cgroup_guard_by_hand_gives_nobody_more_than_they_have() {
    let mut guard = Command::new(tracer_program());
    guard.arg("internal-cgroup-guard").uid(USER).gid(USER);
    let process = Running::start(&mut guard);
    let prefix = format!("tracer-{}-", process.id());
    let finished = process.finish();
    assert_eq!(finished.status.code(), Some(1), "{finished:?}");
    let names = fs::read_dir(cgroup_mount()).expect("it is mounted").flatten();
    let left = names.filter(|one| one.file_name().to_string_lossy().starts_with(&prefix)).count();
    assert_eq!(left, 0, "no cgroup is left");
}
