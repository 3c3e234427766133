//! A unit of systemd under the filter that `tracer convert` writes. The manager is one of a user,
//! with a `/run` and a cgroup of its own: it touches nothing else, and the machine need not run
//! systemd.

use std::fs;
use std::path::Path;
use std::process::Command;

use tests::{
    Cgroup, Running, Stop, WORKER, copy_program, require, succeed, temporary_directory, tool,
    tracer_program,
};

tests::trials! {
    a_unit_starts_under_what_is_converted,
}

/// What nginx was not learned with, and what it was.
const PROBED: [(&str, &str); 2] = [("symlink", "38"), ("mkdir", "0")];
/// Moves into a cgroup, and shows the rest nothing else of them: a manager moves whoever is in the
/// topmost cgroup that it sees.
const CONFINED: &str = "echo $$ >\"$0/cgroup.procs\" && \
    exec unshare --cgroup --mount --fork --kill-child sh -c \"$@\"";
/// Starts the unit in a manager that takes this machine for one that systemd booted
/// (`sd_booted(3)`), and ends with it. What the unit does to `/tmp` is gone then.
const MANAGER: &str = "mount -t cgroup2 none /sys/fs/cgroup && mount --bind \"$1\" /mnt && \
    mount -t tmpfs tmpfs /tmp && mount -t tmpfs tmpfs /run && \
    mkdir -p /run/systemd/system /run/user/0 && \
    XDG_RUNTIME_DIR=/run/user/0 XDG_CONFIG_HOME=/mnt exec \"$0\" --user --unit=web.service";

fn a_unit_starts_under_what_is_converted() -> Result<(), Stop> {
    let systemd = require!(tool("systemd"));
    require!(tool("unshare"));
    let directory = temporary_directory();
    let units = directory.path().join("systemd/user");
    fs::create_dir_all(units.join("web.service.d")).expect("directories");
    copy_program(WORKER, directory.path().join("worker"));
    let words: Vec<&str> = PROBED.iter().map(|(call, _)| *call).collect();
    let unit = format!(
        "[Unit]\nDefaultDependencies=no\nSuccessAction=exit\nFailureAction=exit\n\
         [Service]\nType=oneshot\nExecStart=/mnt/worker probe {}\nStandardOutput=file:/mnt/said\n",
        words.join(" ")
    );
    fs::write(units.join("web.service"), unit).expect("the unit is written");
    let learned = Path::new(env!("CARGO_MANIFEST_DIR")).join("../profiles/learned/nginx.json");
    let mut convert = Command::new(tracer_program());
    convert.arg("convert").arg(learned).args(["--to", "systemd", "--conditional", "allow", "-o"]);
    succeed(convert.arg(units.join("web.service.d/filter.conf")))?;
    let cgroup = Cgroup::new("units");
    let mut manager = Command::new("sh");
    manager.args(["-c", CONFINED]).arg(cgroup.directory()).arg(MANAGER);
    manager.arg(systemd).arg(directory.path());
    for reaches_outside in ["DBUS_SESSION_BUS_ADDRESS", "DBUS_SYSTEM_BUS_ADDRESS", "NOTIFY_SOCKET"]
    {
        manager.env_remove(reaches_outside);
    }
    let finished = Running::start(&mut manager).finish();
    let said = fs::read_to_string(directory.path().join("said")).unwrap_or_default();
    for (call, answer) in PROBED {
        let line = format!("{call} {answer}");
        assert!(said.lines().any(|said| said == line), "{line}: {said:?}, {finished:?}");
    }
    Ok(())
}
