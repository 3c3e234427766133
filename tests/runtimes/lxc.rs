//! LXC: a container runs under the policy that `tracer convert --to lxc` makes of what was learned
//! in one, and a call that was not learned gets the profile's answer.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use libtest_mimic::Trial;
use tempfile::TempDir;
use tests::{
    Cgroup, Running, Stop, Tracer, kernel_tier, temporary_directory, tool, tracer_program,
};

use crate::cases::Cases;
use crate::engine::{ENOSYS, succeed};
use crate::world::World;

/// Two calls that were not learned, and three that are allowed with other arguments alone.
const PROBES: [&str; 5] = ["mkdir", "symlink", "vsock", "alg", "user-namespace"];

/// All cases.
pub fn trials(cases: &Cases) -> Vec<Trial> {
    vec![cases.trial("lxc::learned".to_owned(), learned)]
}

fn learned(world: &World) -> Result<(), Stop> {
    kernel_tier().map_err(Stop::Skip)?;
    let lxc = Lxc::new(world)?;
    // A filter that allows everything tells liblxc's preparation from what comes under a filter.
    let open = lxc.policy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../profiles/learn.json"))?;
    let tracing =
        Tracer::new().cgroup(&lxc.payload).args(["--include", "clone,socket,socketpair"]).start();
    let said = lxc.run(&open, &["probe"])?;
    let learned = tracing.stop().exits(0);
    assert!(said.lines().any(|line| line == "probed"), "{said}");
    for call in PROBES {
        let said = lxc.run(&open, &["probe", call])?;
        assert_ne!(answer(&said, call), Some(ENOSYS), "{call} without the profile: {said}");
    }
    let policy = lxc.policy(&learned.directory().join("profile.json"))?;
    let said = lxc.run(&policy, &[&["probe"], &PROBES[..]].concat())?;
    for call in PROBES {
        assert_eq!(answer(&said, call), Some(ENOSYS), "{call}: {said}");
    }
    assert!(said.lines().any(|line| line == "probed"), "{said}");
    Ok(())
}

/// The error number of a probe.
fn answer(said: &str, call: &str) -> Option<i32> {
    let number = said.lines().find_map(|line| line.strip_prefix(call)?.strip_prefix(' '));
    number.and_then(|number| number.parse().ok())
}

/// Where containers of LXC run, one after the other.
struct Lxc {
    directory: TempDir,
    root: PathBuf,
    /// Above the containers' cgroups.
    payload: Cgroup,
    /// Above those of the process that watches a container.
    monitor: Cgroup,
}

impl Lxc {
    fn new(world: &World) -> Result<Self, Stop> {
        tool("lxc-start").map_err(Stop::Skip)?;
        let root = world.root()?.path().to_owned();
        let [payload, monitor] = ["lxc-payload", "lxc-monitor"].map(Cgroup::new);
        Ok(Self { directory: temporary_directory(), root, payload, monitor })
    }

    /// The policy of a profile, as tracer writes it.
    fn policy(&self, profile: &Path) -> Result<PathBuf, Stop> {
        let stem = profile.file_stem().expect("it has a name").to_string_lossy();
        let policy = self.directory.path().join(format!("{stem}.seccomp"));
        let mut convert = Command::new(tracer_program());
        convert.arg("convert").arg(profile).args(["--to", "lxc", "--out"]).arg(&policy);
        succeed(&mut convert)?;
        Ok(policy)
    }

    /// Runs the worker in a container under a policy, to its end; what it says.
    fn run(&self, policy: &Path, words: &[&str]) -> Result<String, Stop> {
        let changes = temporary_directory();
        let path = self.directory.path().join("configuration");
        let [payload, monitor] = [&self.payload, &self.monitor].map(|it| &it.name()[1..]);
        let configuration = format!(
            "lxc.uts.name = test\nlxc.net.0.type = empty\nlxc.apparmor.profile = unconfined\n\
             lxc.rootfs.path = overlay:{}:{}\nlxc.mount.auto = proc:mixed\nlxc.console.path = none\n\
             lxc.pty.max = 0\nlxc.cgroup.dir.container = {payload}/container\n\
             lxc.cgroup.dir.monitor = {monitor}/monitor\nlxc.cgroup.dir.monitor.pivot = {monitor}/pivot\n\
             lxc.seccomp.profile = {}\n",
            self.root.display(),
            changes.path().display(),
            policy.display()
        );
        fs::write(&path, configuration).expect("the configuration is written");
        let log = self.directory.path().join("log");
        let mut command = Command::new("lxc-start");
        command.args(["-F", "-n", "test", "-l", "INFO", "-o"]).arg(&log);
        command.arg("-P").arg(self.directory.path()).arg("-f").arg(&path);
        command.args(["--", "/worker"]).args(words);
        let ended = Running::start(&mut command).finish();
        if ended.status.success() {
            return Ok(String::from_utf8_lossy(&ended.stdout).into_owned());
        }
        let log = fs::read_to_string(&log).unwrap_or_default();
        let errors: Vec<&str> = log.lines().filter(|line| line.contains("ERROR")).collect();
        let policy = fs::read_to_string(policy).unwrap_or_default();
        Err(Stop::Fail(format!("{command:?}: {}\n{}\n{policy}", ended.status, errors.join("\n"))))
    }
}
